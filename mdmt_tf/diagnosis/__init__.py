"""Findings about prepared data, before anything is trained."""
