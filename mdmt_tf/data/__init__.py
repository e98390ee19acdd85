"""From prepared datasets to batches: reading, folds, sampling, augmentation."""
