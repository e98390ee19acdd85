"""Splits: the patients for training, validation and test."""
