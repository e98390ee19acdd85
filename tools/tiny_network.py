"""A tiny backbone that every Python process knows which a command starts.

For tests and trials of the commands, which need a network and no results.
"""

import os
from pathlib import Path

_SITE = """\
import mdmt_tf.models.backbones as backbones
from mdmt_tf.models.backbones import table

backbones.__path__.append({folder!r})
table.BACKBONES["tiny"] = table.Backbone(
    "tiny", "tiny:tiny", feature_dim=8, parameters=3 * 3 * 3 * 8 + 16,
    stem=("conv", "norm"), weights=None,
)
"""
_TINY = """\
from mdmt_tf.models.backbones import blocks


def tiny(images, options):
    make = blocks.Blocks(blocks.he_normal_fan_out, options)
    x = make.conv(images, 8, 3, "conv", stride=2)
    return make.dropout(make.relu(make.norm(x, "norm"), "relu"), "dropout")
"""


def environment_of(folder: Path, before: str = "") -> dict[str, str]:
    """The environment of such processes.

    Args:
        folder: for the files that they read when they start; made if need be.
        before: further Python that they execute first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    site = before + _SITE.format(folder=str(folder))
    (folder / "sitecustomize.py").write_text(site)
    (folder / "tiny.py").write_text(_TINY)
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "80"}
