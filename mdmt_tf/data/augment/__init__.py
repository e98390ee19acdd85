"""Random changes of training images and volumes."""
