"""The files that explain_samples writes."""

import csv
import dataclasses
import errno
from pathlib import Path

import nibabel
import numpy as np
import pytest

from mdmt_tf.errors import DataError
from mdmt_tf.imaging.preprocess import VolumePreprocessing
from mdmt_tf.imaging.volume import Volume, prepare_volume
from mdmt_tf.saliency import files
from mdmt_tf.saliency.files import explain_samples, folder_names
from mdmt_tf.saliency.maps import Explainer, possible_methods
from mdmt_tf.saliency.methods import GRAD_CAM, METHODS
from mdmt_tf.saliency.samples import Geometry, PredictedSamples, Request
from mdmt_tf.tasks import CategoryOfSum, SumOfTasks
from mdmt_tf.tasks.derived import with_derived

# 2 x 3 x 1 mm voxels; axes of the file: left, back, up; prepared: up, back, left.
ORIGINAL = np.array([[-1.0, 0, 0, 30], [0, -3, 0, 20], [0, 0, 2, -10], [0, 0, 0, 1]])
PREPARED = ORIGINAL[:, [2, 1, 0, 3]]


def double(image):
    """One channel in [0, 1] to the two that the network takes."""
    return np.concatenate([image, 1 - image], axis=-1)


def read(folder):
    with (folder / "saliency.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def samples(normal, tasks, spatial):
    images = list(np.clip(0.5 + 0.3 * normal(2, *spatial, 1), 0, 1))
    said = {
        "organ": np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]]),
        "bleed": np.array([[0.2, 0.8], [0.9, 0.1]]),
        "grade": np.array([[0.1, 0.1, 0.8], [0.7, 0.2, 0.1]]),
        "age": np.array([[41.25], [63.0]]),
    }
    labels = {
        "organ": np.array([1, -1]),
        "bleed": np.array([-1, 0]),
        "grade": np.array([1, -1]),
        "age": np.array([40.0, np.nan]),
    }
    return images, ["p1", "p2/é"], said, labels


def test_a_sum_has_a_picture_and_its_category_is_not_drawn_twice(
    point_network, tasks, samples, spatial, tmp_path
):
    images, ids, said, labels = samples
    terms = {"grade": (0, 1, 2), "bleed": (0, 10)}
    both = (
        CategoryOfSum(name="level", terms=terms, cut_points=(5,)),
        SumOfTasks(name="total", terms=terms),
    )
    rows = explain_samples(
        tmp_path,
        Explainer(point_network(spatial), [*tasks, *both]),
        PredictedSamples(
            images=images,
            ids=ids,
            probabilities=with_derived(said, both),
            labels=labels | {one.name: one.labels_from(labels) for one in both},
        ),
        Request(normalize=double, methods=[GRAD_CAM]),
    )
    assert [row.task for row in rows] == [*labels, "level"] * 2
    first, second = (row for row in rows if row.task == "level")
    # 0.1 + 2 * 0.8 + 10 * 0.8 = 9.7; the second has no grade.
    assert (first.predicted, first.class_explained) == (">=5", "higher")
    assert (second.predicted, second.true_class) == ("<5", "")


def test_a_picture_for_each_sample_task_and_method(
    point_network, tasks, samples, spatial, tmp_path
):
    images, ids, said, labels = samples
    model = point_network(spatial)
    steps = []
    rows = explain_samples(
        tmp_path / "new" / "out",
        Explainer(model, tasks),
        PredictedSamples(images=images, ids=ids, probabilities=said, labels=labels),
        Request(normalize=double, methods=METHODS),
        progress=lambda done, total: steps.append((done, total)),
    )
    folder = tmp_path / "new" / "out"
    table = read(folder)
    assert len(rows) == len(table) == 2 * len(tasks) * len(METHODS)
    assert steps == [(0, 2), (1, 2), (2, 2)]
    for row in table:
        assert (folder / row["file"]).read_bytes().startswith(b"\x89PNG")
        assert row["volume"] == row["share_inside"] == row["enrichment"] == ""
    assert table[0]["file"] == "p1/organ-grad_cam.png"
    assert {row["image_id"] for row in table} == set(ids)
    cells = {
        (row["image_id"], row["task"]): [
            row[key]
            for key in ("class_explained", "predicted", "probability", "true_class")
        ]
        for row in table
    }
    assert cells == {
        ("p1", "organ"): ["b", "b", "0.7", "b"],
        ("p1", "bleed"): ["yes", "yes", "0.8", ""],
        ("p1", "grade"): ["higher", ">=2", "0.8", "1 to <2"],
        ("p1", "age"): ["value", "41.25", "", "40"],
        ("p2/é", "organ"): ["a", "a", "0.5", ""],
        ("p2/é", "bleed"): ["no", "no", "0.9", "no"],
        ("p2/é", "grade"): ["higher", "<1", "0.7", ""],
        ("p2/é", "age"): ["value", "63", "", ""],
    }


