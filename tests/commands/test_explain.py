"""The command on a small run of images and on one of volumes."""

import sys
import types

import nibabel
import numpy as np
import pandas as pd
import pytest
import tensorflow_datasets as tfds

from mdmt_tf import config, explain
from mdmt_tf.config import files
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.imaging.volume import Volume, prepare_volume, write_nifti
from mdmt_tf.models.backbones import blocks, table
from mdmt_tf.saliency import choice
from mdmt_tf.training import trainer

TRAINING = {
    "epochs": 1,
    "batch_size": 8,
    "warmup_epochs": 0,
    "saved_model": False,
    "tensorboard": False,
}
FORM = "head_8x32x32"
AFFINE = np.array(
    [[-2.0, 0, 0, 40], [0, 2, 0, -50], [0, 0, 5, -20], [0, 0, 0, 1]], np.float64
)


@pytest.fixture(scope="module")
def tiny_3d():
    """A backbone for volumes that is traced in a second; returns its name."""

    def build(images, options):
        make = blocks.Blocks(blocks.he_normal_fan_out, options)
        return make.relu(make.conv(images, 4, 3, "conv", stride=2), "relu")

    module = types.ModuleType("mdmt_tf.models.backbones.tiny_3d")
    module.tiny_3d = build
    row = table.Backbone(
        *("tiny_3d", "tiny_3d:tiny_3d"),
        feature_dim=4,
        parameters=27 * 4,
        stem=("conv",),
        weights=None,
        dimensions=3,
        expects=((0.0,), (1.0,)),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        patch.setitem(table.BACKBONES, "tiny_3d", row)
        yield "tiny_3d"


def fit(folder, values):
    path = folder / "settings.yaml"
    files.write(values | {"run_dir": str(folder / "run")}, path)
    return trainer.train(config.load(str(path)))


@pytest.fixture(scope="module")
def run(tiny_backbone, data_dir, tmp_path_factory):
    """Of images; two tasks, from two datasets."""
    grade = {"kind": "ordinal", "cut_points": [1, 2, 3], "from": {"beta": "grade"}}
    outcome = {
        "kind": "categorical",
        "classes": ["mild", "severe"],
        "from": {"alpha": "outcome"},
    }
    return fit(
        tmp_path_factory.mktemp("images"),
        {
            "experiment": "small",
            "image_size": 32,
            "data_dir": str(data_dir),
            "tasks": {"outcome": outcome, "grade": grade},
            "datasets": {name: {"config": "full_256"} for name in ("alpha", "beta")},
            "split": {"folds": 3},
            "model": {"backbone": tiny_backbone},
            "training": TRAINING | {"select_on": {"task": "outcome"}},
        },
    )


def head(number):
    """A CT of a ball of 30 HU with a brighter spot."""
    shape = (20, 24, 10)
    z, y, x = np.indices(shape).astype(float)
    distance = ((z - 10) / 8) ** 2 + ((y - 12) / 10) ** 2 + ((x - 5) / 4.5) ** 2
    hu = np.where(distance < 1, 30.0, -1000.0)
    hu[8:12, 8 + number % 5 : 12 + number % 5, 4:7] = 70
    return Volume(hu.astype(np.float32), AFFINE, (2.0, 2.0, 5.0))


@pytest.fixture(scope="module")
def volume_run(tiny_3d, prepare, tmp_path_factory):
    examples = []
    for number in range(12):
        prepared = prepare_volume(head(number), FORM)
        examples.append(
            {
                "volume": prepared.pixels,
                "image_id": f"ct/{number:02d}",
                "patient_id": f"p{number:02d}",
                "site": "A",
                "affine": prepared.affine.ravel(),
                "original_affine": prepared.original_affine.ravel(),
                "original_shape": np.array(prepared.original_shape, np.int32),
                "dead": number % 2,
            }
        )
    vector = tfds.features.Tensor(shape=(16,), dtype=np.float64)
    features = {
        "volume": tfds.features.Tensor(shape=(8, 32, 32, 1), dtype=np.int16),
        **{name: tfds.features.Text() for name in ("image_id", "patient_id", "site")},
        "affine": vector,
        "original_affine": vector,
        "original_shape": tfds.features.Tensor(shape=(3,), dtype=np.int32),
        "dead": tfds.features.Scalar(np.int64),
    }
    death = {"kind": "binary", "classes": ["no", "yes"], "from": {"heads": "dead"}}
    folder = tmp_path_factory.mktemp("volumes")
    prepare(
        *(folder, "heads", examples),
        features=features,
        config=FORM,
        metadata={"synthetic": True},
    )
    return fit(
        folder,
        {
            "experiment": "heads",
            "image_size": [8, 32, 32],
            "data_dir": str(folder),
            "tasks": {"death": death},
            "datasets": {"heads": {"config": FORM}},
            "split": {"folds": 3},
            "pipeline": {"augmentation": None},
            "model": {"backbone": tiny_3d},
            "training": TRAINING | {"batch_size": 4, "select_on": {"task": "death"}},
        },
    )


def test_images_of_the_test_split(run, capsys):
    assert explain.main([str(run.path), "--most", "2", "--sanity"]) == 0
    folder = run.path / "saliency"
    rows = pd.read_csv(folder / "saliency.csv", keep_default_na=False)
    assert len(rows) == 2 * 2 * 3
    for file in rows["file"]:
        assert (folder / file).is_file()
    # Probabilities and truth are those of the run, which has those of fed tasks.
    stored = pd.read_csv(run.predictions, keep_default_na=False)
    stored = stored.set_index(["image_id", "task"])
    names = {
        "outcome": ("mild", "severe"),
        "grade": ("<1", "1 to <2", "2 to <3", ">=3"),
    }
    compared = set()
    for row in rows.itertuples():
        if (row.image_id, row.task) in stored.index:
            expected = stored.loc[row.image_id, row.task]
            predicted = int(expected["prediction"])
            assert row.predicted == names[row.task][predicted]
            probability = float(expected[f"p_{predicted}"])
            assert float(row.probability) == pytest.approx(probability, abs=1e-5)
            truth = expected["target"]
            assert row.true_class == (
                "" if truth == "" else names[row.task][int(truth)]
            )
            compared.add(row.task)
    assert compared == set(names)
    sanity = pd.read_csv(folder / "sanity.csv", keep_default_na=False)
    assert set(sanity["task"]) == {"outcome", "grade"}
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80 + len(str(folder))
    assert "SYNTHETIC" in printed and "12 maps of 2 images" in printed
    assert "random weights" in printed


def test_images_tasks_and_methods_that_are_named(run, tmp_path):
    options = ["--images", "b03,a07", "--tasks", "grade", "--methods", "grad_cam"]
    explain.main([str(run.path), *options, "--out", str(tmp_path / "out")])
    rows = pd.read_csv(tmp_path / "out" / "saliency.csv")
    assert rows["file"].tolist() == [
        "b03/grade-grad_cam.png",
        "a07/grade-grad_cam.png",
    ]
    with pytest.raises(DataError, match="no image 'b033'.* Did you mean 'b03"):
        explain.main([str(run.path), "--images", "b033"])
    with pytest.raises(ConfigError, match="'grades' is not a task or derived"):
        explain.main([str(run.path), "--tasks", "grades"])


def test_a_radiograph_that_is_not_part_of_the_data(run, tmp_path):
    import cv2

    path = tmp_path / "own.film.png"
    cv2.imwrite(str(path), np.tile(np.arange(90, dtype=np.uint8), (70, 1)))
    out = tmp_path / "out"
    explain.main([str(run.path), str(path), "--out", str(out), "--data-dir", "gone"])
    rows = pd.read_csv(out / "saliency.csv", keep_default_na=False)
    assert set(rows["image_id"]) == {"own.film"} and len(rows) == 6
    assert set(rows["true_class"]) == {""}


def test_folders_and_patterns_of_radiographs(run, tmp_path):
    import cv2

    for name in ("films/b/one.png", "films/a/one.png", "films/two.png", "more/x.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.tile(np.arange(90, dtype=np.uint8), (70, 1)))
    (tmp_path / "films" / "notes.txt").write_text("not an image")
    given = [str(tmp_path / "films"), str(tmp_path / "m*" / "*.png")]
    options = ["--tasks", "grade", "--methods", "grad_cam"]
    explain.main([str(run.path), *given, *options, "--out", str(tmp_path / "out")])
    rows = pd.read_csv(tmp_path / "out" / "saliency.csv")
    # Names that several files have are paths.
    ones = [str(tmp_path / "films" / folder / "one.png") for folder in "ab"]
    assert rows["image_id"].tolist() == [*ones, "two", "x"]


def test_folders_without_images_and_unreadable_files_are_named(run, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "films").mkdir()
    for name, message in (
        ("films", r"films: expected image files .*\.png.* Received: an empty folder"),
        ("none", "none: no such file or folder"),
        ("*.tif", r"/\*\.tif: no file or folder matches"),
    ):
        with pytest.raises(DataError, match=message):
            explain.main([str(run.path), str(tmp_path / name), "--out", str(out)])
    (tmp_path / "films" / "broken.png").write_text("not an image")
    with pytest.raises(DataError, match=r"films/broken\.png: expected a DICOM, PNG"):
        explain.main([str(run.path), str(tmp_path / "films"), "--out", str(out)])
    assert not out.exists()


def test_volumes_with_masks(volume_run, tmp_path, capsys):
    masks = tmp_path / "masks"
    for number in range(12):
        name = masks / "ct" / f"{number:02d}_lesion.nii.gz"
        name.parent.mkdir(parents=True, exist_ok=True)
        lesion = (head(number).values == 70).astype(np.uint8)
        write_nifti(name, lesion, AFFINE)
    options = ["--most", "2", "--masks", str(masks)]
    explain.main([str(volume_run.path), *options])
    folder = volume_run.path / "saliency"
    rows = pd.read_csv(folder / "saliency.csv", keep_default_na=False)
    assert len(rows) == 2 * 3
    for _, row in rows.iterrows():
        written = nibabel.load(folder / row["volume"])
        assert written.shape == (20, 24, 10)
        np.testing.assert_allclose(written.affine, AFFINE)
        # 4 x 4 x 3 voxels of a ball of 4/3 pi 8 x 10 x 4.5.
        assert float(row["lesion_share"]) == pytest.approx(48 / 1508, rel=0.35)
        if row["share_inside"]:
            ratio = float(row["share_inside"]) / float(row["lesion_share"])
            assert float(row["enrichment"]) == pytest.approx(ratio, rel=1e-3)
    assert "enrichment" in capsys.readouterr().out


def test_a_ct_that_is_not_part_of_the_data(volume_run, tmp_path):
    path = tmp_path / "cts" / "scan.nii.gz"
    path.parent.mkdir()
    write_nifti(path, head(3).values, AFFINE)
    (path.parent / "report.png").touch()
    given = str(path.parent)
    explain.main([str(volume_run.path), given, "--out", str(tmp_path / "out")])
    rows = pd.read_csv(tmp_path / "out" / "saliency.csv", keep_default_na=False)
    assert set(rows["image_id"]) == {"scan"}
    # The same CT as one of the data: the same answer.
    explain.main([str(volume_run.path), "--images", "ct/03"])
    own = pd.read_csv(volume_run.path / "saliency" / "saliency.csv")
    np.testing.assert_allclose(rows["probability"], own["probability"], atol=1e-5)


def test_masks_must_fit_their_volumes(volume_run, tmp_path):
    arguments = [str(volume_run.path), "--images", "ct/03", "--masks", str(tmp_path)]
    with pytest.raises(DataError, match="expected masks of volumes.*none for ct/03"):
        explain.main(arguments)
    (tmp_path / "ct").mkdir()
    path = tmp_path / "ct" / "03_lesion.nii.gz"
    lesion = np.zeros((20, 24, 10), np.uint8)
    lesion[8:12, 8:12] = 1
    for array, affine in (
        (lesion[..., :9], AFFINE),
        (lesion, AFFINE @ np.diag([-1, 1, 1, 1])),
    ):
        write_nifti(path, array, affine)
        with pytest.raises(DataError, match="on the voxels of the CT"):
            explain.main(arguments)


def test_a_run_with_two_preprocessings_asks_which_one_files_take(run):
    settings = config.load(
        str(run.config), ["datasets.alpha.config=full_256", "datasets.beta.config=x_1"]
    )
    with pytest.raises(ConfigError, match=r"full_256, x_1.*--preprocessing"):
        choice.of_files(settings, ["x.png"])
    with pytest.raises(ConfigError, match="preprocessing of the files: expected lungs"):
        choice.of_files(settings, ["x.png"], "x_1")
