"""Features of images by a frozen backbone."""

import numpy as np

from mdmt_tf.data.normalize import normalize
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.pooled_features import pooled_features


def test_they_are_the_output_in_evaluation_mode(tiny_backbone):
    backbone = build_backbone(tiny_backbone, (16, 16, 3))
    before = backbone.get_weights()
    images = np.random.default_rng(0).random((5, 16, 16, 1)).astype(np.float32)
    found = pooled_features(backbone, [images[:3], images[3:]])
    expected = backbone.predict(normalize(images).numpy(), verbose=0)
    assert found.shape == (5, 8) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    # Statistics of batches are neither used nor learned.
    for one, other in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
