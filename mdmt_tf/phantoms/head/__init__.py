"""Synthetic head CTs."""
