"""Where the lungs are in a radiograph."""

from mdmt_tf.imaging.lungs.segmentation import segment_lungs

__all__ = ["segment_lungs"]
