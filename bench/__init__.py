"""Measurements of the product: counts where possible, otherwise ratios within one run.

``make bench`` writes the results into docs/performance.md and docs/cost.md.
"""
