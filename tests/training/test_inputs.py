"""What a new fit is given: its datasets, their tasks and what is said of them."""

import numpy as np
import pytest

from mdmt_tf import config
from mdmt_tf.data.sources import open_dataset
from mdmt_tf.errors import DataError
from mdmt_tf.experiments import plan
from mdmt_tf.training.inputs import open_inputs

DECLARED = {"declaration": {"labels": {"age": {"unit": "months", "classes": None}}}}


@pytest.fixture(scope="module")
def folder(prepare, stored_pixels, tmp_path_factory):
    """Ages in years, declared in months, in years again, and without a unit."""
    folder = tmp_path_factory.mktemp("ages")
    for name, metadata in {
        "years": {"units": {"age": "years"}},
        "months": {"declared": DECLARED},
        "again": {"units": {"age": "Year"}},
        "silent": {},
    }.items():
        examples = [
            {
                "image": stored_pixels(f"{name}{i}"),
                "image_id": f"{name}{i}",
                "patient_id": f"{name}{i}",
                "site": "A",
                "age": np.float32(40 + i),
                "outcome": ("mild", "severe")[i % 2],
            }
            for i in range(24)
        ]
        prepare(folder, name, examples, metadata=metadata)
    return folder


@pytest.fixture
def settings(folder):
    def settings(*datasets, kind="regression, from"):
        sources = ", ".join(f"{name}: age" for name in datasets)
        own = ", ".join(f"{name}: {{config: full_256}}" for name in datasets)
        return config.load(
            "phantom",
            [
                "phantoms=null",
                f"data_dir={folder}",
                f"datasets={{{own}}}",
                f"tasks={{age: {{kind: {kind}: {{{sources}}}}}}}",
                "training.select_on={task: age, metric: loss}",
                "image_size=32",
                "split.folds=3",
            ],
        )

    return settings


def test_units_are_those_that_the_builder_states_or_the_declaration(folder):
    found = {
        name: open_dataset(folder, name, "full_256")
        for name in ("years", "months", "again", "silent")
    }
    assert found["years"].units == {"age": "years"}
    assert found["months"].units == {"age": "months"}
    assert found["silent"].units == {}
    assert found["years"].describe()["units"] == {"age": "years"}


@pytest.mark.parametrize("datasets", [("years", "again"), ("years", "silent")])
def test_labels_of_one_unit_are_trained_and_the_task_has_it(settings, datasets):
    (task,) = open_inputs(settings(*datasets)).tasks
    assert task.unit == "years" and task.is_fitted


@pytest.mark.parametrize(
    "kind", ["regression, from", "ordinal, cut_points: [43], from"]
)
def test_labels_of_two_units_are_not_trained_together(settings, kind):
    with pytest.raises(DataError, match="'years': years; age of dataset 'months': mo"):
        open_inputs(settings("years", "months", kind=kind))


def test_a_benchmark_of_labels_of_two_units_is_not_planned(settings):
    made = settings("years", "months")
    with pytest.raises(DataError, match="expected labels of one unit"):
        plan.divide(made)
