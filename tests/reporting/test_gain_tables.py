"""Gains by the number of labels, and what they are worth, of a made benchmark."""

import pytest

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting import plots
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.gain_tables import gain_table, worth_table
from mdmt_tf.reporting.gains import gains_of
from mdmt_tf.reporting.table_files import markdown

EXPERIMENTS = {"alone": ["prognosis"], "both": ["prognosis", "severity"]}
# Training labels of patients of each task, when all are used.
LABELS = {"prognosis": 80, "severity": 200}


def made(benchmark_folder, path, fractions, strengths):
    """A grid with every variant; `strengths` has what each says about the target."""
    folder = benchmark_folder(
        path,
        {"history": False},
        experiments=EXPERIMENTS,
        backbones=["resnet18"],
        candidate="both",
        comparisons=[["both", "alone"]],
        fractions=fractions,
    )
    for name, strength in strengths.items():
        declared, *parts = name.split("@")
        used = {task: float(f) for task, f in (part.split("=") for part in parts)}
        training = {
            task: round(LABELS[task] * used.get(task, 1))
            for task in EXPERIMENTS[declared]
        }
        for fold in range(3):
            options = {"strength": strength, "training": training}
            folder.add("cv", "resnet18", 0, fold, name, **options)
    return Aggregates(Results.read(path), 0)


@pytest.fixture(scope="module")
def second(benchmark_folder, tmp_path_factory):
    """The labels of the second dataset are varied."""
    strengths = {"alone": 0.6, "both@severity=0": 0.6, "both@severity=0.5": 1.0}
    strengths["both"] = 2.0
    path = tmp_path_factory.mktemp("second") / "b"
    return made(benchmark_folder, path, {"severity": [0, 0.5]}, strengths)


@pytest.fixture(scope="module")
def outcome(benchmark_folder, tmp_path_factory):
    """The labels of the outcome are varied."""
    strengths = {"alone@prognosis=0.25": 0.3, "alone@prognosis=0.5": 1.5}
    strengths |= {"alone": 2.5, "both": 8.0}
    strengths |= {"both@prognosis=0.25": 0.9, "both@prognosis=0.5": 2.2}
    path = tmp_path_factory.mktemp("outcome") / "b"
    return made(benchmark_folder, path, {"prognosis": [0.25, 0.5]}, strengths)


def test_gains_over_the_control_and_over_no_labels(second):
    (task, other) = second.results.tasks.values()
    points = [
        (gain.line, gain.fraction, gain.labels) for gain in gains_of(second, task, "cv")
    ]
    assert points == [
        ("both - alone", 0, 0),
        ("both - alone", 0.5, 100),
        ("both - alone", 1, 200),
        ("both - severity=0", 0.5, 100),
        ("both - severity=0", 1, 200),
    ]
    # Nothing is compared for the other task, which is predicted by one of them.
    assert gains_of(second, other, "cv") == []


def test_the_table_has_the_differences_of_the_variants(second):
    table = gain_table(second)
    (section,) = table.sections
    assert [row[2].text for row in section.rows] == ["0", "0.5", "1", "0.5", "1"]
    expected = second.differences.of(
        "cv", "prognosis", "both@severity=0.5", "both@severity=0"
    )["auc"]
    data = table.data[(table.data["figure"] == "auc") & (table.data["other"] == "")]
    row = data[data["fraction"] == 0.5].iloc[0]
    assert (row["difference"], row["low"]) == (expected.value, expected.low)
    assert worth_table(second) is None


def test_the_plot_has_every_curve(second, monkeypatch):
    monkeypatch.setattr(plots, "KINDS", {"gains": plots.gains})
    (drawing,) = plots.draw_all(second)
    assert drawing.name == "gains_prognosis" and "AUC" in drawing.caption
    text = drawing.svg.decode()
    assert "both - alone" in text and "with a label of severity" in text


def test_what_the_second_dataset_is_worth(outcome):
    table = worth_table(outcome)
    data = table.data.set_index("labels")
    assert list(data.index) == [20, 40, 80]
    # Between the curve's points, and never beyond them.
    assert 20 < data.loc[20, "equal"] < 40 < data.loc[40, "equal"] < 80
    assert data.loc[20, "worth"] == pytest.approx(data.loc[20, "equal"] - 20)
    assert data.loc[80, "not_estimable"] == "its metric is above the curve"
    first, _, last = table.lead
    assert first.startswith("cv: with 20 labels of prognosis, both is as good (AUC) as")
    assert last.endswith("are worth: its metric is above the curve of alone.")
    assert "both is as good (AUC) as alone with" in markdown(table, "")


def test_two_varied_tasks_are_curves_at_each_fraction(
    benchmark_folder, tmp_path, monkeypatch
):
    fractions = {"severity": [0.5], "prognosis": [0.5]}
    names = ["alone", "alone@prognosis=0.5"]
    for suffix in ("", "@severity=0.5", "@prognosis=0.5"):
        names.append(f"both{suffix}")
    names.append("both@severity=0.5@prognosis=0.5")
    strengths = dict.fromkeys(names, 1.0)
    aggregates = made(benchmark_folder, tmp_path / "b", fractions, strengths)
    # Which points there are, not how large they are.
    monkeypatch.setattr(aggregates.differences, "of", lambda *names: {})
    task = aggregates.results.tasks["prognosis"]
    found = {
        (gain.varied, gain.rest, gain.fraction)
        for gain in gains_of(aggregates, task, "cv")
    }
    assert found == {
        (varied, rest and f"{other}=0.5", fraction)
        for varied, other in (("severity", "prognosis"), ("prognosis", "severity"))
        for rest in (True, "")
        for fraction in (0.5, 1)
    }


def test_without_fractions_there_is_nothing(whole):
    aggregates = Aggregates(Results.read(whole), 0)
    assert gain_table(aggregates) is None and worth_table(aggregates) is None
