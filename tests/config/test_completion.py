"""What follows from the declaration of a dataset, and what is not touched."""

import pytest
from declared import SKETCH

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.errors import ConfigError


@pytest.fixture
def load(tmp_path):
    def load(text=SKETCH, *overrides):
        path = tmp_path / "ward.yaml"
        path.write_text(text, encoding="utf-8")
        return config.load(str(path), [f"data_dir={tmp_path}", *overrides])

    return load


def test_the_sketch_is_a_configuration(load):
    made = load()
    assert made.experiment == "ward"
    configs = {name: section.config for name, section in made.datasets.items()}
    assert configs == {"ward": "lungs_256", "brixia": "lungs_256"}
    assert made.tasks["outcome"].classes == ("home", "icu_or_death")
    selection = made.training.select_on
    assert (selection.task, selection.metric) == ("outcome", "loss")
    assert made.image_size == 256


def test_it_survives_a_round_trip(load, tmp_path):
    made = load()
    files.write(made.to_plain(), tmp_path / "resolved.yaml")
    assert config.load(str(tmp_path / "resolved.yaml")) == made


def test_written_keys_win(load):
    written = (
        "experiment: mine\nimage_size: 128\n"
        "datasets: {brixia: {config: full_64}}\n"
        "training: {select_on: {task: severity, metric: auc}}\n"
    )
    text = SKETCH.replace("kind: binary", "kind: binary, classes: [icu_or_death, home]")
    made = load(text + written)
    assert (made.experiment, made.image_size) == ("mine", 128)
    assert made.datasets["brixia"].config == "full_64"
    assert made.datasets["ward"].config == "lungs_256"
    assert made.training.select_on.task == "severity"
    assert made.tasks["outcome"].classes == ("icu_or_death", "home")


@pytest.mark.parametrize("more", ["", "tasks: {}\n", "tasks: 3\n"])
def test_without_tasks_they_alone_are_missing(load, more):
    with pytest.raises(ConfigError) as error:
        load(SKETCH.partition("tasks:\n")[0] + more)
    title, problem = str(error.value).splitlines()
    assert title.startswith("1 problem") and "tasks" in problem


def test_overrides_come_first(load):
    made = load(SKETCH, "dataset.preprocess=full_64")
    assert made.datasets["ward"].config == "full_64"
    assert made.image_size == 64


def test_the_size_is_that_of_the_prepared_images(load):
    assert load(SKETCH.replace("lungs_256", "full_512")).image_size == 512


def test_volumes_have_a_network_for_volumes(load):
    text = SKETCH.replace("preprocess: lungs_256", "preprocess: head_16x32x48")
    made = load(text.replace("brixia: brixia_global", "ich_csic: gcs"))
    assert made.image_shape == (16, 32, 48)
    assert made.datasets["ward"].config == "head_16x32x48"
    assert made.datasets["ich_csic"].config == "head_40x301x301"
    assert made.model.backbone == "resnet18_3d"
    assert made.pipeline.augmentation.elastic_probability == 0


def test_of_a_base_nothing_stays_that_the_declaration_says(load):
    made = load("base: mdmt\n" + SKETCH, "training.epochs=50")
    assert made.experiment == "ward"
    assert set(made.datasets) == {"ward", "brixia"}
    assert made.training.select_on.task == "outcome"
    assert (made.training.epochs, made.training.batch_size) == (50, 128)


def test_a_benchmark_of_other_tasks_does_not_stay_without_a_declaration(load):
    text = "base: open_cxr\n"
    text += "tasks: {%s: {kind: binary, classes: [a, b], from: {hannover: severe}}}\n"
    text += "datasets: {hannover: {}}\ntraining: {select_on: {task: %s}}\n"
    assert load(text % ("death", "death")).benchmark is None
    # Its own benchmark is checked.
    own = "benchmark: {experiments: {one: {tasks: [severity]}}}\n"
    with pytest.raises(ConfigError, match=r"one\.tasks: 'severity' is not one of"):
        load(text % ("death", "death") + own)


def test_a_benchmark_of_the_same_tasks_stays(load):
    assert config.load("paper_lung", ["data_dir=."]).benchmark is not None


def test_a_benchmark_of_other_tasks_does_not_stay(load):
    made = load("base: open_cxr\n" + SKETCH)
    assert made.benchmark is None
    assert (made.image_size, made.training.epochs) == (96, 40)


def test_a_base_that_declares_is_a_base_like_any_other(load, tmp_path):
    load()
    child = tmp_path / "child.yaml"
    child.write_text("base: ward.yaml\nexperiment: child\nimage_size: 64\n")
    made = config.load(str(child), [f"data_dir={tmp_path}"])
    assert (made.experiment, made.image_size) == ("child", 64)
    assert set(made.datasets) == {"ward", "brixia"}


@pytest.mark.parametrize(
    "more", ["", "  stay: {kind: regression, from: {ward: stay}}\n"]
)
def test_a_slip_in_the_name_is_no_other_dataset(load, more):
    text = SKETCH.replace("from: {ward: outcome}", "from: {wrad: outcome}") + more
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert "1 problem in" in str(caught.value)
    expected = (
        "tasks.outcome.from.wrad: is not one of the datasets. Did you mean 'ward'"
    )
    assert expected in str(caught.value)


def test_a_dataset_with_a_similar_name_may_be_another_one(load):
    """It has a label that the declaration does not have, or feeds the same task."""
    for other in ("{ward_b: died}", "{ward: stay, ward_b: stay}"):
        made = load(SKETCH + f"  other: {{kind: regression, from: {other}}}\n")
        assert set(made.datasets) == {"ward", "brixia", "ward_b"}
    listed = "datasets: {ward_b: {}}\n"
    text = SKETCH + "  stay: {kind: regression, from: {ward_b: stay}}\n" + listed
    assert set(load(text).datasets) == {"ward", "brixia", "ward_b"}


def test_without_declaration_nothing_is_added(load):
    with pytest.raises(ConfigError) as caught:
        load("tasks:" + SKETCH.partition("tasks:")[2])
    for missing in ("experiment: missing", "datasets: missing", "training: missing"):
        assert missing in str(caught.value)


def test_numbers_get_no_classes(load):
    made = load(SKETCH + "  stay: {kind: regression, from: {ward: stay}}\n")
    assert made.tasks["stay"].classes == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{ward: outcome}",
            "{ward: outcom}",
            ["from.ward = 'outcom': the dataset declares no such label", "'outcome'?"],
        ),
        (
            "kind: binary",
            "kind: binary, classes: [home, icu]",
            ["tasks.outcome.classes", "home, icu_or_death", "the same names"],
        ),
        (
            "kind: binary",
            "kind: ordinal, cut_points: [1]",
            ["from.ward = 'outcome': expected a number", "home, icu_or_death"],
        ),
    ],
)
def test_tasks_take_what_is_declared(load, old, new, expected):
    with pytest.raises(ConfigError) as caught:
        load(SKETCH.replace(old, new))
    for text in ["ward.yaml:", *expected]:
        assert text in str(caught.value)


def test_a_wrong_declaration_is_told_once(load):
    with pytest.raises(ConfigError) as caught:
        load(SKETCH.replace("lungs_256", "lung_256"))
    assert "1 problem in" in str(caught.value)
