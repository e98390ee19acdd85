"""The originals of the backbones: their facts, values and features."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))

from reference_values import input_values, weight_values


@pytest.fixture(scope="session")
def originals(reference):
    """{name: facts of tests/reference/backbones.json with the pooled `features`}."""
    text = (reference / "backbones.json").read_text(encoding="utf-8")
    with np.load(reference / "features.npz") as features:
        return {
            name: facts | {"features": features[name]}
            for name, facts in json.loads(text)["backbones"].items()
        }


@pytest.fixture(scope="session")
def original_state():
    """Facts of an original to its {name: value}, in the original's axes."""
    return lambda facts: {
        name: weight_values(name, shape) for name, shape in facts["state"]
    }


@pytest.fixture(scope="session")
def original_input():
    """Facts of an original to the images or volumes it was given, channels last."""
    return lambda facts: np.moveaxis(input_values(facts["input_shape"]), 1, -1)
