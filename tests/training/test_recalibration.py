"""Recalibrated statistics against numpy, and runs that start with them."""

import keras
import numpy as np
import pytest
import quick_plots

from mdmt_tf import evaluate
from mdmt_tf.data.augment.layers import AugmentationLayers
from mdmt_tf.data.normalize import normalize, to_unit
from mdmt_tf.data.sampling import epoch_batches
from mdmt_tf.data.sources import open_dataset
from mdmt_tf.data.training_set import build_training_set
from mdmt_tf.errors import ConfigError
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.from_config import build_from_config
from mdmt_tf.models.layers import BatchNormalization
from mdmt_tf.reporting import external_plots
from mdmt_tf.runs import predictions
from mdmt_tf.screen.line import Line
from mdmt_tf.serving import evaluation
from mdmt_tf.serving.ensemble import open_models
from mdmt_tf.serving.evaluation import evaluate_on
from mdmt_tf.serving.predictor import ServedModel
from mdmt_tf.training import trainer
from mdmt_tf.training.fit import Fit
from mdmt_tf.training.inputs import open_inputs
from mdmt_tf.training.recalibration import recalibrate
from mdmt_tf.training.strategy import build_strategy

BARE = ("training.tensorboard=false", "training.saved_model=false")


def network():
    """Two dense layers, each normalised, whose maps numpy can compute."""
    image = keras.Input((2, 2, 3))
    x = keras.layers.Conv2D(4, 1, use_bias=False, name="one")(image)
    x = BatchNormalization(name="norm1")(x)
    x = keras.layers.Conv2D(2, 1, use_bias=False, name="two")(keras.layers.ReLU()(x))
    return keras.Model(image, BatchNormalization(name="norm2")(x))


def test_statistics_are_those_that_numpy_finds():
    model = network()
    batches = np.random.default_rng(0).normal(1, 2, (3, 4, 2, 2, 3)).astype("float32")
    before = model.get_layer("one").get_weights()
    assert recalibrate(model, batches) == 3
    one, two = (model.get_layer(n).kernel.numpy()[0, 0] for n in ("one", "two"))
    means, variances = [], []
    for batch in batches.astype(np.float64).reshape(3, 16, 3):
        x = batch @ one
        y = np.maximum((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5), 0) @ two
        means.append((x.mean(0), y.mean(0)))
        variances.append((x.var(0, ddof=1), y.var(0, ddof=1)))
    for number, name in enumerate(("norm1", "norm2")):
        norm = model.get_layer(name)
        expected = np.mean([mean[number] for mean in means], 0)
        np.testing.assert_allclose(norm.moving_mean, expected, atol=1e-5)
        expected = np.mean([variance[number] for variance in variances], 0)
        np.testing.assert_allclose(norm.moving_variance, expected, rtol=1e-5)
        assert norm.momentum == 0.9
    np.testing.assert_array_equal(model.get_layer("one").get_weights(), before)


def test_without_a_batch_nothing_changes():
    model = network()
    before = model.get_layer("norm1").get_weights()
    assert recalibrate(model, []) == 0
    np.testing.assert_array_equal(model.get_layer("norm1").get_weights(), before)


@pytest.fixture
def averaged(tmp_path):
    """Two backbones whose kernels cancel each other in part, and the setting."""
    paths = [tmp_path / f"{seed}.weights.h5" for seed in (98, 99)]
    for seed, path in zip((98, 99), paths, strict=True):
        model = build_backbone("tiny", (32, 32, 3), seed=seed)
        model.get_layer("norm").moving_mean.assign(np.full(8, seed))
        model.save_weights(path)
    return "model.weights={" + ", ".join(f"{path}: 0.5" for path in paths) + "}"


def begun(settings):
    """The model that a fit begins with, and the fit."""
    inputs = open_inputs(settings)
    fit = Fit(
        config=settings,
        run=None,
        inputs=inputs,
        training_set=build_training_set(inputs.samples["train"]),
        layers=AugmentationLayers((), inputs.tasks, inputs.images.shape),
        manifest={},
        line=Line(lambda text: None, is_terminal=False),
    )
    with build_strategy(settings.training.devices).scope():
        model = build_from_config(settings, settings.model.weights)
    trainer.begin(fit, model)
    return model, fit


