"""Synthetic studies, written as the files of the real datasets."""
