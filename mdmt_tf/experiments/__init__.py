"""Experiments of many fits: what their metrics show, and how sure that is."""
