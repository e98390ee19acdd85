"""Random augmentation of training images and volumes."""
