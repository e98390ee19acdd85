"""Code that the dataset builders share."""
