"""Settings of models for volumes: sizes, augmentation, oversampling, other bases."""

import pytest

from mdmt_tf import config
from mdmt_tf.config.schema import AugmentationSection
from mdmt_tf.datasets.ich_csic import ich_csic_dataset_builder as builder
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments import alone

MODELS = {
    "image_only": ["prognosis"],
    "model_a": ["prognosis", "gcs_severe", "age"],
    "model_b": ["prognosis", "gcs", "age"],
    "prognosis_gcs": ["prognosis", "gcs"],
    "prognosis_age": ["prognosis", "age"],
    "gcs_only": ["gcs"],
    "age_only": ["age"],
}


def problems(*overrides, name="ich_phantom"):
    with pytest.raises(ConfigError) as caught:
        config.load(name, overrides)
    return str(caught.value)


@pytest.fixture
def paper(tmp_path):
    return config.load("ich", [f"data_dir={tmp_path}"])


def test_the_settings_of_cobo_et_al(paper):
    assert paper.image_shape == (40, 301, 301)
    assert paper.normalization == ((0.0,), (1.0,))
    assert paper.model.backbone == "densenet121_3d"
    assert (paper.model.heads, paper.model.head_dropout) == ("linear", 0)
    assert paper.model.backbone_dropout == 0.2
    training = paper.training
    assert (training.optimizer, training.learning_rate) == ("adamw", 1e-3)
    assert (training.weight_decay, training.amsgrad) == (1e-4, True)
    assert (training.batch_size, training.accumulate) == (8, 3)
    assert (training.epochs, training.patience) == (100, 20)
    assert (training.plateau.factor, training.plateau.patience) == (0.98, 5)
    chosen = training.select_on
    assert (chosen.task, chosen.metric) == ("prognosis", "balanced_accuracy")
    split = paper.benchmark.cross_validation["cv"]
    assert (split.folds, split.validation, split.validation_fraction) == (
        10,
        "fraction",
        0.1,
    )
    augmentation = paper.pipeline.augmentation
    assert augmentation == AugmentationSection(
        shift_probability=0,
        flip_probability=0,
        elastic_probability=0,
        zoom_probability=0.5,
        zoom_fraction=0.1,
        rotation_probability=0.5,
        rotation_degrees=5,
        slice_spacing=6,
        noise_probability=0.5,
        noise_deviation=0.01,
    )
    experiments = paper.benchmark.experiments
    # The others are controls, see docs/reference/experiments.md.
    models = {name: list(made.tasks) for name, made in experiments.items()}
    assert {name: models.pop(name) for name in MODELS} == MODELS
    assert set(models) == {"image_matched", "model_b_null"}


def test_thresholds_are_those_of_the_builder(paper):
    """In points and years; a lower bound is inclusive, so 8 or less is below 9."""
    severe, moderate = builder.GCS_SEVERE_AT_MOST, builder.GCS_MODERATE_AT_MOST
    assert (severe, moderate, builder.OLD_FROM_YEARS) == (8, 12, 80)
    tasks = {task.name: task for task in paper.build_tasks()}
    assert tasks["gcs_severe"].cut_points == (severe + 1,)
    assert tasks["gcs"].cut_points == (severe + 1, moderate + 1)
    assert tasks["age"].cut_points == (builder.OLD_FROM_YEARS,)
    assert tasks["gcs_severe"].descending and tasks["gcs"].descending
    assert tasks["gcs"].kind == "ordinal"
    assert {name: task.weight for name, task in tasks.items()} == {
        "prognosis": 0.4,
        "gcs_severe": 0.3,
        "gcs": 0.3,
        "age": 0.3,
    }


@pytest.mark.parametrize("name", MODELS)
def test_each_model_trains_its_tasks_as_the_benchmark_declares_them(
    name, paper, tmp_path
):
    overrides = [f"data_dir={tmp_path}", f"experiment={name}"]
    parts = alone.parts_of(config.load("ich", overrides), overrides)
    model = list(parts.values())[-1].settings
    assert list(model.tasks) == MODELS[name]
    # The smaller class of the first task is oversampled.
    for index, (task, section) in enumerate(model.tasks.items()):
        declared = paper.tasks[task].model_copy(update={"oversample": index == 0})
        assert section == declared
    assert model.benchmark is None and model.model == paper.model
    assert model.training.select_on.task == MODELS[name][0]


def test_another_base_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("base: ich_phantom\nseed: 9\n")
    (tmp_path / "small.yaml").write_text("base: ich\nexperiment: small\n")
    made = config.load("small.yaml", ["base=mine.yaml"])
    assert (made.seed, made.experiment) == (9, "small")
    assert "nowhere.yaml: no such" in problems("base=nowhere.yaml")


def test_sizes_of_images_and_volumes_are_told_apart():
    text = problems("image_size=64")
    assert "model.backbone = 'densenet21_3d': is for volumes" in text
    assert "image_size = [depth, height, width]. Received: image_size = 64" in text
    assert "resnet18" in text
    text = problems("image_size=[32,64,64]", name="phantom")
    assert "'resnet18': is for images, image_size = pixels per side" in text
    assert "For volumes: densenet121_3d, densenet21_3d, resnet18_3d." in text
    # Those of a benchmark, too.
    text = problems("benchmark.backbones=[resnet18]", name="ich_phantom")
    assert "benchmark.backbones = 'resnet18': is for images" in text


@pytest.mark.parametrize("size", ["[32, 64]", "[4, 64, 64]", "[32, 64, many]"])
def test_a_size_that_is_none(size):
    assert "image_size" in problems(f"image_size={size}")


def test_a_volume_that_is_halved_to_nothing():
    text = problems("image_size=[16,64,64]")
    assert "image_size = [16, 64, 64]: densenet21_3d halves" in text
    assert "at least 32 along each axis" in text
    config.load(
        "ich_phantom",
        [
            "image_size=[16,64,64]",
            "model.backbone=resnet18_3d",
            "benchmark=null",
        ],
    )


def test_volumes_are_not_deformed():
    text = problems("pipeline.augmentation.elastic_probability=0.3")
    assert "elastic_probability = 0.3: volumes are not deformed. Set it to 0." in text
    config.load("ich_phantom", ["pipeline.augmentation=null"])


def test_oversampling_that_contradicts_itself():
    text = problems("tasks.age.oversample=true")
    assert "tasks.age.oversample: dataset 'ich_csic' is oversampled for 'progn" in text
    text = problems("tasks.prognosis.class_weights=balanced")
    assert "tasks.prognosis.oversample: class_weights balances" in text
    text = problems(
        "tasks.prognosis={kind: regression, from: {ich_csic: age}, oversample: true}",
        "training.select_on.metric=mae",
    )
    assert "a regression has no classes to draw" in text


def test_strata_of_a_task_that_is_not_there():
    text = problems("split.stratify_by=[prognoses]")
    assert "split.stratify_by: 'prognoses' is not one of the tasks." in text
    assert "'prognosis'?" in text
