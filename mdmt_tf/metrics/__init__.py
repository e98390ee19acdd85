"""Metrics: one function in `formulas` and one row in `table` each."""
