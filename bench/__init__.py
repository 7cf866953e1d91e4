"""Measurements of the product: counts where possible, ratios of one run where not.

``make bench`` writes what they find into docs/performance.md.
"""
