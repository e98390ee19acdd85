"""Experiments of many fits: what their figures show, and how sure that is."""
