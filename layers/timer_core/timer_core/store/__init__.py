"""The one DynamoDB table: what is in it and every way to read and change it.

The layout is described in docs/decisions/0002-table-layout.md.
"""
