"""Read GitHub's webhook deliveries.

The receiver imports these modules, so they import little but the standard library.
"""
