"""The table of backbones: testable facts, one row each. Imports nothing heavy."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Backbone:
    """What is known of a backbone without building it."""

    name: str
    builder: str  # "module:function" below `mdmt_tf.models.backbones`
    feature_dim: int  # length of the pooled features
    parameters: int  # trainable ones, without a classification head
    weights_source: str  # where the published ImageNet weights come from
    licence: str  # of those weights' code and definition


_ROWS = (
    Backbone(
        name="resnet18",
        builder="resnet:resnet18",
        feature_dim=512,
        parameters=11_176_512,
        weights_source="torchvision IMAGENET1K_V1",
        licence="BSD-3-Clause",
    ),
    Backbone(
        name="shufflenet_v2_x0_5",
        builder="shufflenet:shufflenet_v2_x0_5",
        feature_dim=1024,
        parameters=341_792,
        weights_source="torchvision IMAGENET1K_V1",
        licence="BSD-3-Clause",
    ),
)

BACKBONES = {row.name: row for row in _ROWS}
