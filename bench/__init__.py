"""Measurements of the product: counts where possible, ratios of one run where not.

``make bench`` writes the results into docs/performance.md and docs/cost.md.
"""
