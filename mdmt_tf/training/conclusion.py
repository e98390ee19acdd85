"""The end of a fit: predictions, calibration, export, saliency, metrics."""

import functools
import shutil
from collections.abc import Collection
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from mdmt_tf import storage
from mdmt_tf.cards import writing as cards
from mdmt_tf.data.profile import describe_training_images
from mdmt_tf.data.samples import spread
from mdmt_tf.data.sampling import steps_per_epoch
from mdmt_tf.models.from_config import answering_model, plain_model
from mdmt_tf.models.parameters import count_parameters
from mdmt_tf.models.weights import heads, lineage, provenance, weights_file
from mdmt_tf.runs import flow, predictions
from mdmt_tf.runs.manifest import data_note
from mdmt_tf.saliency import choice, explanation
from mdmt_tf.saliency.files import zero_text
from mdmt_tf.serving import export
from mdmt_tf.statistics import fields_file, probe
from mdmt_tf.statistics.assessment import JUDGED_SPLITS, assess_splits
from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.statistics.calibration_fit import fit_calibrations, prior_ratios
from mdmt_tf.statistics.operating_points import calibration_sections
from mdmt_tf.training import checkpoint, description
from mdmt_tf.training.fit import Fit, inputs_of, predict
from mdmt_tf.training.tensorboard.saliency import write_saliency


def conclude(fit: Fit, model: keras.Model) -> None:
    """Write predictions, export, saliency, metrics; `metrics.json` comes last."""
    config, run, inputs, write = fit.config, fit.run, fit.inputs, fit.write
    manifest = dict(fit.manifest)
    training_images = describe_training_images(inputs)
    storage.write_json(run.training_images, training_images)
    answering = answering_model(config, model)
    probabilities = {
        split: predict(answering, samples, inputs, config)
        for split, samples in inputs.samples.items()
        if len(samples)
    }
    table = predictions.gather(inputs.samples, probabilities, inputs.split.fold)
    predictions.write(table, run.predictions)
    _write_fields(fit, table)
    storage.write_json(run.flow, flow.flow_of_inputs(inputs, table).to_plain())
    calibrations = _calibrate(fit, table)
    # Other runs may start from these weights, which have one set of statistics.
    backbone = plain_model(config, model).get_layer(config.model.backbone)
    weights_file.save(backbone, run.backbone_weights)
    names = [task.name for task in inputs.tasks]
    heads.write(run.backbone_weights, heads.arrays_of(model, names))
    provenance.write(run.backbone_weights, manifest.get(provenance.NOTE, {}))
    if lineage.NOTE in manifest:  # not in a run that an earlier version has begun
        lineage.write(run.backbone_weights, manifest[lineage.NOTE])
    _probe(fit, model)

    if config.training.saved_model:
        write("exporting the SavedModel and comparing it with the trained model ...\n")
        about = description.information(
            config, inputs, manifest, training_images, fit.statistics
        )
        manifest["export"] = _export(
            fit, answering, run.saved_model, about, probabilities, calibrations
        )
    if config.training.saliency:
        write("explaining some predictions ...\n")
        explained = explanation.explain_run(
            config,
            inputs.answers,
            model,
            choice.of_split(
                inputs, _judged_split(probabilities), config.training.saliency
            ),
            run.saliency,
            note=data_note(manifest),
        )
        write(zero_text(explained.rows))
    if config.training.tensorboard and config.training.tensorboard_saliency:
        write_saliency(fit, model)
    storage.write_json(run.assessment, _assessment(table, inputs.answers, calibrations))
    manifest["effort"] = effort(fit)
    manifest["parameters"] = count_parameters(model, config.model.backbone)
    manifest["finished"] = storage.now()
    storage.write_json(run.manifest, manifest)
    cards.write_run_card(run, inputs, settings=config)
    shutil.rmtree(run.saved_model_so_far, ignore_errors=True)
    # metrics.json says that all others are there.
    storage.sync_all(run.path)
    metrics = predictions.metrics_of(table, inputs.answers)
    storage.write_json(run.metrics, metrics, durable=True)
    # A fit that its settings name never goes on with more epochs.
    checkpoint.drop_states(run.last_state, keep_newest=not run.is_named_by_settings)


def export_so_far(fit: Fit, model: keras.Model, epochs: int, best_epoch: int) -> None:
    """Export the model of the best epoch until an interruption.

    `model.json` says that training has not ended, and which epoch it is. The run has no
    metrics, and is resumed as if there were no export.

    Args:
        model: with the weights of the best epoch.
        epochs: number of epochs until then.
        best_epoch: number of the best one, from 0.
    """
    config, inputs = fit.config, fit.inputs
    answering = answering_model(config, model)
    samples = {"validation": inputs.samples["validation"]}
    probabilities = {
        "validation": predict(answering, samples["validation"], inputs, config)
    }
    table = predictions.gather(samples, probabilities, inputs.split.fold)
    ratios = prior_ratios(fit.training_set)
    calibrations = fit_calibrations(table, inputs.answers, ratios)
    about = description.information(
        config, inputs, fit.manifest, describe_training_images(inputs), fit.statistics
    )
    about["interrupted"] = {"epochs": epochs, "best_epoch": best_epoch}
    target = fit.run.saved_model_so_far
    _export(fit, answering, target, about, probabilities, calibrations)
    cards.write_interrupted_card(fit.run, inputs, table, about["interrupted"])