@pytest.mark.parametrize("spatial", [(3, 4, 5)])
def test_maps_of_volumes_lie_on_the_voxels_of_the_file(
    point_network, tasks, samples, spatial, tmp_path
):
    images, ids, said, labels = samples
    model = point_network(spatial)
    about = Geometry(
        prepared_affine=PREPARED,
        original_affine=ORIGINAL,
        original_shape=spatial[::-1],
    )
    assert about.spacing_mm == (2, 3, 1)
    mask = np.zeros(spatial[::-1])
    mask[1:3, 2:, 1:] = 1
    predicted = PredictedSamples(
        images=images,
        ids=ids,
        probabilities=said,
        geometry=[about, None],
        masks=[mask, None],
        splits=["test", "validation"],
    )
    rows = explain_samples(
        tmp_path,
        Explainer(model, tasks[:1]),
        predicted,
        Request(normalize=double, methods=METHODS, note="SYNTHETIC"),
    )
    explainer = Explainer(model, tasks)
    expected = explainer.maps(double(images[0][None]), "organ", METHODS, 1)
    for row in rows[: len(METHODS)]:
        written = nibabel.load(tmp_path / row.volume)
        np.testing.assert_array_equal(written.affine, ORIGINAL)
        found = written.get_fdata()
        turned = expected[row.method][0].transpose(2, 1, 0)
        np.testing.assert_allclose(found, turned, atol=1e-6 * np.abs(turned).max())
        positive = np.maximum(turned, 0)
        inside = positive[mask > 0].sum() / positive.sum()
        assert row.share_inside == pytest.approx(inside, rel=1e-4)
        region = files.tissue(images[0][..., 0]).transpose(2, 1, 0)
        share = (region & (mask > 0)).sum() / region.sum()
        assert row.lesion_share == pytest.approx(share)
        assert row.enrichment == pytest.approx(inside / share, rel=1e-4)
    for row in rows[len(METHODS) :]:
        assert row.volume == "" and row.share_inside is None
    table = read(tmp_path)
    splits = {row["image_id"]: row["split"] for row in table}
    assert splits == dict(zip(ids, ("test", "validation"), strict=True))
    assert table[0]["share_inside"] == f"{rows[0].share_inside:.6g}"


def test_masks_of_images_lie_on_the_image(point_network, tasks, normal, tmp_path):
    image = np.full((4, 6, 1), 0.5, "float32") + 0.2 * normal(4, 6, 1)
    mask = np.arange(24).reshape(4, 6) < 12
    predicted = PredictedSamples(
        images=[image],
        ids=["x"],
        probabilities={"organ": np.array([[0.7, 0.2, 0.1]])},
        masks=[mask],
    )
    rows = explain_samples(
        tmp_path,
        Explainer(point_network((4, 6)), tasks[:1]),
        predicted,
        Request(normalize=double, methods=["grad_cam"]),
    )
    assert rows[0].lesion_share == 0.5
    # An empty map has no share anywhere.
    assert np.isnan(rows[0].share_inside) or 0 <= rows[0].share_inside <= 1


