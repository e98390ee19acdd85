"""A small benchmark, to be changed by overrides."""

import pytest

from mdmt_tf import config

GRID = """\
base: phantom
benchmark:
  backbones: [resnet18]
  cross_validation: {cv: {folds: 3}}
  experiments:
    a: {tasks: [prognosis]}
    b: {tasks: [severity], start: {a: 1}}
"""


@pytest.fixture
def load_grid(tmp_path):
    """load_grid(override, ...): its configuration."""

    def load_grid(*overrides):
        (tmp_path / "my.yaml").write_text(GRID, encoding="utf-8")
        return config.load(str(tmp_path / "my.yaml"), overrides)

    return load_grid
