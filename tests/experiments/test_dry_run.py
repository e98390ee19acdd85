"""The dry run of a benchmark: its grid, and one measured fit of each kind."""

import dataclasses

import pytest
import yaml
from rich.console import Console
from small_settings import DATASETS, OUTCOME

from mdmt_tf import config
from mdmt_tf.experiments import dry_run, dry_run_text

# Two networks are built and trained for some steps.
pytestmark = pytest.mark.large

SETTINGS = {
    "experiment": "small",
    "image_size": 32,
    "tasks": {
        "outcome": OUTCOME,
        "grade": {
            "kind": "categorical",
            "cut_points": [1, 2, 3],
            "from": {"beta": "grade"},
        },
    },
    "datasets": DATASETS,
    "model": {"backbone": "tiny"},
    "training": {
        "epochs": 3,
        "batch_size": 8,
        "warmup_epochs": 0,
        "select_on": {"task": "outcome"},
    },
    "benchmark": {
        "backbones": ["tiny"],
        "seeds": [0, 1],
        "cross_validation": {"cv": {"kind": "kfold", "folds": 3}},
        "experiments": {
            "alone": {"tasks": ["grade"]},
            "both": {"tasks": ["outcome", "grade"], "start": {"alone": 1}},
        },
        "baselines": {"age": {"task": "outcome", "fields": {"alpha": ["age"]}}},
        "cores_per_fit": 1,
    },
}


@pytest.fixture(scope="module")
def planned(tiny_backbone, data_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("settings")
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, "data_dir": str(data_dir)}))
    scratch = folder / "scratch"
    scratch.mkdir()
    before = {path: path.stat().st_mtime_ns for path in data_dir.rglob("*")}
    settings = config.load(str(path), [])
    made = dry_run.make_plan(settings, scratch, lambda text: None, None)
    # The data are read, and the lists are in the folder for the moment.
    assert {path: path.stat().st_mtime_ns for path in data_dir.rglob("*")} == before
    assert len(list(scratch.iterdir())) == 3
    return made


@pytest.fixture(scope="module")
def groups(planned):
    return list(dry_run.measure(planned))


def test_each_kind_of_fit_is_measured_once(groups, planned):
    assert [(g.experiment, g.backbone, g.fits) for g in groups] == [
        ("alone", "tiny", 6),  # 3 folds, 2 seeds
        ("both", "tiny", 6),
    ]
    alone, both = groups
    assert alone.measured.outputs == {"grade": 4}
    assert both.measured.outputs == {"outcome": 2, "grade": 4}
    assert alone.measured.has_weights and not both.measured.has_weights
    assert both.seconds == 6 * both.measured.seconds
    assert planned.baselines == 3


def test_labels_of_every_fold_are_counted(planned):
    counts = dict(dry_run.count_labels(planned)["cv"])
    assert list(counts) == [0, 1, 2]
    wholes = {sum(of_fold["outcome"].values()) for of_fold in counts.values()}
    tested = sum(of_fold["outcome"]["test"] for of_fold in counts.values())
    assert wholes == {tested}


def test_what_numbers_were_read_as_is_said(planned):
    assert list(dry_run.label_lines(planned)) == []  # labels that are text
    alpha, *others = planned.datasets
    table = {**alpha.table, "outcome": alpha.table["severe"]}
    alpha = dataclasses.replace(alpha, table=table)
    changed = dataclasses.replace(planned, datasets=(alpha, *others))
    counts = "0 -> mild: 16, 1 -> severe: 16"
    expected = [f"labels of outcome: numbers read as {counts}"]
    assert list(dry_run.label_lines(changed)) == expected


def test_all_is_printed(planned, groups, capsys):
    console = Console(width=80)
    dry_run_text.print_labels(console, dry_run.count_labels(planned))
    dry_run_text.print_groups(console, planned, groups)
    text = capsys.readouterr().out
    assert "cv: labelled images, train/validation/test" in text
    assert "for 12 fits, one after another" in text
    (left,) = [li for li in text.splitlines() if li.startswith("not measured")]
    assert "the start of each fit" in left and "3 baselines" in left
    # A fit takes more than its training.
    headings = next(li for li in text.splitlines() if li.strip().startswith("fits of"))
    assert "training" in headings and "  fit  " not in headings
    machine = [li for li in text.splitlines() if li.startswith("this machine")]
    assert all(" of training, " in line for line in machine)
    # One task has the whole loss, which is not worth a line.
    lines = text[text.index("Loss at the start") :].splitlines()
    assert not [line for line in lines if "alone" in line]
    of_both = [line.split() for line in lines if line.strip().startswith("both")]
    assert [line[2] for line in of_both] == ["outcome", "grade"]
    assert sum(int(line[5]) for line in of_both) in (99, 100, 101)
