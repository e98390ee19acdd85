"""Strata and shortcuts of a run, counted by hand."""

import types

import numpy as np
import pandas as pd

from mdmt_tf.cards.strata import shortcuts_of_inputs, strata_of_run
from mdmt_tf.tasks import make_task

ICU = make_task(
    name="icu", kind="binary", classes=("no", "yes"), sources={"ward": "icu"}
)
# 24 patients in the north, 6 in the south, and one in each of two other places.
SITES = ["north"] * 24 + ["south"] * 6 + ["east", "west"]


def table_of(scores):
    count = len(SITES)
    names = [f"p{i:02d}" for i in range(count)]
    return pd.DataFrame(
        {
            "dataset": "ward",
            "split": "test",
            "task": "icu",
            "image_id": names,
            "patient_id": names,
            "site": SITES,
            "target": np.arange(count) % 2,
            "prediction": 0,
            "p_0": 1 - scores,
            "p_1": scores,
        }
    )


def strata(table=None, fields=None):
    if table is None:
        table = table_of(np.arange(len(SITES)) % 2 * 0.5 + 0.1)
    found = strata_of_run(table, [ICU], {"icu": "image"}, fields, resamples=5)
    return found["ward"]["icu"]


def test_groups_are_counted_and_small_ones_not_judged():
    (north, south, rare) = strata()["site"]
    assert (north["value"], north["patients"], north["small"]) == ("north", 24, False)
    assert north["metrics"]["auc"]["value"] == 1.0
    assert (south["value"], south["patients"], south["metrics"]) == ("south", 6, {})


def test_values_of_few_patients_are_not_named():
    rare = strata()["site"][-1]
    assert rare["value"] == "2 rare values"
    assert (rare["images"], rare["patients"], rare["metrics"]) == (2, 2, {})
    assert "east" not in str(strata())


def test_other_fields_come_from_their_file():
    fields = pd.DataFrame(
        {
            "dataset": "ward",
            "field": "sex",
            "image_id": [f"p{i:02d}" for i in range(len(SITES))],
            "value": ["f"] * 20 + ["m"] * 12,
        }
    )
    found = strata(fields=fields)
    assert list(found) == ["sex"]
    counts = [(one["value"], one["patients"]) for one in found["sex"]]
    assert counts == [("f", 20), ("m", 12)]


def test_a_field_of_one_value_divides_nothing():
    table = table_of(np.full(len(SITES), 0.5)).assign(site="north")
    assert strata_of_run(table, [ICU], {"icu": "image"}, resamples=5) == {}


def inputs(task, *others, declared=()):
    names = np.array([f"p{i}" for i in range(8)], object)
    table = {
        "image_id": names,
        "patient_id": names,
        "icu": np.arange(8) % 2,
        "view": np.array(["PA", "AP"] * 4, object),
        "reader_b": np.array(["0", "1"] * 4, object),
        "reader_c": np.array(["0", "3"] * 4, object),
    }
    ward = types.SimpleNamespace(name="ward", table=table, declared_labels=declared)
    split = types.SimpleNamespace(datasets={"ward": {"train": names.tolist()}})
    return types.SimpleNamespace(
        datasets=[ward],
        judged=("ward",),
        split=split,
        tasks=(task,),
        answers=(task, *others),
    )


def test_a_field_that_tells_the_label_is_a_shortcut():
    fields = ["view", "reader_b", "reader_c"]
    expected = {"ward": {"icu": dict.fromkeys(sorted(fields), 1.0)}}
    assert shortcuts_of_inputs(inputs(ICU)) == expected


def test_labels_of_other_tasks_and_declared_ones_are_no_shortcuts():
    other = make_task(
        name="b", kind="categorical", classes=("0", "1"), sources={"ward": "reader_b"}
    )
    found = shortcuts_of_inputs(inputs(ICU, other, declared=("icu", "reader_c")))
    assert found == {"ward": {"icu": {"view": 1.0}}}
    # A view is a shortcut also where it is declared as a label, unless a task has it.
    found = shortcuts_of_inputs(
        inputs(ICU, other, declared=("icu", "reader_c", "view"))
    )
    assert found == {"ward": {"icu": {"view": 1.0}}}
    view = make_task(
        name="v", kind="categorical", classes=("AP", "PA"), sources={"ward": "view"}
    )
    found = shortcuts_of_inputs(inputs(ICU, other, view, declared=("icu", "reader_c")))
    assert found == {"ward": {"icu": {}}}


def test_permuted_labels_have_no_shortcut():
    permuted = make_task(
        name="icu",
        kind="binary",
        classes=("no", "yes"),
        sources={"ward": "icu"},
        permute=True,
    )
    assert shortcuts_of_inputs(inputs(permuted)) == {}
