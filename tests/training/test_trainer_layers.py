"""Whole runs with Keras layers in the augmentation."""

import pandas as pd
import pytest

from mdmt_tf import config
from mdmt_tf.errors import ConfigError
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.serving import evaluation
from mdmt_tf.training import trainer
from mdmt_tf.training.saving import SaveState

# What RandAugment draws follows from its keys as well, but it is traced for long.
LAYERS = (
    "pipeline.augmentation.layers=["
    "{layer: RandomRotation, arguments: {factor: 0.1}, probability: 0.5}, "
    "{layer: MixUp, arguments: {alpha: 0.4}}, {layer: CutMix, probability: 0.5}]"
)
SHORT = ("training.epochs=2", "training.saved_model=false")


@pytest.mark.large
def test_an_interrupted_run_with_layers_goes_on_to_the_same_end(settings, monkeypatch):
    """Layers of each image, and layers that mix them: equal to the byte."""
    monkeypatch.setattr(SaveState, "SECONDS", 0)
    bare = (*SHORT, "training.tensorboard=false")
    run = trainer.train(settings(LAYERS, *bare))
    interrupted = settings(LAYERS, *bare)

    def write(text):
        if "1/2" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.train(interrupted, write=write)
    path = interrupted.run_dir
    assert RunFolder.open(path).last_state.is_file()
    resumed = trainer.train(config.load(f"{path}/config.yaml"), resume_from=path)
    for file in ("predictions", "metrics", "assessment"):
        whole, again = (getattr(one, file).read_bytes() for one in (run, resumed))
        assert whole == again
    history = [pd.read_csv(r.history).drop(columns="seconds") for r in (run, resumed)]
    pd.testing.assert_frame_equal(*history, check_exact=True)
    plain = trainer.train(settings(*bare))
    assert plain.predictions.read_bytes() != run.predictions.read_bytes()


@pytest.mark.large
def test_layers_on_two_devices_with_learned_weights(settings, two_cpus):
    run = trainer.train(
        settings(
            LAYERS,
            *SHORT,
            f"training.devices=[{', '.join(two_cpus)}]",
            "training.weighting=uncertainty",
            "training.precision=mixed_float16",
            "training.accumulate=2",
            "pipeline.weight_by=patient",
            "tasks.outcome.class_weights=balanced",
            "tasks.grade.oversample=true",
        )
    )
    assert evaluation.reproduce(run) == []
    assert pd.read_csv(run.history)["train/loss"].notna().all()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("RandAugmnt", "Did you mean 'RandAugment'"),
        ("RandomCrop, arguments: {height: 8, width: 8}", "keeps the shape of images"),
    ],
)
def test_nothing_is_written_when_a_layer_is_wrong(settings, layer, message):
    wrong = settings(f"pipeline.augmentation.layers=[{{layer: {layer}}}]")
    with pytest.raises(ConfigError, match=message):
        trainer.train(wrong)
    assert not RunFolder(wrong.run_dir).path.exists()
