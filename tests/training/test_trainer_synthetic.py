"""Real images with synthetic ones beside them, which are for training alone."""

import functools

import numpy as np
import pytest
import yaml

from mdmt_tf import config
from mdmt_tf.data import profile
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.weights import lineage, pretrained
from mdmt_tf.runs.manifest import build_manifest, data_note
from mdmt_tf.serving import ensemble, evaluation
from mdmt_tf.serving.predictor import ServedModel
from mdmt_tf.splits.auxiliary import split_of_rows
from mdmt_tf.training import description, inputs, start, trainer

NOTE = "beta; trained with 36 synthetic images (drawn); tested on real images"
BARE = ("training.tensorboard=false", "training.saved_model=false")
SETTINGS = {
    "experiment": "joint",
    "image_size": 32,
    "tasks": {
        "grade": {
            "kind": "ordinal",
            "cut_points": [1, 2, 3],
            "from": {"beta": "grade", "drawn": "grade"},
        },
    },
    "datasets": {
        "beta": {"config": "full_256"},
        "drawn": {"config": "full_256", "auxiliary": True},
    },
    "split": {"folds": 3},
    "model": {"backbone": "tiny"},
    "pipeline": {"sampling": "balanced"},
    "training": {
        "epochs": 2,
        "batch_size": 16,
        "warmup_epochs": 0,
        "select_on": {"task": "grade"},
    },
}


@pytest.fixture(scope="module")
def drawn(prepare, stored_pixels, tmp_path_factory):
    """`drawn(poison)`: folder of 40 synthetic images; labels of some splits wrong."""

    @functools.cache
    def drawn(poison=()):
        ids = [f"d{number:02d}" for number in range(40)]
        of_row = split_of_rows("drawn", {"patient_id": np.array(ids)})
        examples = [
            {
                "image": stored_pixels(image_id),
                **dict.fromkeys(("image_id", "patient_id"), image_id),
                "site": "CR",
                "grade": (number + (split in poison)) % 4,
            }
            for number, (image_id, split) in enumerate(zip(ids, of_row, strict=True))
        ]
        folder = tmp_path_factory.mktemp("drawn")
        prepare(folder, "drawn", examples, metadata={"synthetic": True})
        return folder

    return drawn


@pytest.fixture(scope="module")
def settings(tiny_backbone, data_dir, drawn, tmp_path_factory):
    """`settings(*overrides, poison=())`: with a run folder of their own."""

    def settings(*overrides, poison=()):
        folder = tmp_path_factory.mktemp("settings")
        path = folder / "settings.yaml"
        path.write_text(yaml.safe_dump(SETTINGS | {"data_dir": str(data_dir)}))
        place = f"datasets.drawn.data_dir={drawn(poison)}"
        return config.load(str(path), [f"run_dir={folder / 'run'}", place, *overrides])

    return settings


@pytest.fixture(scope="module")
def run(settings):
    """A finished run that no test may change."""
    return trainer.train(settings(*BARE))


def test_training_images_are_counted_and_metrics_are_of_real_ones(run):
    manifest = run.read_json(run.manifest)
    assert manifest["synthetic"] is False
    assert manifest["synthetic_datasets"] == ["drawn"]
    # 5 % of 40 patients each are for validation and test.
    assert manifest["trained_with_synthetic"] == {"drawn": 36}
    text = run.predictions.read_text().splitlines()
    judged = {row.split(",")[0] for row in text[1:] if row.split(",")[1] != "train"}
    assert judged == {"beta"}


def test_the_exported_model_says_so(run):
    manifest, settings = run.read_json(run.manifest), run.settings()
    opened = inputs.open_inputs(settings)
    about = description.information(settings, opened, manifest, {})
    assert about["synthetic"] is False
    assert about["trained_with_synthetic"] == {"drawn": 36}
    assert about["trained_on"] == NOTE
    # Files to predict are prepared as the real images, and compared with them.
    assert list(about["preprocessing"]) == ["beta"]
    real = (opened.samples["train"].rows["dataset"] == "beta").sum()
    assert profile.describe_training_images(opened)["images"] == real
    served = ensemble.open_model(run.path)
    assert list(settings.tested_datasets) == ["beta"]
    assert served.trained_on == NOTE
    assert served.trained_with_synthetic == {"drawn": 36}


def test_the_run_is_reproduced_and_its_folder_is_read(run):
    assert evaluation.reproduce(run) == []


