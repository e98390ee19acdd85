"""The command on DICOM phantoms, with runs that were trained on them."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import nibabel
import numpy as np
import pandas as pd
import pytest

from mdmt_tf import config, predict
from mdmt_tf.config import files
from mdmt_tf.data import embedded
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.statistics import calibration
from mdmt_tf.training import trainer

PREPROCESSING = "lungs_64"


@pytest.fixture(scope="module")
def train(tiny_backbone, tmp_path_factory):
    """A function that trains a run on phantoms, and returns it."""
    folder = tmp_path_factory.mktemp("phantoms")
    phantoms = {"aiforcovid_patients": 24, "brixia_patients": 0, "matrix": 128}
    prognosis = {
        "kind": "categorical",
        "classes": ["mild", "severe"],
        "from": {"aiforcovid": "prognosis"},
    }
    values = {
        "experiment": "small",
        "image_size": 48,
        "data_dir": str(folder),
        "phantoms": phantoms,
        "tasks": {"prognosis": prognosis},
        "datasets": {"aiforcovid": {"config": PREPROCESSING}},
        "split": {"folds": 3},
        "model": {"backbone": tiny_backbone},
        "training": {
            "epochs": 1,
            "batch_size": 8,
            "warmup_epochs": 0,
            "tensorboard": False,
            "select_on": {"task": "prognosis"},
        },
    }
    files.write(values, folder / "settings.yaml")

    def fit(name, *overrides):
        path, run_dir = str(folder / "settings.yaml"), folder / name
        settings = config.load(path, [f"run_dir={run_dir}", *overrides])
        return trainer.train(embedded.provide(settings, lambda text: None))

    return fit


@pytest.fixture(scope="module")
def run(train):
    return train("first")


@pytest.fixture(scope="module")
def second(train):
    """Another seed, and no SavedModel."""
    return train("second", "seed=1", "training.saved_model=false")


@pytest.fixture(scope="module")
def originals(run):
    """The folder of the DICOM files."""
    return run.path.parent / "originals" / "AIforCOVID"


@pytest.fixture(scope="module")
def answers_of(originals, tmp_path_factory):
    """A function from runs to the table of answers to all DICOM files."""
    known = {}

    def answers(*runs):
        if runs not in known:
            out = tmp_path_factory.mktemp("answers") / "answers.csv"
            paths = [str(run.path) for run in runs]
            assert predict.main([*paths, str(originals), "--out", str(out)]) == 0
            known[runs] = read(out)
        return known[runs]

    return answers


def read(path):
    table = pd.read_csv(path, keep_default_na=False, na_values={})
    return table.set_index(table["file"].map(lambda name: Path(name).stem))


def own_predictions(run):
    """p_0 and p_1 of `predictions.csv` by image."""
    table = predictions.read(run.predictions)
    return table.set_index("image_id")[["p_0", "p_1"]].astype(float)


def raw(table):
    return table[["prognosis_raw_mild", "prognosis_raw_severe"]].astype(float)


@pytest.mark.parametrize("name", ["run", "second"])
def test_dicom_files_get_the_probabilities_of_the_run(name, request, answers_of):
    """With the SavedModel, and with the weights alone."""
    one = request.getfixturevalue(name)
    expected = own_predictions(one)
    table = answers_of(one)
    assert set(expected.index) <= set(table.index) and len(expected) >= 24
    received = raw(table.loc[expected.index])
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-5)
    own = calibration.read(one)["prognosis"]
    calibrated = table.loc[expected.index, ["prognosis_p_mild", "prognosis_p_severe"]]
    np.testing.assert_allclose(
        calibrated.astype(float), own.apply(expected.to_numpy()), rtol=0, atol=1e-5
    )
    assert set(table["error"]) == {""} and set(table["prognosis_std"]) == {""}
    severe = table["prognosis_p_severe"].astype(float)
    assert (severe == table["prognosis_probability"].astype(float)).all()
    assert (table["prognosis"] == np.where(severe > 0.5, "severe", "mild")).all()
    assert table["model"].str.fullmatch("sha256:[0-9a-f]{12}").all()


def test_several_runs_answer_with_mean_and_std(run, second, answers_of):
    table = answers_of(run, second)
    a, b = (own_predictions(one).loc[:, "p_1"] for one in (run, second))
    chosen = table.loc[a.index]
    mean = chosen["prognosis_raw_severe"].astype(float)
    np.testing.assert_allclose(mean, (a + b) / 2, rtol=0, atol=1e-5)
    digests = [answers_of(one)["model"].iloc[0] for one in (run, second)]
    assert set(table["model"]) == {"+".join(digests)} and len(set(digests)) == 2
    p = [answers_of(one)["prognosis_p_severe"].astype(float) for one in (run, second)]
    std = abs(p[0] - p[1]) / 2**0.5  # with n - 1 in the denominator
    received = table["prognosis_std"].astype(float)
    np.testing.assert_allclose(received, std, rtol=0, atol=1e-6)


def test_few_training_images_have_a_warning(run, answers_of):
    table = answers_of(run).loc[own_predictions(run).index]
    # The films of a dozen devices are unlike each other, and few of them were trained.
    assert (table["warnings"] != "").mean() <= 0.15
    assert set(table["box_source"]) == {"lungs"}


def test_a_bad_file_is_a_row(run, originals, tmp_path):
    """In its place; the others are answered. The ids are safe in a spreadsheet."""
    films = tmp_path / "films"
    films.mkdir()
    good = sorted(originals.glob("imgs/*"))[0]
    shutil.copy(good, films / f"b{good.suffix}")
    (films / "a.dcm").write_bytes(good.read_bytes()[:3000])
    (films / "c.png").write_bytes(b"")
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8)
    cv2.imwrite(str(films / "d.png"), noise)
    faint = np.full((20, 20), 40, np.uint8)
    faint[3:9] += 8  # hardly anything is visible
    cv2.imwrite(str(films / "e.png"), faint)
    cv2.imwrite(str(films / "f.png"), np.zeros((20, 20), np.uint8))
    out = tmp_path / "answers.csv"
    arguments = [str(films), str(run.path / "saved_model"), "--out", str(out)]
    assert predict.main(arguments) == 0
    rows = list(csv.DictReader(out.open(encoding="utf-8", newline="")))
    assert [Path(row["file"]).name[0] for row in rows] == list("abcdef")
    assert "".join(Path(row["file"]).name[0] for row in rows if row["error"]) == "acf"
    for row in rows:
        has_answer = row["prognosis"] in ("mild", "severe")
        assert has_answer != bool(row["error"])
        assert (row["prognosis_p_mild"] == "") == bool(row["error"])
    assert "a.dcm" in rows[0]["error"] and "is empty" in rows[2]["error"]
    codes = [[w.partition(":")[0] for w in row["warnings"].split("; ")] for row in rows]
    assert "unlike" in codes[3]
    assert "small" in codes[4]
    assert "something is visible" in rows[5]["error"]
    with pytest.raises(ConfigError, match="exists and is not overwritten"):
        predict.main(arguments)
    text = out.read_bytes()
    assert predict.main([*arguments, "--overwrite"]) == 0
    assert out.read_bytes() == text


def test_json_and_maps(run, second, originals, tmp_path, capsys):
    film = str(sorted(originals.glob("imgs/*"))[0])
    (tmp_path / "empty.png").write_bytes(b"")
    out, maps = tmp_path / "answers.json", tmp_path / "maps"
    given = [film, str(tmp_path / "empty.png"), str(run.path), str(second.path)]
    assert predict.main([*given, "--out", str(out), "--saliency", str(maps)]) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    assert [model["path"] for model in found["models"]] == given[2:]
    assert [model["preprocessing"] for model in found["models"]] == [PREPROCESSING] * 2
    answer, error = found["answers"]
    assert answer["file"] == film and "is empty" in error["error"]
    task = answer["tasks"]["prognosis"]
    assert task["probability"] == task["calibrated"]["severe"]
    assert sum(task["raw"].values()) == pytest.approx(1)
    assert task["std"] > 0 and not error["tasks"]
    for number in (1, 2):
        table = pd.read_csv(maps / f"model_{number}" / "saliency.csv")
        assert set(table["image_id"]) == {Path(film).stem}
        for file in table["file"]:
            assert cv2.imread(str(maps / f"model_{number}" / file)) is not None
    again = [*given[:-1], "--out", str(out), "--saliency", str(maps), "--overwrite"]
    assert predict.main(again) == 0  # one model, whose maps replace those of two
    table = pd.read_csv(maps / "saliency.csv")
    assert {*maps.rglob("*.png")} == {maps / file for file in table["file"]}
    assert not list(maps.glob("model_*"))
    text = capsys.readouterr().out
    assert "1 of 2 files answered" in text and "1 with an error" in text
    assert "SYNTHETIC" in text


def test_only_bad_files_are_status_1(run, tmp_path):
    (tmp_path / "x.png").write_bytes(b"no picture")
    out = tmp_path / "answers.json"
    given = [str(run.path), str(tmp_path / "x.png"), "--out", str(out)]
    assert predict.main(given) == 1
    (answer,) = json.loads(out.read_text())["answers"]
    assert "x.png" in answer["error"] and answer["tasks"] == {}


def test_nothing_to_do_is_an_error(run, originals, tmp_path):
    out = ["--out", str(tmp_path / "answers.csv")]
    films = str(originals)
    with pytest.raises(ConfigError, match="no model: expected the folder"):
        predict.main([films, *out])
    with pytest.raises(ConfigError, match="nothing to predict"):
        predict.main([str(run.path), *out])
    with pytest.raises(ConfigError, match=r"ends in \.csv or \.json"):
        predict.main([str(run.path), films, "--out", str(tmp_path / "a.xlsx")])
    with pytest.raises(ConfigError, match="the folder .* does not exist"):
        predict.main([str(run.path), films, "--out", str(tmp_path / "no/a.csv")])
    with pytest.raises(DataError, match="no such file or folder"):
        predict.main([str(run.path), str(tmp_path / "typo"), *out])
    with pytest.raises(ConfigError, match="--preprocessing full_64: expected one of"):
        predict.main([str(run.path), films, *out, "--preprocessing", "full_64"])
    (maps := tmp_path / "maps").mkdir()
    (maps / "mine.png").touch()
    with pytest.raises(ConfigError, match="--saliency .*expected an empty folder"):
        predict.main([str(run.path), films, *out, "--saliency", str(maps)])
    shutil.rmtree(maps)
    saved = str(run.saved_model)
    with pytest.raises(ConfigError, match="Maps need the folder of the run"):
        predict.main([saved, films, *out, "--saliency", str(tmp_path / "maps")])
    assert not list(tmp_path.iterdir())


def test_an_unfinished_run_is_an_error(run, originals, tmp_path):
    copy = RunFolder(tmp_path / "run")
    copy.path.mkdir()
    for name in ("config.yaml", "split.json", "manifest.json"):
        shutil.copy(run.path / name, copy.path)
    out = str(tmp_path / "answers.csv")
    with pytest.raises(DataError, match="the run is not finished"):
        predict.main([str(copy.path), str(originals), "--out", out])


@pytest.mark.large
def test_head_cts_get_the_probabilities_of_the_run(tiny_volume_backbone, tmp_path):
    """All three tasks, from the NIfTI files of the phantoms."""
    overrides = [
        "phantoms.ich_csic_patients=20",
        "phantoms.head_matrix=48",
        "phantoms.lesion_masks=false",
        f"model.backbone={tiny_volume_backbone}",
        "training.epochs=1",
        "training.saliency=0",
        "training.tensorboard=false",
        "training.warmup_epochs=0",
        f"run_dir={tmp_path / 'run'}",
    ]
    settings = config.load("ich_phantom", [f"data_dir={tmp_path / 'data'}", *overrides])
    run = trainer.train(embedded.provide(settings, lambda text: None))
    scans = tmp_path / "data" / "originals" / "ICH_CSIC"
    out, maps = tmp_path / "answers.csv", tmp_path / "maps"
    given = [str(run.path), str(scans), "--out", str(out)]
    assert predict.main(given) == 0
    answers = pd.read_csv(out, keep_default_na=False)
    answers.index = [name.removesuffix("_brain.nii.gz") for name in answers["file"]]
    answers.index = [Path(name).name for name in answers.index]
    assert set(answers["error"]) == {""}
    table = predictions.read(run.predictions)
    for task in run_tasks(run):
        rows = table[table["task"] == task.name].set_index("image_id")
        for column, name in zip(
            task.probability_columns, task.class_names, strict=True
        ):
            received = answers.loc[rows.index, f"{task.name}_raw_{name}"]
            np.testing.assert_allclose(received, rows[column], rtol=0, atol=1e-5)
    # Maps lie on the voxels of the original.
    scan = sorted(scans.rglob("*.nii.gz"))[0]
    given = [str(run.path), str(scan), "--out", str(out), "--overwrite"]
    assert predict.main([*given, "--saliency", str(maps)]) == 0
    volumes = pd.read_csv(maps / "saliency.csv")["volume"]
    original = nibabel.load(scan)
    for name in volumes:
        image = nibabel.load(maps / name)
        assert image.shape == original.shape
        np.testing.assert_allclose(image.affine, original.affine, atol=1e-4)
    assert len(volumes) >= 3


def run_tasks(run):
    return config.load(str(run.config), [f"data_dir={run.path}"]).build_tasks()
