"""The flow of patients of a benchmark."""

import pytest

from mdmt_tf.experiments.results import Results
from mdmt_tf.reporting.benchmark_flow import benchmark_flow
from mdmt_tf.runs.flow import Count, DatasetFlow, PatientFlow
from mdmt_tf.storage import write_json

SPLITS = {"train": Count(60, 40), "validation": Count(20, 12), "test": Count(20, 13)}


def flow_of(task: str, name: str = "ward", taken: int = 100) -> PatientFlow:
    one = DatasetFlow(
        name=name,
        rows=taken + 5,
        left_out={"unreadable image": 5},
        taken=Count(taken, 65),
        splits=SPLITS,
        labelled={task: {split: Count(n.images - 1, 9) for split, n in SPLITS.items()}},
    )
    return PatientFlow((one,))


@pytest.fixture
def folder(benchmark_folder, tmp_path):
    """Three folds, two of whose experiments have run everywhere."""
    made = benchmark_folder(tmp_path / "b", backbones=["resnet18"])
    for fold in range(2):
        made.add("cv", "resnet18", 0, fold, "ft")
        made.add("cv", "resnet18", 0, fold, "stl_severity", missing=fold == 0)
    return made.path


def write(folder, fit: str, flow: PatientFlow) -> None:
    run = folder / "runs" / fit
    # By its settings a folder is known as one of a run.
    (run / "config.yaml").touch()
    write_json(run / "flow.json", flow.to_plain())


def cells(table, section: int) -> list[list[str]]:
    return [[entry.text for entry in row] for row in table.sections[section].rows]


def test_runs_that_state_none(folder):
    assert benchmark_flow(Results.read(folder)) is None


def test_it_is_of_the_fold_that_most_experiments_have(folder):
    # Of another fold, which must not be mixed in.
    write(folder, "ft-resnet18-s0-cv0", flow_of("prognosis", taken=7))
    write(folder, "ft-resnet18-s0-cv1", flow_of("prognosis"))
    write(folder, "stl_severity-resnet18-s0-cv1", flow_of("severity"))
    table = benchmark_flow(Results.read(folder))
    assert cells(table, 0) == [
        ["rows found", "105"],
        ["left out: unreadable image", "5"],
        ["taken", "100 (65)"],
        ["train", "60 (40)"],
        ["validation", "20 (12)"],
        ["test", "20 (13)"],
    ]
    # Each experiment states the labels that it was trained with.
    assert cells(table, 1) == [
        ["prognosis", "ward", "59 (9)", "19 (9)", "19 (9)"],
        ["severity", "ward", "59 (9)", "19 (9)", "19 (9)"],
    ]
    assert table.notes[0] == "Splits and labels: of fold 1 of cv."


def test_all_datasets_of_the_fold(folder):
    write(folder, "ft-resnet18-s0-cv1", flow_of("prognosis"))
    write(folder, "stl_severity-resnet18-s0-cv1", flow_of("severity", name="other"))
    table = benchmark_flow(Results.read(folder))
    assert table.sections[0].headings == ("step", "ward", "other")


def test_no_test_label_is_shown_where_validation_rows_judge(folder):
    write(folder, "ft-resnet18-s0-cv1", flow_of("prognosis"))
    table = benchmark_flow(Results.read(folder, "validation"))
    assert table.sections[1].headings == ("answer", "dataset", "train", "validation")
