"""Predictions of files by models that are computed by hand."""

import itertools
import json
import math
import tracemalloc
from pathlib import Path

import cv2
import nibabel
import numpy as np
import pandas as pd
import pytest
from made_series import make_slices, write_slices
from mean_models import Means, films, model

from mdmt_tf.errors import ConfigError, DataWarning
from mdmt_tf.imaging.preprocess import parse
from mdmt_tf.serving import prediction, preparation
from mdmt_tf.statistics.calibration import Calibration


def predicted(models, folder, out):
    counts = prediction.predict_files(models, [str(folder)], out)
    return counts, pd.read_csv(out, keep_default_na=False)


def test_answers_of_all_kinds(tmp_path):
    folder = films(tmp_path / "films", 51, 204)
    counts, table = predicted([model(Means())], folder, tmp_path / "a.csv")
    means = [0.75 * 0.2, 0.75 * 0.8]
    for column, expected in {
        "outcome_raw_severe": means,
        "outcome_probability": means,
        "signs/a_p_yes": means,
        "signs/b_p_no": means,
        "stay": [10 * m for m in means],
    }.items():
        np.testing.assert_allclose(table[column].astype(float), expected, rtol=1e-6)
    assert table["outcome"].tolist() == ["mild", "severe"]
    assert table["signs/b"].tolist() == ["yes", "no"]
    assert "stay_p_" not in " ".join(table)
    assert (counts.files, counts.answered, counts.uncalibrated) == (2, 2, True)
    text = counts.text(1.0, tmp_path / "a.csv", None)
    assert "2 of 2 files answered" in text and "not calibrated" in text


def test_files_of_a_folder_that_are_not_taken_are_counted(tmp_path):
    folder = films(tmp_path / "films", 51)
    film = next(folder.iterdir())
    film.rename(folder / "film")
    (folder / "scan.bmp").write_bytes(b"BM")
    with pytest.warns(DataWarning, match="scan.bmp"):
        counts, table = predicted([model(Means())], folder, tmp_path / "a.csv")
    assert [Path(name).name for name in table["file"]] == ["film"]
    lines = counts.text(1.0, tmp_path / "a.csv", None).splitlines()
    assert lines[0].startswith("1 of 1 file answered")
    assert lines[1] == "1 file left out: 1 .bmp"


def test_calibrated_probabilities_come_first_and_raw_ones_stay(tmp_path):
    """m = 0.75 * 0.4 = 0.3 is mild; calibrated, 0.3^(1/2) = 0.55 is severe."""
    folder = films(tmp_path / "films", 102)
    models = [model(Means(calibrated=True))]
    counts, table = predicted(models, folder, tmp_path / "a.csv")
    assert table["outcome"].tolist() == ["severe"]
    found = table[["outcome_raw_severe", "outcome_p_severe", "signs/a_p_yes"]]
    expected = [0.3, math.sqrt(0.3), math.sqrt(0.3)]
    np.testing.assert_allclose(found.astype(float).iloc[0], expected, rtol=1e-6)
    assert not counts.uncalibrated
    assert "not calibrated" not in counts.text(1.0, tmp_path, None)


def test_a_calibration_that_was_not_fitted_is_said_to_be_none(tmp_path):
    folder = films(tmp_path / "films", 102)
    few = Calibration(prior_ratio=(1.0, 1.0), note="not fitted: 14 images")
    own = model(Means(calibrated=True), calibrations={"outcome": few})
    counts, _ = predicted([own], folder, tmp_path / "a.csv")
    assert "not calibrated" in counts.text(1.0, tmp_path, None)


def test_facts_that_a_dataset_compares_are_no_warnings_of_one_image(tmp_path):
    folder = tmp_path / "films"
    folder.mkdir()
    ramp = np.linspace(0, 900, 4096).astype(np.uint16).reshape(64, 64)
    cv2.imwrite(str(folder / "a.png"), ramp)  # 16 bits, of which it fills 10
    found = []
    (path, done), *_ = preparation.prepare_files(
        [folder / "a.png"], parse("full_8"), warned=lambda *about: found.append(about)
    )
    assert done.image.max() > 0.8 and not found


def test_models_with_other_preprocessing_each_get_their_own(tmp_path, monkeypatch):
    """A file is prepared once for each preprocessing, not for each model."""
    seen = []
    original = preparation.prepare_files

    def spy(paths, kind, **options):
        seen.append(kind.name)
        return original(paths, kind, **options)

    monkeypatch.setattr(prediction, "prepare_files", spy)
    folder = films(tmp_path / "films", 102, 204)
    predictors = [Means(), Means(power=2), Means(power=3)]
    names = ["full_8", "full_4", "full_8"]
    models = [
        model(one, name, digest=str(number))
        for number, (one, name) in enumerate(zip(predictors, names, strict=True))
    ]
    _, table = predicted(models, folder, tmp_path / "a.csv")
    assert seen == ["full_8", "full_4"]
    assert [one.batches for one in predictors] == [
        [(2, 8, 8, 1)],
        [(2, 4, 4, 1)],
        [(2, 8, 8, 1)],
    ]
    m = np.array([0.3, 0.6])
    found = table["outcome_raw_severe"].astype(float)
    np.testing.assert_allclose(found, (m + m**2 + m**3) / 3, rtol=1e-6)
    spread = np.std([m, m**2, m**3], axis=0, ddof=1)
    std = table["outcome_std"].astype(float)
    np.testing.assert_allclose(std, spread, rtol=1e-6)
    assert table["model"].tolist() == ["0+1+2"] * 2