def norm_of(model):
    return model.get_layer("tiny").get_layer("norm")


def first_batch(fit):
    """The images of the first training batch, without augmentation."""
    rows = fit.training_set
    size = fit.config.training.batch_size
    order = epoch_batches(rows.draws, batch_size=size, seed=fit.config.seed, epoch=0)
    pixels = fit.inputs.images.gather(rows.samples.image[order.index[0]])
    return np.asarray(normalize(to_unit(pixels), *fit.config.normalization))


def maps_of(model, images):
    """What the normalisation of the tiny backbone gets, (values, channels)."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    conv = model.get_layer("tiny").get_layer("conv")
    return np.asarray(conv(padded), np.float64).reshape(-1, 8)


def test_a_frozen_average_has_the_statistics_of_the_averaged_network(
    settings, averaged
):
    own = settings(
        averaged,
        "model.freeze=all",
        "training.batch_size=64",
        "pipeline.augmentation=null",
    )
    model, fit = begun(own)
    assert len(fit.training_set.samples) < 64, "more than one batch"
    maps = maps_of(model, first_batch(fit))
    norm = norm_of(model)
    np.testing.assert_allclose(norm.moving_mean, maps.mean(0), atol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, maps.var(0, ddof=1), rtol=1e-4)
    assert not norm.trainable
    off, _ = begun(settings(averaged, "training.recalibrate=false"))
    np.testing.assert_allclose(norm_of(off).moving_mean, [98.5] * 8, rtol=1e-6)


def test_each_dataset_begins_with_its_own_statistics(settings):
    own = settings(
        "model.batch_norm=per_dataset",
        "training.batch_size=64",
        "pipeline.augmentation=null",
    )
    model, fit = begun(own)
    norm, samples = norm_of(model), fit.training_set.samples
    for dataset in (0, 1):
        rows = samples.image[samples.dataset == dataset]
        pixels = to_unit(fit.inputs.images.gather(rows))
        maps = maps_of(model, np.asarray(normalize(pixels, *own.normalization)))
        # The batch of 64 has some rows once more than others.
        error = np.abs(norm.moving_mean.numpy()[dataset] - maps.mean(0))
        assert np.all(error < 0.05 * maps.std(0))
    fractions = np.bincount(samples.dataset) / len(samples)
    np.testing.assert_allclose(norm.dataset_fractions, fractions, rtol=1e-6)
    assert list(fit.statistics) == ["alpha", "beta"]


def test_devices_do_not_matter(settings, averaged, two_cpus):
    several = f"training.devices=[{', '.join(two_cpus)}]"
    found = [
        norm_of(begun(own)[0]).get_weights()
        for own in (settings(averaged), settings(averaged, several))
    ]
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)


def selected(run, settings):
    model = build_from_config(settings)
    model.load_weights(run.best_weights)
    return norm_of(model)


@pytest.fixture(scope="module")
def per_dataset(settings):
    """A run with statistics per dataset, its settings and what it wrote."""
    own = settings("model.batch_norm=per_dataset", "training.epochs=2")
    lines = []
    return trainer.train(own, write=lines.append), own, "".join(lines)


@pytest.mark.large
def test_a_run_with_statistics_per_dataset(per_dataset):
    run, own, written = per_dataset
    assert "computing the statistics of normalisation" in written
    norm = selected(run, own)
    assert norm.moving_mean.shape == (2, 8)
    assert np.abs(norm.moving_mean[0] - norm.moving_mean[1]).max() > 1e-3
    table = predictions.read(run.predictions)
    rows = table[table["split"] == "train"].groupby("dataset")["image_id"].nunique()
    expected = (rows / rows.sum()).to_dict()
    about = ServedModel(run.saved_model).information
    assert about["statistics"] == pytest.approx(expected)
    np.testing.assert_allclose(norm.dataset_fractions, list(expected.values()))


@pytest.mark.large
def test_its_saved_model_knows_the_datasets_by_name(per_dataset):
    run, _, _ = per_dataset
    assert evaluation.reproduce(run) == []
    served = ServedModel(run.saved_model)
    images = np.random.default_rng(0).uniform(size=(2, 32, 32, 1)).astype(np.float32)
    unseen = served.predict(images)["outcome"]
    named = [
        served.predict(images, [name] * 2)["outcome"]
        for name in ("alpha", "beta", "gamma")
    ]
    np.testing.assert_allclose(named[2], unseen, atol=1e-6)
    for own in named[:2]:
        assert np.abs(own - unseen).max() > 1e-5
    both = served.predict(images, ["alpha", "beta"])["outcome"]
    np.testing.assert_allclose(both, [named[0][0], named[1][1]], atol=1e-6)


@pytest.mark.large
def test_its_backbone_starts_other_runs(per_dataset, settings):
    """The file has one set of statistics, the mixture."""
    run, _, _ = per_dataset
    weights = f"model.weights={run.backbone_weights}"
    plain = build_backbone("tiny", (32, 32, 3), run.backbone_weights)
    both = build_backbone(
        "tiny",
        (32, 32, 3),
        run.backbone_weights,
        batch_norm="per_dataset",
        datasets=2,
    )
    one = plain.get_layer("norm").moving_variance
    for own in both.get_layer("norm").moving_variance.numpy():
        np.testing.assert_array_equal(own, one)
    # One dataset, named to serve others.
    frozen = settings(
        weights,
        "model.freeze=all",
        "model.batch_norm=per_dataset",
        "model.unseen_dataset=beta",
        "training.epochs=2",
        *BARE,
    )
    again = trainer.train(frozen)
    np.testing.assert_array_equal(selected(again, frozen).dataset_fractions, [0, 1])
    assert evaluation.reproduce(again) == []


@pytest.mark.large
def test_two_devices_a_weighting_and_mixed_precision(settings, two_cpus):
    own = settings(
        "model.batch_norm=per_dataset",
        f"training.devices=[{', '.join(two_cpus)}]",
        "training.precision=mixed_bfloat16",
        "training.weighting=uncertainty",
        "training.accumulate=2",
        "training.epochs=2",
        "training.tensorboard=false",
        "training.saliency=4",
    )
    run = trainer.train(own)
    assert evaluation.reproduce(run) == []
    assert (run.saliency / "saliency.csv").is_file()


@pytest.mark.large
def test_unseen_data_are_normalised_as_declared(
    per_dataset, prepare, stored_pixels, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(external_plots, "render", quick_plots.not_drawn)
    run, _, _ = per_dataset
    fields = {"grade": "grade"}
    examples = [
        {
            "image": stored_pixels(f"x{i}"),
            "image_id": f"x{i}",
            "patient_id": f"q{i}",
            "site": "A",
            "grade": i % 5 - 1,
        }
        for i in range(12)
    ]
    for name in ("beta", "gamma"):
        prepare(tmp_path, name, examples)
    gamma = open_dataset(tmp_path, "gamma", "full_256")
    unseen = evaluate_on(run, gamma, fields)
    assert unseen.statistics.startswith("average statistics of alpha (")
    chosen = evaluate_on(run, gamma, fields, statistics_of="beta")
    assert chosen.statistics == "statistics of beta"
    # A dataset of the run by its name, with other images.
    known = evaluate_on(run, open_dataset(tmp_path, "beta", "full_256"), fields)
    assert known.statistics == "statistics of beta"
    columns = ["p_0", "p_1", "p_2", "p_3"]
    answers = [found.predictions[columns] for found in (unseen, chosen, known)]
    np.testing.assert_array_equal(answers[1], answers[2])
    assert np.abs(answers[0] - answers[1]).to_numpy().max() > 1e-5
    options = ["--on", "gamma", "--data-dir", str(tmp_path), "--labels", "grade=grade"]
    evaluate.main([str(run.path), *options, "--statistics-of", "alpha"])
    assert "normalised by the statistics of alpha" in capsys.readouterr().out
    page = (run.path / "external" / "gamma" / "index.html").read_text()
    assert "Normalised by the statistics of alpha." in page
    assert "--statistics-of alpha" in page
    (model,) = open_models([run.path], statistics_of="beta")
    assert model.statistics_text == "statistics of beta"
    with pytest.raises(ConfigError, match=r"--statistics-of gamma: is not one of"):
        open_models([run.path], statistics_of="gamma")
