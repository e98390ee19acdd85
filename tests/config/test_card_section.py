"""Statements for the model card."""

import re
from pathlib import Path

import pytest
import yaml

from mdmt_tf import config
from mdmt_tf.config.schema import CardSection
from mdmt_tf.errors import ConfigError

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "model_card.md"


def test_nothing_is_stated_unless_somebody_does():
    assert not any(CardSection().model_dump().values())
    assert config.load("phantom").card == CardSection()


def test_one_text_or_several():
    own = config.load("phantom", ["card.limits=One winter.", "card.labels=[A., B.]"])
    assert own.card.limits == ("One winter.",) and own.card.labels == ("A.", "B.")


def test_the_example_of_the_page_states_everything():
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    values = next(own["card"] for own in map(yaml.safe_load, blocks) if "card" in own)
    assert list(values) == list(CardSection.model_fields)
    stated = CardSection.model_validate(values)
    assert all(stated.model_dump().values())


def test_a_wrong_key_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="card.intended.*intended_use"):
        config.load("phantom", ["card.intended_uses=x"])
    with pytest.raises(ConfigError, match="card.contact"):
        config.load("phantom", ["card.contact=''"])