def test_a_start_hands_the_images_on(run, settings, tmp_path):
    weights, other = (tmp_path / f"{name}.weights.h5" for name in ("copied", "other"))
    weights.write_bytes(run.backbone_weights.read_bytes())
    build_backbone("tiny", (32, 32, 3)).save_weights(other)
    assert "trained_with_synthetic" not in pretrained.describe("tiny", other)
    for begin in (str(weights), {str(weights): 0.5, str(other): 0.5}):
        begun = pretrained.describe("tiny", begin)
        assert begun["trained_with_synthetic"] == {"drawn": 36}
        facts = {"beta": {"synthetic": False}}
        manifest = build_manifest(settings(), facts, ["beta"], [], begun)
        assert manifest["trained_with_synthetic"] == {"drawn": 36}
        assert manifest["synthetic"] is False and manifest["synthetic_datasets"] == []
        assert data_note(manifest) == NOTE


@pytest.mark.parametrize(
    ("of_start", "of_fit", "expected", "words"),
    [
        ("abc", "xyz", 6, "6 synthetic"),
        ("abc", "abc", 3, "3 synthetic"),
        ("abc", "bcd", 4, "4 synthetic"),
        # Not each image has a hash; a file of phantoms has none.
        ("ab", "xyz", [3, 6], "3 to 6 synthetic"),
        ("", "xyz", [3, 6], "3 to 6 synthetic"),
    ],
)
def test_images_of_the_start_and_of_the_fit_are_counted_once(
    settings, of_start, of_fit, expected, words
):
    def note(pixels):
        nothing = dict.fromkeys(lineage.KINDS, "")
        train = nothing | {"pixels": " ".join(pixels)}
        entry = {"fingerprints": [pixels], "train": train, "validation": nothing}
        key = f"drawn (synthetic, {pixels})"
        return lineage.empty() | {"datasets": {key: entry | {"synthetic": "drawn"}}}

    manifest = build_manifest(
        settings(),
        {"beta": {"synthetic": False}, "drawn": {"synthetic": True}},
        ["beta"],
        [],
        {"trained_with_synthetic": {"drawn": 3}},
        {"drawn": 3},
        note(of_fit),
        note(of_start),
    )
    assert manifest["trained_with_synthetic"] == {"drawn": expected}
    assert f"trained with {words} images (drawn)" in data_note(manifest)


def test_a_start_from_permuted_labels_hands_them_on(settings, tmp_path):
    """Else a control looks like the experiment that it is a control of."""
    facts = {"beta": {"synthetic": False}}
    control = build_manifest(settings("tasks.grade.permute=true"), facts, ["beta"], [])
    assert data_note(control) == "beta; PERMUTED labels of grade"
    weights = tmp_path / "control.weights.h5"
    build_backbone("tiny", (32, 32, 3)).save_weights(weights)
    lineage.write(weights, control["trained_with_data"])
    note = start.data_of_start("tiny", str(weights))
    for _ in range(2):  # also from what began with it
        manifest = build_manifest(settings(), facts, ["beta"], [], start=note)
        assert manifest["permuted"] == []
        text = "beta; after a start from PERMUTED labels of grade"
        assert data_note(manifest) == text
        note = manifest["trained_with_data"]


def test_nothing_of_the_fit_depends_on_synthetic_images_beyond_training(settings):
    made = [
        inputs.open_inputs(settings(poison=p)) for p in ((), ("validation", "test"))
    ]
    labels = [own.datasets[1].table["grade"] for own in made]
    assert (labels[0] != labels[1]).sum() == 4
    for split, samples in made[0].samples.items():
        other = made[1].samples[split]
        assert samples.rows.equals(other.rows)
        np.testing.assert_array_equal(samples.labels["grade"], other.labels["grade"])
    assert set(made[0].samples["test"].rows["dataset"]) == {"beta"}


@pytest.mark.large
def test_poisoned_labels_beyond_training_change_no_file(run, settings):
    poisoned = trainer.train(settings(*BARE, poison=("validation", "test")))
    other = trainer.train(settings(*BARE, poison=("train",)))
    for name in ("predictions", "metrics", "assessment", "calibration"):
        expected = getattr(run, name).read_bytes()
        assert getattr(poisoned, name).read_bytes() == expected
    # Those of training do matter.
    assert other.predictions.read_bytes() != run.predictions.read_bytes()


@pytest.mark.large
def test_the_note_is_in_the_saved_model_and_in_tensorboard(settings):
    import tensorflow as tf

    run = trainer.train(settings())
    about = ServedModel(run.saved_model).information
    assert about["trained_with_synthetic"] == {"drawn": 36}
    (folder,) = run.tensorboard.iterdir()
    assert folder.name == "real_data"
    notes = [
        tf.make_ndarray(value.tensor).item().decode()
        for path in folder.rglob("events*")
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "data"
    ]
    assert notes == [NOTE]
