"""Segmentation of the lungs in chest radiographs."""

from mdmt_tf.imaging.lungs.segmentation import segment_lungs

__all__ = ["segment_lungs"]