def _export(
    fit: Fit, answering, target: Path, about: dict, probabilities, calibrations
) -> dict:
    """Write the SavedModel and compare it; returns what the comparison has found."""
    unchecked = target.with_name(f"{target.name}.unchecked")
    export.export_model(
        answering,
        fit.inputs.answers,
        unchecked,
        about,
        fit.config.normalization,
        calibrations=calibrations,
        datasets=tuple(fit.statistics or ()),
    )
    found = _check_export(fit, answering, unchecked, probabilities, calibrations)
    # Only a checked export gets its final name.
    shutil.rmtree(target, ignore_errors=True)
    unchecked.rename(target)
    return found


def effort(fit: Fit) -> dict[str, int | float]:
    """What the training took, over all sessions of the run, for the manifest.

    Returns: steps, those of the optimizer; images, training images that counted, each
        as often as it was drawn; epochs; seconds of training, without validation.
    """
    seconds = pd.read_csv(fit.run.history)["seconds"]
    settings, images = fit.config.training, fit.training_set.draws.total
    batches = len(seconds) * steps_per_epoch(images, settings.batch_size)
    return {
        "steps": batches // settings.accumulate,
        "images": len(seconds) * images,
        "epochs": len(seconds),
        "seconds": round(float(seconds.sum()), 2),
    }


def _calibrate(fit: Fit, table: pd.DataFrame) -> dict[str, Calibration]:
    """Fit calibrations on the validation split, and write `calibration.json`."""
    validation = table[table["split"] == "validation"]
    ratios = prior_ratios(fit.training_set)
    calibrations = fit_calibrations(validation, fit.inputs.answers, ratios)
    fit.write(description.calibrations_text(calibrations))
    stored = {name: own.to_plain() for name, own in calibrations.items()}
    storage.write_json(fit.run.calibration, stored)
    return calibrations


def _write_fields(fit: Fit, table: pd.DataFrame) -> None:
    """Write what divides the images of validation and test into strata."""
    rows = table[table["split"].isin(JUDGED_SPLITS)]
    fields_file.write(
        {dataset.name: dataset.table for dataset in fit.inputs.datasets},
        fit.inputs.answers,
        fit.run.fields,
        images={name: set(own["image_id"]) for name, own in rows.groupby("dataset")},
        declared={one.name: one.declared_labels for one in fit.inputs.datasets},
    )


def _assessment(table, tasks, calibrations) -> dict[str, dict]:
    """`assessment.json`; calibrations are judged on the test split only."""
    assessment = assess_splits(table, tasks)
    tested = table[table["split"] == "test"]
    if len(tested):
        sections = calibration_sections(tested, tasks, calibrations)
        for task, of_task in sections.items():
            assessment["test"][task] |= of_task
    return assessment


def _check_export(
    fit, model, path, probabilities, calibrations, most: int = 16
) -> dict:
    """Compare the SavedModel with what the model predicted for real images."""
    inputs, split = fit.inputs, _judged_split(probabilities)
    samples = inputs.samples[split]
    rows = spread(len(samples), most)
    images = [inputs.images.stored(samples.image[row]) for row in rows]
    expected = {name: values[rows] for name, values in probabilities[split].items()}
    compare = functools.partial(export.check_export, path, inputs.answers, images)
    if fit.statistics is None:
        largest = compare(expected, calibrations)
    else:
        chosen = samples.take(np.array(rows))
        unseen = predict(model, chosen, inputs, fit.config, unseen=True)
        names = chosen.rows["dataset"].tolist()
        largest = max(
            compare(unseen, calibrations), compare(expected, calibrations, names)
        )
    return {"compared_images": len(rows), "largest_difference": largest}


def _probe(fit: Fit, model: keras.Model) -> None:
    """Write `features_probe.json`: how well features tell the datasets apart."""
    inputs, config = fit.inputs, fit.config
    if len(inputs.judged) < 2:
        return
    filled = [split for split, samples in inputs.samples.items() if len(samples)]
    samples = inputs.samples[_judged_split(filled)]
    chosen = samples.take(probe.subsample(samples.dataset, seed=config.seed))
    backbone = model.get_layer(config.model.backbone)
    # For so few batches, a graph would take longer to trace than it saves.
    features = [
        backbone(keras.utils.unpack_x_y_sample_weight(batch)[0], training=False)
        for batch in inputs_of(chosen, inputs, config)
    ]
    names = [dataset.name for dataset in inputs.datasets]
    found = probe.probe_features(
        np.concatenate(features)[: len(chosen)],
        chosen.dataset,
        chosen.patient,
        names,
        seed=config.seed,
    )
    storage.write_json(fit.run.features_probe, found.to_plain())


def _judged_split(predicted: Collection[str]) -> str:
    """The test split, or validation if the fold has no test rows."""
    return "test" if "test" in predicted else "validation"
