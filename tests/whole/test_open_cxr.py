"""The main job on real radiographs: prepared, split by patient, trained, evaluated."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mdmt_tf import config, predict
from mdmt_tf.data.sources import open_dataset
from mdmt_tf.datasets._shared import prepare
from mdmt_tf.runs import predictions
from mdmt_tf.serving import evaluation
from mdmt_tf.splits.split import Split
from mdmt_tf.training import trainer

pytestmark = pytest.mark.large


@pytest.fixture(scope="module")
def real_data(shared, tmp_path_factory):
    """DATA with both datasets prepared, 64 pixels a side."""
    folder = tmp_path_factory.mktemp("open_cxr")
    for name in ("hannover", "cohen_brixia"):
        manual_dir = shared / "data" / "open_cxr" / name
        prepare.prepare_dataset(name, manual_dir, folder, config="full_64")
    return folder


@pytest.fixture(scope="module")
def settings(real_data, tiny_backbone, tmp_path_factory):
    return config.load(
        "open_cxr",
        [
            f"data_dir={real_data}",
            f"run_dir={tmp_path_factory.mktemp('runs') / 'run'}",
            "datasets={hannover: {config: full_64}, cohen_brixia: {config: full_64}}",
            f"model.backbone={tiny_backbone}",
            "model.weights=null",
            "image_size=64",
            "training.epochs=2",
            "training.warmup_epochs=0",
        ],
    )


@pytest.fixture(scope="module")
def run(settings):
    return trainer.train(settings)


def test_real_images_are_trained_and_evaluated(run, settings):
    assert run.read_json(run.manifest)["synthetic"] is False
    table = predictions.read(run.predictions)
    # Every image is predicted once: all have a label.
    assert table.groupby("dataset").size().to_dict() == {
        "hannover": 204,
        "cohen_brixia": 143,
    }
    assert table["target"].notna().all()
    assert evaluation.reproduce(run) == []


def test_the_original_files_get_the_probabilities_of_the_run(run, shared, tmp_path):
    films = shared / "data/open_cxr/hannover/png"
    out = tmp_path / "answers.csv"
    assert predict.main([str(run.path), str(films), "--out", str(out)]) == 0
    answers = pd.read_csv(out, keep_default_na=False)
    answers.index = [Path(name).stem for name in answers["file"]]
    table = predictions.read(run.predictions)
    table = table[(table["task"] == "prognosis") & (table["dataset"] == "hannover")]
    table.index = [Path(name).stem for name in table["image_id"]]
    assert len(table) == len(answers) == 204
    for column, raw in (("p_0", "raw_mild"), ("p_1", "raw_severe")):
        received = answers.loc[table.index, f"prognosis_{raw}"]
        np.testing.assert_allclose(received, table[column], rtol=0, atol=1e-5)
    held_out = table.index[table["split"] == "test"]
    assert (answers.loc[held_out, "warnings"] != "").mean() <= 0.05


def test_no_patient_is_in_two_splits_of_any_fold(settings, real_data):
    from mdmt_tf.splits.settings import SplitSettings
    from mdmt_tf.splits.split import make_split

    tables = {
        name: open_dataset(real_data, name, "full_64").table
        for name in ("hannover", "cohen_brixia")
    }
    tested = {name: [] for name in tables}
    for fold in range(5):
        section = settings.split.model_copy(update={"fold": fold})
        split = make_split(tables, settings.build_tasks(), SplitSettings.of(section))
        for name, lists in split.datasets.items():
            patient = dict(
                zip(tables[name]["image_id"], tables[name]["patient_id"], strict=True)
            )
            a, b, c = (
                {patient[image] for image in lists[key]}
                for key in ("train", "validation", "test")
            )
            assert not a & b | a & c | b & c
            tested[name] += lists["test"]
    for name, images in tested.items():
        assert sorted(images) == sorted(tables[name]["image_id"])


def test_the_frozen_split_is_the_one_that_was_used(run):
    split = Split.read(run.split)
    table = predictions.read(run.predictions)
    for name, lists in split.datasets.items():
        for key in ("train", "validation", "test"):
            rows = table[(table["dataset"] == name) & (table["split"] == key)]
            assert sorted(rows["image_id"]) == list(lists[key])


def test_the_doctor_finds_what_is_known_of_these_data(settings):
    """Repeats that the README of the data names, the projection, and the ICU."""
    from mdmt_tf.diagnosis.counts import count_labels
    from mdmt_tf.diagnosis.material import read_material
    from mdmt_tf.diagnosis.prediction import cross_predict, frequencies
    from mdmt_tf.diagnosis.repeats import find_repeats
    from mdmt_tf.diagnosis.targets import targets_of
    from mdmt_tf.diagnosis.timing import find_timing

    material = read_material(settings)
    repeats, _ = find_repeats(material)
    pairs = {frozenset((r.first.image_id, r.second.image_id)): r for r in repeats}
    for known in (
        ("4-x-day1.jpg", "extubation-1.jpg"),
        ("4-x-day8.jpg", "extubation-8.jpg"),
        (
            "E63574A7-4188-4C8D-8D17-9D67A18A1AFA.jpeg",
            "F4341CE7-73C9-45C6-99C8-8567A5484B63.jpeg",
        ),
        ("AR-1.jpg", "AR-2.jpg"),
    ):
        assert pairs[frozenset(known)].kind == "copy"
    # No two patients look alike, and few films of one.
    assert all(repeat.same_patient for repeat in repeats) and len(repeats) <= 12

    (_, target), _ = targets_of(material.tasks, material.tables)
    projection = material.tables["hannover"]["projection"][target.rows]
    found = cross_predict(target, frequencies(projection, target.patients))
    assert round(found.image.accuracy, 3) == 0.907
    assert round(found.image.balanced_accuracy, 3) == 0.853
    assert round(found.patient.accuracy, 3) == 0.828
    assert round(found.patient.balanced_accuracy, 3) == 0.844
    assert found.patient.auc > 0.78

    timing, _ = find_timing(material)
    icu = {one.field: one for one in timing}["icu_admission_offset"]
    assert (icu.after, icu.same, icu.ahead, icu.unknown) == (130, 22, 4, 3)
    _, findings = count_labels(material)
    (dominant,) = [f for f in findings if f.kind == "dominant_patient"]
    assert min(dominant.values["images"]) == 13 and max(dominant.values["images"]) == 22


def test_projection_alone_predicts_the_outcome_of_hannover(real_data):
    """The warning of the README and of configs/open_cxr.yaml, in metrics."""
    table = open_dataset(real_data, "hannover", "full_64").table
    at_the_bedside = np.char.lower(table["projection"].astype(str)) == "ap"
    agreement = pd.Series(at_the_bedside == (table["severe"] == 1)).mean()
    assert round(100 * agreement) == 91
