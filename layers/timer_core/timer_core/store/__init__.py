"""The DynamoDB table: its items, and all reads and writes of these items.

The layout is described in docs/decisions/0002-table-layout.md.
"""
