"""From prepared datasets to batches: reading, sampling, augmentation."""
