"""Steps, images and seconds of fits, in the tables."""

import dataclasses

import pandas as pd
import pytest

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.effort import counted, effort_of, effort_table
from mdmt_tf.reporting.tables import build_tables

STEPS = {"stl_prognosis": 8, "stl_severity": 20, "ft": 8, "mdmt": 28}


def effort(experiment, fold):
    steps = STEPS[experiment]
    return {"steps": steps, "images": 16 * steps, "epochs": 2, "seconds": 1.5 + fold}


@pytest.fixture(scope="module")
def results(benchmark_folder, tmp_path_factory):
    experiments = {
        "stl_severity": {"tasks": ["severity"]},
        "stl_prognosis": {"tasks": ["prognosis"]},
        "ft": {"tasks": ["prognosis"], "start": {"stl_severity": 1}},
        "mdmt": {
            "tasks": ["prognosis", "severity"],
            "start": {"ft": 0.5, "stl_severity": 0.5},
        },
    }
    folder = benchmark_folder(
        tmp_path_factory.mktemp("effort") / "b",
        {"history": False},
        backbones=["resnet18"],
        experiments=experiments,
    )
    folder.add_all(lambda backbone, fold, name: {"effort": effort(name, fold)})
    return Results.read(folder.path)


@pytest.fixture(scope="module")
def tables(results):
    return {table.name: table for table in build_tables(Aggregates(results, 0))}


def test_means_over_the_fits(results):
    found = effort_of(results, "cv", "mdmt")
    assert (found.steps, found.images, found.seconds, found.fits) == (28, 448, 2.5, 3)
    nothing = effort_of(results, "cv", "mdmt", "mobilenet_v2")
    assert nothing.fits == 0 and pd.isna(nothing.steps)


def test_weights_that_were_trained_elsewhere_are_named(tables, results):
    assert results.weights == {}
    assert "trained elsewhere" not in " ".join(tables["effort"].notes)
    weights = {"resnet18": "phantoms"}
    own = dataclasses.replace(results, weights=weights)
    made = {table.name: table for table in build_tables(Aggregates(own, 0))}
    for name in ("effort", "table_1"):
        assert "): phantoms. They were trained elsewhere." in " ".join(made[name].notes)
    rows = {row[0].text: row for row in made["effort"].sections[0].rows}
    assert rows["stl_severity"][-1].text == "phantoms"
    assert rows["ft"][-1].text == "stl_severity, phantoms"


def test_every_start_counts_once(tables):
    data = tables["effort"].data.set_index("experiment")
    # mdmt starts from ft and stl_severity; ft starts from stl_severity, too.
    assert data["steps_with_starts"].to_dict() == {
        "stl_severity": 20,
        "stl_prognosis": 8,
        "ft": 8 + 20,
        "mdmt": 28 + 8 + 20,
    }
    (section,) = tables["effort"].sections
    assert [entry.text for entry in section.rows[-1]] == [
        *("mdmt", "3", "28", "448", "2.5", "56", "ft, stl_severity"),
    ]


def test_unequal_numbers_of_devices_are_told(results, tables):
    def notes(devices):
        told = dataclasses.replace(results, devices=devices)
        return " ".join(effort_table(told).notes)

    assert "devices" not in notes({"a": 2, "b": 2})
    assert "Fits were trained on 1 or 2 devices." in notes({"a": 1, "b": 2})


def test_they_stand_beside_the_metrics(tables):
    first = [s for s in tables["table_1"].sections if s.headings[-3] == "steps"]
    # Once for each task, in the first part.
    assert [s.title.split(",")[0] for s in first] == ["prognosis", "severity"]
    row = {row[0].text: row for row in first[0].rows}["mdmt"]
    assert [entry.text for entry in row[-3:]] == ["28", "448", "2.5"]
    detailed = tables["table_s1"]
    assert detailed.sections[0].headings[5:8] == ("steps", "images seen", "seconds")
    assert set(detailed.data.query("experiment == 'ft'")["steps"]) == {8}
    means = tables["table_1"].data.query("experiment == 'ft'")
    assert set(means["images_seen"]) == {128}


def test_older_runs_have_none(report):
    assert "effort" not in [table.name for table in report.tables]
    assert report.table("table_1").data["steps"].isna().all()
    assert not [s for s in report.table("table_1").sections if "steps" in s.headings]


def test_a_mean_of_counts():
    assert counted(7.0).text == "7" and counted(7.25).text == "7.2"
    assert counted(float("nan")).text == "–"
