"""Read published checkpoints as {reference parameter name: array} of a backbone."""

import os
import re
from pathlib import Path

import numpy as np

from mdmt_tf.errors import DataError, brief
from mdmt_tf.models.weights import safetensors_files
from mdmt_tf.models.weights.torch_files import read_torch_file

# Keys under which training scripts store the network's tensors.
_WRAPPERS = ("state_dict", "model", "model_state_dict")

# What comes before the names of the network's tensors: DataParallel and its distributed
# sister, Lightning modules with the network as `self.model`, torch.compile.
PREFIXES = ("module.", "model.", "_orig_mod.")

# Entries that do not belong to a backbone: classifiers of ImageNet's classes (GoogLeNet
# has two more inside), and PyTorch's count of training steps.
_HEADS = ("fc.", "classifier.", "aux1.", "aux2.", "_fc.")
_COUNTER = "num_batches_tracked"


def read_checkpoint(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read all tensors of a file, with their names.

    Args:
        path: a `.safetensors` file, or a file written by `torch.save`.
    Returns: {name: array}.
    Raises: DataError: the file is missing or damaged, or has no named tensors.

    Example:
        >>> import tempfile
        >>> from safetensors.numpy import save_file
        >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
        >>> save_file({"conv1.weight": np.zeros((4, 3, 7, 7), np.float32)}, path)
        >>> read_checkpoint(path)["conv1.weight"].shape
        (4, 3, 7, 7)
    """
    if Path(path).suffix == ".safetensors":
        return safetensors_files.read_arrays(path)
    stored = read_torch_file(path)
    while isinstance(stored, dict):
        inner = [stored[key] for key in _WRAPPERS if isinstance(stored.get(key), dict)]
        if not inner:
            break
        stored = inner[0]
    if not isinstance(stored, dict) or not all(
        isinstance(name, str) and isinstance(value, np.ndarray)
        for name, value in stored.items()
    ):
        raise DataError(
            f"{path}: expected tensors by name, at the top or under one or "
            f"more of {', '.join(_WRAPPERS)}. Received: {_describe(stored)}."
        )
    return stored


def without_prefix(
    tensors: dict[str, np.ndarray],
) -> tuple[str, dict[str, np.ndarray]]:
    """Remove what training scripts put before the names of a network's tensors.

    Args:
        tensors: as `read_checkpoint` returns them.
    Returns: the prefix, one of `PREFIXES` or several in a row, "" for none; and the
        tensors below it without it. Tensors with other names, such as those of
        a weighted loss, are left out then.

    Example:
        >>> names = ["module.model.conv1.weight", "module.loss.weight"]
        >>> prefix, kept = without_prefix({name: np.ones(1) for name in names})
        >>> prefix, list(kept)
        ('module.model.', ['conv1.weight'])
    """
    removed = ""
    while True:
        counts = {p: sum(name.startswith(p) for name in tensors) for p in PREFIXES}
        prefix = max(counts, key=counts.get)
        if not counts[prefix]:
            return removed, tensors
        removed += prefix
        tensors = {
            name.removeprefix(prefix): array
            for name, array in tensors.items()
            if name.startswith(prefix)
        }


def backbone_state(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Select the entries of a checkpoint that belong to a backbone, and rename them.

    Supported names are those of torchvision and timm, of torchvision's older DenseNet
    files ("denselayer1.norm.1"), and of lukemelas' EfficientNet ("_conv_stem").

    Args:
        tensors: as `without_prefix` returns them.
    Returns: the `state` of `mdmt_tf.models.weights.conversion.load_reference_state`.

    Example:
        >>> tensors = {"denselayer1.norm.1.weight": np.ones(4), "fc.bias": np.ones(2)}
        >>> list(backbone_state(tensors))
        ['denselayer1.norm1.weight']
    """
    kept = {
        name: array
        for name, array in tensors.items()
        if not name.startswith(_HEADS) and not name.endswith(_COUNTER)
    }
    if "_conv_stem.weight" in kept:
        return _rename_lukemelas(kept)
    return {
        re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", name): array
        for name, array in kept.items()
    }


# Modules outside and inside the blocks. A block that widens has one more convolution.
_LUKEMELAS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
}
_LUKEMELAS_INVERTED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_LUKEMELAS_SEPARABLE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


def _rename_lukemelas(tensors):
    """Names of EfficientNet-PyTorch to timm's, which count blocks within their stage.

    In every EfficientNet, a stage begins where the width changes.
    """
    blocks = {}
    for name, array in tensors.items():
        match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
        if match:
            number, module, word = match.groups()
            blocks.setdefault(int(number), {})[module, word] = array
    renamed = {}
    for name, array in tensors.items():
        module, _, word = name.partition(".")
        if module != "_blocks":
            renamed[f"{_LUKEMELAS.get(module, module)}.{word}"] = array
    stage, index, width = -1, 0, None
    for number in sorted(blocks):
        block = blocks[number]
        index += 1
        width_before, width = width, len(block.get(("_project_conv", "weight"), ()))
        if width != width_before:
            stage, index = stage + 1, 0
        widens = ("_expand_conv", "weight") in block
        modules = _LUKEMELAS_INVERTED if widens else _LUKEMELAS_SEPARABLE
        for (module, word), array in block.items():
            name = f"blocks.{stage}.{index}.{modules.get(module, module)}.{word}"
            renamed[name] = array
    return renamed


def _describe(stored):
    if isinstance(stored, dict):
        names = ", ".join(map(brief, list(stored)[:5]))
        return f"a dict with the keys {names}{', ...' if len(stored) > 5 else ''}"
    return f"a {type(stored).__name__}"