def test_an_answer_that_is_no_number_is_an_error(tmp_path):
    class Broken(Means):
        def predict(self, images):
            answer = super().predict(images)
            answer["stay"][0] = np.nan
            return answer

    folder = films(tmp_path / "films", 102, 204)
    counts, table = predicted([model(Broken())], folder, tmp_path / "a.csv")
    assert counts.answered == 1
    assert "answers stay with no number" in table["error"][0]
    assert table["stay"].tolist()[0] == table["outcome"].tolist()[0] == ""
    assert table["error"][1] == "" and table["outcome"][1] == "severe"


def test_most_models_must_agree_on_a_warning(tmp_path):
    """An image is small for a model whose input is more than twice as large."""
    folder = films(tmp_path / "films", 102)
    small, large = model(Means()), model(Means(), size=(40, 40))
    for models, is_small in (
        ([small, small, large], False),
        ([small, large], True),
        ([large, large, small], True),
    ):
        _, table = predicted(models, folder, tmp_path / "a.csv")
        assert table["warnings"][0].startswith("small") == is_small


def test_files_are_prepared_while_others_are_predicted(tmp_path):
    """Only some are in memory: the first answers come before the last files exist."""
    folder = films(tmp_path / "films", *[100] * 120)
    files = sorted(folder.iterdir())
    for late in files[60:]:
        late.rename(late.with_suffix(".later"))
    stream = prediction.answer_files([model(Means())], files)
    first = [answer for answer, _ in itertools.islice(stream, 16)]
    assert all(not answer.error for answer in first)
    for late in files[60:]:
        late.with_suffix(".later").rename(late)
    rest = [answer for answer, _ in stream]
    assert len(rest) == 104 and not any(answer.error for answer in rest)


def test_memory_does_not_grow_with_the_files(tmp_path):
    count = 300
    folder = films(tmp_path / "films", 100)
    pixels = np.random.default_rng(0).integers(0, 256, (512, 512), np.uint8)
    cv2.imwrite(str(folder / "f000.png"), pixels)
    for number in range(1, count):
        (folder / f"f{number:03d}.png").symlink_to(folder / "f000.png")
    tracemalloc.start()
    counts, _ = predicted([model(Means(), "full_256")], folder, tmp_path / "a.csv")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counts.answered == count
    # A decoded file has 1 MB, and there are 16 prepared ones of 256 kB in a batch; all
    # of them would have 77 MB.
    assert peak < 60e6


def test_volumes_are_predicted(tmp_path):
    """Half of the voxels at the top of the window; and files that show nothing."""
    affine = np.diag([-2.0, -2.0, 5.0, 1.0])
    for name, high in (("a", 100), ("b", 15)):
        hu = np.full((12, 12, 6), 15, np.float32)
        hu[:6] = high
        nibabel.save(nibabel.Nifti1Image(hu, affine), tmp_path / f"{name}.nii.gz")
    (tmp_path / "c.nii").write_bytes(b"none")
    out = tmp_path / "a.json"
    models = [model(Means(), "head_6x12x12", size=(6, 12, 12))]
    counts = prediction.predict_files(models, [str(tmp_path)], out)
    assert (counts.files, counts.answered) == (3, 1)
    found = json.loads(out.read_text())["answers"]
    p = found[0]["tasks"]["outcome"]["raw"]["severe"]
    assert p == pytest.approx(0.5, abs=1e-4)
    assert found[0]["box_source"] == "" and found[0]["warnings"] == {}
    assert "all voxels have the value" in found[1]["error"]
    assert "c.nii" in found[2]["error"]


def test_a_folder_with_a_dicom_series_is_one_file(tmp_path):
    """The mean of half of the voxels at the top of the window of the head, 100 HU."""
    hu = np.full((6, 12, 12), 15)
    hu[:, :6] = 100
    write_slices(tmp_path / "scans" / "ct", make_slices(hu))
    write_slices(
        tmp_path / "scans" / "mr", make_slices(hu, Modality="MR", series="1.9")
    )
    models = [model(Means(), "head_6x12x12", size=(6, 12, 12))]
    counts, table = predicted(models, tmp_path / "scans", tmp_path / "a.csv")
    assert counts.files == 2
    assert [Path(name).name for name in table["file"]] == ["ct", "mr"]
    first, second = table.to_dict("records")
    assert float(first["outcome_raw_severe"]) == pytest.approx(0.5, abs=1e-4)
    assert first["warnings"] == first["error"] == ""
    # A window of Hounsfield units has no meaning for it.
    assert "MR" in second["error"] and second["outcome"] == ""


def test_an_output_that_cannot_be_written_is_an_error(tmp_path):
    folder = films(tmp_path / "films", 100)
    with pytest.raises(ConfigError, match="cannot be written"):
        predicted([model(Means())], folder, tmp_path / "no" / "a.csv")
