"""Files of a run that only some questions need."""

import pandas as pd

from mdmt_tf.experiments.run_results import (
    datasets_of,
    is_synthetic,
    read_run,
    synthetic_images,
    training_labels,
)
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.tasks import make_task


def test_training_labels_are_counted_by_image_and_patient(whole, tmp_path):
    stored = pd.read_csv(whole / "runs" / "ft-resnet18-s0-cv0" / "predictions.csv")
    test = stored[stored["split"] == "test"]
    run = RunFolder(tmp_path)
    test.assign(split="train").to_csv(run.predictions, index=False)
    task = make_task(kind="categorical", name="prognosis", classes=("mild", "severe"))
    # 30 patients, every third with two images; the last image has no label, and is the
    # only one of its patient.
    assert training_labels(run, task) == (39, 29)
    other = make_task(kind="regression", name="age")
    assert training_labels(run, other) == (0, 0)


def test_a_run_without_recorded_effort(whole):
    found = read_run(RunFolder(whole / "runs" / "ft-resnet18-s0-cv0"), "test")
    assert found.effort == {} and found.probe is None and found.history is not None


def test_only_tested_data_make_a_benchmark_synthetic():
    facts = {"datasets": {"ward": {"synthetic": False}, "drawn": {"synthetic": True}}}
    joint = {"synthetic": False, **facts}
    assert is_synthetic({}, []) is None
    assert is_synthetic(facts, []) is True
    assert is_synthetic(facts, [], ["drawn"]) is False
    assert is_synthetic(facts, [joint]) is False
    assert is_synthetic(facts, [joint, {"synthetic": True}]) is True
    assert list(datasets_of([{}, facts, joint])) == ["drawn", "ward"]


def test_synthetic_images_by_experiment():
    manifests = {
        "joint-0": {"trained_with_synthetic": {"drawn": 300}},
        "joint-1": {"trained_with_synthetic": {"drawn": 3000, "other": 2}},
        "zones-0": {"trained_with_synthetic": {}},
        "earlier-0": {},
    }
    experiment_of = {name: name.split("-")[0] for name in manifests}
    expected = {"joint": {"drawn": 3000, "other": 2}}
    assert synthetic_images(manifests, experiment_of) == expected
