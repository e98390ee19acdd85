"""What was meant by a key that does not exist."""

import pytest

from mdmt_tf.config import slips
from mdmt_tf.config.keys import all_keys, names_below


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        # Another section's key, or none of a section.
        ("epochs", ["training.epochs"]),
        ("heads", ["model.heads"]),
        ("training.heads", ["model.heads"]),
        ("augmentation", ["pipeline.augmentation"]),
        ("patience", ["training.patience", "training.plateau.patience"]),
        ("folds", ["split.folds"]),
        # Other names.
        ("lr", ["training.learning_rate"]),
        ("training.lr", ["training.learning_rate"]),
        ("training.epoch", ["training.epochs"]),
        # Other spellings.
        ("batchsize", ["training.batch_size"]),
        ("Batch-Size", ["training.batch_size"]),
        ("optimiser", ["training.optimizer"]),
        ("modle", ["model"]),
        ("epochz", ["training.epochs"]),
        ("seeds", ["seed", "benchmark.seeds"]),
        ("tasks.prognosis.clases", ["tasks.prognosis.classes"]),
        ("training.learning", ["training.learning_rate"]),
        ("xyzzy", []),
    ],
)
def test_what_was_meant(key, expected):
    path = key.split(".")
    assert slips.meant(path, names_below(path[:-1])) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("training.epochs", "training.epochs"),
        ("tasks.prognosis.weight", "tasks.prognosis.weight"),
        ("learning_rate", "training.learning_rate"),
        ("xyzzy", None),
    ],
)
def test_what_to_write_instead(written, expected):
    assert slips.write_instead(written) == expected


def test_the_tables_lead_to_keys_that_exist():
    full = {key.full for key in all_keys()}
    assert set(slips.SYNONYMS.values()) <= {key.name for key in all_keys()}
    assert set(slips.RENAMED_KEYS.values()) <= full
    assert not set(slips.RENAMED_KEYS) & full
    values = {key.full: key.values.split(" or ") for key in all_keys()}
    for key, renamed in slips.RENAMED_VALUES.items():
        assert set(renamed.values()) <= set(values[key])
        assert not set(renamed) & set(values[key])


def test_no_synonym_is_a_key():
    assert not set(slips.SYNONYMS) & {key.name for key in all_keys()}
