"""A page and an API that answer files by trained models; no file is stored."""
