"""Gains over fractions of datasets, of a made benchmark."""

import pytest

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting import gain_plots
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.effort import effort_table
from mdmt_tf.reporting.gain_tables import gain_table, worth_table
from mdmt_tf.reporting.gains import gains_of
from mdmt_tf.reporting.table_files import markdown
from mdmt_tf.reporting.tables import build_tables

# Of aiforcovid by fraction, and of brixia, which is auxiliary.
FRACTIONS = {"aiforcovid": [0.25, 0.5], "brixia": [0, 0.1]}
# How much the variants say about the target.
STRENGTHS = {
    "alone@aiforcovid=0.25": 0.3,
    "alone@aiforcovid=0.5": 1.5,
    "alone": 2.5,
    "start@aiforcovid=0.25": 0.9,
    "start@aiforcovid=0.5": 2.2,
    "start": 8.0,
}


@pytest.fixture(scope="module")
def started(benchmark_folder, tmp_path_factory):
    """A start from an auxiliary dataset; fractions of both datasets are varied."""
    path = tmp_path_factory.mktemp("started") / "b"
    folder = benchmark_folder(
        path,
        {"history": False, "effort": {"steps": 10, "images": 80, "seconds": 1}},
        experiments={
            "pretrain": ["severity"],
            "alone": ["prognosis"],
            "start": {"tasks": ["prognosis"], "start": {"pretrain": 1}},
        },
        auxiliary=["brixia"],
        backbones=["resnet18"],
        candidate="start",
        comparisons=[["start", "alone"]],
        fractions=FRACTIONS,
    )
    for fold in range(3):
        for suffix, count in (("", 2000), ("@brixia=0.1", 200)):
            # The same fit in every fold.
            name = f"pretrain{suffix}"
            training = {"severity": count}
            folder.add("cv", "resnet18", 0, fold, name, name, training=training)
        for name, strength in STRENGTHS.items():
            declared, _, value = name.partition("@aiforcovid=")
            training = {"prognosis": round(80 * float(value or 1))}
            names = [name]
            if declared == "start":
                # The order of `fractions`.
                names += [f"{name}@brixia=0", f"{name}@brixia=0.1"]
            for number, own in enumerate(names):
                options = {"strength": strength - 0.2 * number, "training": training}
                folder.add("cv", "resnet18", 0, fold, own, **options)
    return Aggregates(Results.read(path), 0)


def points(aggregates, **wanted):
    task = aggregates.results.tasks["prognosis"]
    return [
        gain
        for gain in gains_of(aggregates, task, "cv")
        if all(getattr(gain, key) == value for key, value in wanted.items())
    ]


def test_a_dataset_is_varied_for_what_reads_it_or_starts_from_it(started):
    of_brixia = points(started, varied="brixia", rest="")
    assert [(gain.line, gain.fraction, gain.labels) for gain in of_brixia] == [
        ("start - alone", 0, 0),
        ("start - alone", 0.1, 200),
        ("start - alone", 1, 2000),
        ("start - brixia=0", 0.1, 200),
        ("start - brixia=0", 1, 2000),
    ]
    of_real = points(started, varied="aiforcovid", rest="brixia=0.1")
    assert [(gain.line, gain.fraction, gain.labels) for gain in of_real] == [
        ("start - alone (brixia=0.1)", 0.25, 20),
        ("start - alone (brixia=0.1)", 0.5, 40),
        ("start - alone (brixia=0.1)", 1, 80),
    ]


def test_differences_are_those_of_the_variants(started):
    (gain,) = points(started, varied="brixia", fraction=0.1, rest="", without=True)
    expected = started.differences.of(
        "cv", "prognosis", "start@brixia=0.1", "start@brixia=0"
    )
    assert gain.differences["auc"] == expected["auc"]
    table = gain_table(started)
    assert "patients of" in table.sections[0].headings


def test_what_an_auxiliary_dataset_is_worth(started):
    table = worth_table(started)
    data = table.data[table.data["at"] == ""].set_index("labels")
    assert list(data.index) == [20, 40, 80]
    assert set(data["added"]) == {"2,000 patients of brixia"}
    assert 20 < data.loc[20, "equal"] < 40 < data.loc[40, "equal"] < 80
    assert data.loc[80, "not_estimable"] == "its metric is above the curve"
    few = table.data[table.data["at"] == "brixia=0.1"]
    assert set(few["added"]) == {"200 patients of brixia"}
    # Nothing is added with fraction 0.
    assert set(table.data["at"]) == {"", "brixia=0.1"}
    first = table.lead[0]
    assert first.startswith(
        "cv: with 20 training patients of aiforcovid, prognosis, start is as good (AUC)"
    )
    assert "so 2,000 patients of brixia are worth +" in first
    assert "labels of" in markdown(table, "")


@pytest.mark.parametrize("wide, scale", [(20, "linear"), (5, "symlog")])
def test_the_axis_of_many_images_is_logarithmic(started, monkeypatch, wide, scale):
    monkeypatch.setattr(gain_plots, "_WIDE", wide)
    task = started.results.tasks["prognosis"]
    figure, _, _ = gain_plots.gains(started, task, "cv")
    scales = {axis.get_xlabel(): axis.get_xscale() for axis in figure.axes}
    assert scales == {
        "training patients of aiforcovid": "linear",
        "training patients of brixia": scale,
    }


def test_an_experiment_on_auxiliary_datasets_has_no_results(started):
    results = started.results
    assert results.experiments_of("severity", "cv") == []
    assert set(results.metrics["task"]) == {"prognosis"}
    assert "pretrain" in set(results.cells["experiment"])
    for table in build_tables(started):
        if {"experiment", "task"} <= set(table.data):
            assert "pretrain" not in set(table.data["experiment"]), table.name


def test_steps_with_starts_count_the_fit_that_is_shared(started):
    data = effort_table(started.results).data.set_index("experiment")
    assert data.loc["pretrain", "fits"] == 1
    assert data.loc["start", "steps_with_starts"] == 20