def test_maps_that_are_zero_are_named(point_network, tasks, normal, tmp_path):
    image = np.clip(0.5 + 0.3 * normal(4, 6, 1), 0, 1)
    model = point_network((4, 6))
    # Nothing that the backbone finds matters to this task.
    for layer in model.layers:
        if layer.name == tasks[0].name:
            layer.set_weights([np.zeros_like(value) for value in layer.get_weights()])
    predicted = PredictedSamples(
        images=[image, image],
        ids=["film a", f"film-{'b' * 40}"],
        probabilities={"organ": np.array([[0.7, 0.2, 0.1]] * 2)},
    )
    rows = explain_samples(
        tmp_path,
        Explainer(model, tasks[:1]),
        predicted,
        Request(normalize=double, methods=["grad_cam", "guided_backpropagation"]),
    )
    assert [row.is_zero for row in rows] == [True] * 4
    text = files.zero_text(rows)
    assert text.startswith("Grad-CAM: 2 of 2 maps (film a organ,")
    assert f"film-{'b' * 40} organ). The" in text.replace("\n", " ")
    assert "\nguided backpropagation: 2 of 2 maps" in text
    assert max(map(len, text.splitlines())) <= 80
    with (tmp_path / "saliency.csv").open() as file:
        assert {row["is_zero"] for row in csv.DictReader(file)} == {"True"}
    assert files.zero_text([dataclasses.replace(rows[0], is_zero=False)]) == ""


def test_without_relus_there_is_grad_cam_alone(point_network, tasks, normal, tmp_path):
    import keras

    model = point_network(
        (4, 6), activation=lambda name: keras.layers.Activation("silu", name=name)
    )
    image = np.clip(normal(4, 6, 1), 0, 1)
    predicted = PredictedSamples(
        images=[image], ids=["x"], probabilities={"age": np.array([[3.0]])}
    )
    rows = explain_samples(
        tmp_path,
        Explainer(model, tasks[3:]),
        predicted,
        Request(normalize=double, methods=possible_methods(model)),
    )
    assert [row.method for row in rows] == ["grad_cam"]


def test_names_of_folders_are_safe_and_all_different():
    plain = ["p-1", "A_2.x", "0", "x" * 80]
    assert folder_names(plain) == plain
    strange = [
        *("a/b", "a_b", "a\\b", "a b", "../a", "..", ".", "", ".hidden", "é", "e/"),
        *("x" * 81, "x" * 82, "end.", "same", "Same", "a:b", "nul\0"),
    ]
    # An id that is the name of another one.
    strange.append(folder_names(["a/b"])[0])
    names = folder_names(strange)
    assert len({name.casefold() for name in names}) == len(strange)
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
    for name in names:
        assert name and set(name) <= allowed and len(name) <= 80
        assert not name.startswith(".") and not name.endswith(".")
    # What an id becomes does not depend on the others.
    assert folder_names(["a/b"])[0] == names[0]
    with pytest.raises(ValueError, match="all different.*'x'"):
        folder_names(["x", "y", "x"])


def test_bone_and_air_are_no_tissue():
    np.testing.assert_array_equal(
        files.tissue(np.array([0.0, 0.2, 0.99, 1.0])), [False, True, True, False]
    )


@pytest.mark.parametrize(
    "orientation, left", [("SPL", "R"), ("SPR", "L"), ("RSA", "P"), ("LAS", "I")]
)
def test_the_left_side_of_a_slice_is_that_of_the_patient(orientation, left):
    original = Volume(np.ones((5, 6, 7), np.float32), np.eye(4), (1, 1, 1))
    recipe = VolumePreprocessing((4, 4, 4), (0, 80), orientation=orientation)
    prepared = prepare_volume(original, recipe)
    about = Geometry(
        prepared_affine=prepared.affine,
        original_affine=prepared.original_affine,
        original_shape=prepared.original_shape,
    )
    assert about.left == left


@pytest.mark.parametrize("spatial", [(4, 6)])
@pytest.mark.parametrize("name", ["saliency.csv", "p1/organ-grad_cam.png"])
def test_an_interrupted_write_leaves_the_earlier_file(
    name, point_network, tasks, samples, spatial, tmp_path, monkeypatch
):
    images, ids, said, labels = samples

    def explain():
        explain_samples(
            tmp_path,
            Explainer(point_network(spatial), tasks[:1]),
            PredictedSamples(images=images, ids=ids, probabilities=said),
            Request(normalize=double, methods=[GRAD_CAM]),
        )

    explain()
    before = (tmp_path / name).read_bytes()
    write = Path.write_bytes

    def half(path, data):
        if Path(name).name in path.name:
            write(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(DataError, match=f"{name}: cannot be written: No space left"):
        explain()
    assert (tmp_path / name).read_bytes() == before
    assert not list(tmp_path.rglob(".*"))
