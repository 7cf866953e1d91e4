"""Measurements of the product. They are counts where possible, and otherwise ratios within one run.

``make bench`` writes the results into docs/performance.md and docs/cost.md.
"""
