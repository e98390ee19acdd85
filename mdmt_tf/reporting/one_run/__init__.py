"""The page of one training run, made from its folder alone."""
