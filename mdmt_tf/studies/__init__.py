"""Studies of many independent synthetic datasets."""
