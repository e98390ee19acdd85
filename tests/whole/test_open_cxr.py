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


def test_projection_alone_predicts_the_outcome_of_hannover(real_data):
    """The warning of the README and of configs/open_cxr.yaml, in metrics."""
    table = open_dataset(real_data, "hannover", "full_64").table
    at_the_bedside = np.char.lower(table["projection"].astype(str)) == "ap"
    agreement = pd.Series(at_the_bedside == (table["severe"] == 1)).mean()
    assert round(100 * agreement) == 91
