"""docs/reference/backbones.md agrees with the table of backbones."""

from pathlib import Path

import pytest

from mdmt_tf.models.backbones.table import BACKBONES, IMAGENET, UNIT

TEXT = (Path(__file__).parents[3] / "docs/reference/backbones.md").read_text(
    encoding="utf-8"
)
ROWS = {
    line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
    for line in TEXT.partition("## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| backbone")
}


def test_every_backbone_is_there():
    assert list(ROWS) == list(BACKBONES)


@pytest.mark.parametrize("name", BACKBONES)
def test_its_facts_are_those_of_the_table(name):
    row = BACKBONES[name]
    features, parameters, source, licence, normalization = ROWS[name]
    assert int(features) == row.feature_dim
    assert int(parameters.replace(",", "")) == row.parameters
    if row.weights is None:
        expected = {UNIT: "[0, 1]", IMAGENET: "ImageNet"}[row.expects]
        assert (source, licence, normalization) == ("none", "-", expected)
        return
    assert source == row.weights.source
    assert licence == row.weights.licence
    assert (normalization == "ImageNet") != row.renormalizes
