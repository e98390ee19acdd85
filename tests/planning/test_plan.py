"""Settings that follow from the data, and where they change."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from mdmt_tf.config import load
from mdmt_tf.config.pipeline_section import AugmentationSection
from mdmt_tf.models.backbones.table import BACKBONES
from mdmt_tf.planning import plan
from mdmt_tf.planning.columns import Column
from mdmt_tf.planning.labels import make_label


def a_label(negative=50, positive=50, column="died"):
    cells = ("0",) * negative + ("1",) * positive
    return make_label(
        "died", Column(column, cells), [str(n) for n in range(len(cells))]
    )


def data(images=100, patients=None, size=256, labels=None, memory_gb=16, **facts):
    return plan.Data(
        images=images,
        patients=patients or images,
        size=size,
        labels=labels or (a_label(),),
        memory_gb=memory_gb,
        **facts,
    )


VOLUME = (32, 64, 64)
CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(
    ("facts", "backbone"),
    [
        ({"images": 299, "has_gpu": True}, "tf_efficientnet_lite0"),
        ({"images": 300, "has_gpu": True}, "resnet18"),
        ({"images": 5000}, "tf_efficientnet_lite0"),
        ({"images": 1999, "has_gpu": True}, "resnet18"),
        ({"images": 2000, "has_gpu": True}, "densenet121"),
        # The patients count, not their images.
        ({"images": 2000, "patients": 299, "has_gpu": True}, "tf_efficientnet_lite0"),
        ({"images": 5000, "size": VOLUME}, "densenet21_3d"),
        ({"images": 300, "size": VOLUME, "has_gpu": True}, "densenet121_3d"),
    ],
)
def test_the_network_grows_with_the_patients(facts, backbone):
    made = data(**facts)
    assert plan.choose_backbone(made).value == backbone
    row = BACKBONES[backbone]
    assert row.dimensions == made.dimensions
    weights = plan.choose_weights(made).value
    assert (weights == "imagenet") == (row.weights is not None)


@pytest.mark.parametrize(
    ("size", "has_gpu", "expected"),
    [(256, False, 128), (128, False, 128), (64, False, 64), (256, True, 256)],
)
def test_images_are_small_without_a_gpu(size, has_gpu, expected):
    assert plan.choose_image_size(data(size=size, has_gpu=has_gpu)).value == expected


@pytest.mark.parametrize(
    ("minority", "folds", "advice"),
    [(50, 5, False), (49, 4, False), (40, 4, False), (30, 3, False), (29, 3, True)],
)
def test_folds_leave_ten_patients_of_the_smallest_class(minority, folds, advice):
    setting = plan.choose_folds(minority, 1000)
    assert setting.value == folds
    assert ("repeat" in setting.reason) is advice


def test_folds_without_classes_follow_from_the_patients():
    assert plan.choose_folds(None, 100).value == 5
    assert plan.choose_folds(None, 12).value == 3


def test_training_has_what_tests_and_validation_leave():
    assert plan.training_fraction(5) == Fraction(3, 5)
    assert plan.training_fraction(4) == Fraction(3, 4) * Fraction(4, 5)


@pytest.mark.parametrize(
    ("facts", "batch"),
    [
        # 60 training rows: at least 8 batches would be 7.5, but 8 is the smallest.
        ({"images": 100}, 8),
        ({"images": 427}, 32),  # 427 * 0.6 / 8 = 32.02
        ({"images": 426}, 16),
        ({"images": 10_000}, 32),
        ({"images": 10_000, "size": VOLUME}, 8),
        ({"images": 20, "size": VOLUME}, 2),
        # 256 x 256 x 1500 bytes x 4 = 0.39 GB an image in a quarter of the memory.
        ({"images": 10_000, "has_gpu": True, "memory_gb": 1.6}, 4),
        ({"images": 10_000, "has_gpu": True, "memory_gb": 0.1}, 2),
    ],
)
def test_batches_fit_the_data_and_the_memory(facts, batch):
    assert plan.choose_batch_size(data(**facts), 5).value == batch


@pytest.mark.parametrize(
    ("facts", "batch", "epochs"),
    [
        ({"images": 1000}, 32, 53),  # ceil(600 / 32) = 19 steps; 1000 / 19
        ({"images": 100_000}, 32, 20),
        ({"images": 20}, 8, 200),
        ({"images": 1000, "size": VOLUME}, 8, 27),  # 75 steps; 2000 / 75
    ],
)
def test_epochs_make_a_number_of_steps(facts, batch, epochs):
    assert plan.choose_epochs(data(**facts), 5, batch).value == epochs


# Training rows of each image: 3/5, 3/4 of 4/5, 2/3 of 4/5.
TRAINED = {5: (3, 5), 4: (12, 20), 3: (8, 15)}


@pytest.mark.parametrize("folds", TRAINED)
def test_steps_are_counted_without_rounding(folds):
    """60 images in three folds are 32 rows: 4 batches of 8, not 5."""
    part, whole = TRAINED[folds]
    for images in range(20, 1200):
        made = data(images)
        setting = plan.choose_batch_size(made, folds)
        steps = -(-images * part // (whole * setting.value))
        assert setting.reason == f"{steps} steps an epoch"
        epochs = plan.choose_epochs(made, folds, setting.value)
        assert epochs.reason.startswith(f"about {epochs.value * steps} steps of the ")


@pytest.mark.parametrize("epochs", [20, 53, 200])
def test_warm_up_ends_and_patience_is_shorter_than_training(epochs):
    assert plan.choose_warmup(epochs).value < epochs
    assert plan.choose_patience(epochs).value < epochs


def test_the_learning_rate_follows_the_start():
    assert plan.choose_learning_rate(data()).value == 3e-4
    assert plan.choose_learning_rate(data(size=VOLUME)).value == 1e-3


def test_what_has_been_tried_with_phantoms_is_what_the_study_did():
    """`new` writes new heads; the page of the study kept those of the start."""
    page = Path(__file__).parents[2] / "docs/results/synthetic.md"
    text = page.read_text(encoding="utf-8")
    _, trial = text.split("## The weights that come with the package")
    shipped = yaml.safe_load(re.search(r"```yaml\n(.*?)```", trial, re.DOTALL)[1])
    tried = shipped["benchmark"]["experiments"]["shipped"]["set"]
    assert tried["model.start_heads"] is True
    setting = plan.choose_learning_rate(data(start="phantoms"))
    rate = tried["training.learning_rate"]
    assert setting.reason.startswith("not tried with new heads")
    assert f", {rate} was" in setting.reason


@pytest.mark.parametrize(
    ("images", "value"), [(100, "image"), (110, "image"), (111, "patient")]
)
def test_patients_weigh_the_same_where_some_have_several_images(images, value):
    assert plan.choose_weight_by(data(images, patients=100)).value == value


@pytest.mark.parametrize(
    ("negative", "positive", "value"),
    [(50, 50, None), (29, 10, None), (30, 10, "balanced"), (10, 30, "balanced")],
)
def test_classes_are_balanced_from_three_to_one(negative, positive, value):
    setting = plan.choose_balance(a_label(negative, positive))
    assert (setting.value if setting else None) == value


def test_a_number_has_no_classes_to_balance():
    column = Column("score", tuple(map(str, range(30))))
    assert plan.choose_balance(make_label("score", column, column.cells)) is None


def test_left_and_right_are_not_exchanged_where_they_matter():
    assert plan.choose_augmentation(data()).value == {}
    sided = plan.choose_augmentation(data(sides="unsure: A to F are zones"))
    assert sided.value == {"flip_probability": 0}
    assert sided.reason.startswith("unsure: A to F are zones; ")
    assert plan.choose_augmentation(data(is_head=True)).value == {"flip_probability": 0}


@pytest.mark.parametrize(
    "facts",
    [{}, {"sides": "left"}, {"is_head": True}, {"size": VOLUME}]
    + [{"size": VOLUME, "is_head": True}],
)
def test_the_changes_that_are_named_are_those_that_happen(facts):
    setting = plan.choose_augmentation(data(**facts))
    made = AugmentationSection(**setting.value)
    happens = {
        "shift": made.shift_probability,
        "zoom": made.zoom_probability,
        "flip": made.flip_probability,
        "rotation": made.rotation_probability,
        "elastic": made.elastic_probability,
        "noise": made.noise_probability,
    }
    *_, text = setting.reason.split("; ")
    named = text.removesuffix(", each with p = 0.3").split(", ")
    assert named == [name for name, probability in happens.items() if probability]


def test_shipped_files_name_the_changes_that_happen_by_default():
    texts = [path.read_text(encoding="utf-8") for path in CONFIGS.glob("*.yaml")]
    found = re.findall(r"augmentation: {} +# (.*, each with .*)", "\n".join(texts))
    assert set(found) == {plan.describe_changes(AugmentationSection())}


def test_volumes_are_not_deformed_and_slices_keep_their_distance():
    value = plan.choose_augmentation(data(size=VOLUME, slice_spacing=3.004)).value
    assert value == {"elastic_probability": 0, "slice_spacing": 3.0}
    value = plan.choose_augmentation(data(size=VOLUME, slice_spacing=1.05)).value
    assert value == {"elastic_probability": 0}


def test_what_the_data_cannot_support_is_a_warning():
    assert plan.find_limits(data(labels=(a_label(50, 10),))) == []
    (text,) = plan.find_limits(data(labels=(a_label(50, 9),)))
    assert text.startswith("died has 9 patients of class 'yes'")
    (text,) = plan.find_limits(data(labels=(a_label(15, 14),)))
    assert text.startswith("died is known of 29 patients")


def test_a_start_from_phantoms_has_their_size_and_a_file_of_the_package():
    made = data(images=5000, has_gpu=True, start="phantoms", is_chest=True)
    assert plan.choose_backbone(made).value == "tf_efficientnet_lite0"
    assert plan.choose_weights(made).value == "phantoms"
    assert plan.choose_image_size(made).value == load("phantom_start").image_size
    assert plan.choose_learning_rate(made).value == 1e-3
    small = data(size=64, start="phantoms")
    assert plan.choose_image_size(small).value == 64
    # The images are not known to be films of the chest.
    assert plan.choose_weights(small).reason.startswith("unsure: ")
    assert not plan.choose_weights(made).reason.startswith("unsure: ")


def test_a_random_start_may_be_asked_for():
    made = data(images=1000, start="random")
    assert plan.choose_weights(made).value is None
    assert plan.choose_learning_rate(made).value == 1e-3
    # 2000 steps of 19 an epoch.
    assert plan.choose_epochs(made, 5, 32).value == 105
