"""Read GitHub's webhook deliveries.

The receiver imports these modules at its cold start, so they import little beyond the standard library.
"""
