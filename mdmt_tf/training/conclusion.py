"""The end of a fit: predictions, calibration, export, saliency, metrics."""

import shutil
from collections.abc import Mapping

import keras
import pandas as pd

from mdmt_tf import storage
from mdmt_tf.data.profile import describe_training_images
from mdmt_tf.data.samples import spread
from mdmt_tf.data.sampling import steps_per_epoch
from mdmt_tf.runs import predictions
from mdmt_tf.runs.manifest import data_note
from mdmt_tf.saliency import choice, explanation
from mdmt_tf.serving import export
from mdmt_tf.statistics.assessment import assess_splits
from mdmt_tf.statistics.calibration import Calibration
from mdmt_tf.statistics.calibration_fit import fit_calibrations, prior_ratios
from mdmt_tf.statistics.operating_points import calibration_sections
from mdmt_tf.training import description
from mdmt_tf.training.fit import Fit, predict


def conclude(fit: Fit, model: keras.Model) -> None:
    """Write predictions, export, saliency, metrics; `metrics.json` comes last."""
    config, run, inputs, write = fit.config, fit.run, fit.inputs, fit.write
    manifest = dict(fit.manifest)
    training_images = describe_training_images(inputs)
    storage.write_json(run.training_images, training_images)
    probabilities = {
        split: predict(model, samples, inputs, config)
        for split, samples in inputs.samples.items()
        if len(samples)
    }
    table = predictions.gather(inputs.samples, probabilities, inputs.split.fold)
    predictions.write(table, run.predictions)
    calibrations = _calibrate(fit, table)
    # Other runs may start from these weights.
    model.get_layer(config.model.backbone).save_weights(run.backbone_weights)

    if config.training.saved_model:
        write("exporting the SavedModel and comparing it with the trained model ...\n")
        about = description.information(config, inputs, manifest, training_images)
        unchecked = run.path / "saved_model.unchecked"
        export.export_model(
            model,
            inputs.tasks,
            unchecked,
            about,
            config.normalization,
            calibrations=calibrations,
        )
        manifest["export"] = _check_export(
            unchecked, inputs, probabilities, calibrations
        )
        # Only a checked export gets its final name.
        shutil.rmtree(run.saved_model, ignore_errors=True)
        unchecked.rename(run.saved_model)
    if config.training.saliency:
        write("explaining some predictions ...\n")
        explanation.explain_run(
            config,
            inputs.tasks,
            model,
            choice.of_split(
                inputs, _judged_split(probabilities), config.training.saliency
            ),
            run.saliency,
            note=data_note(manifest),
        )
    storage.write_json(run.assessment, _assessment(table, inputs.tasks, calibrations))
    manifest["effort"] = effort(fit)
    manifest["finished"] = storage.now()
    storage.write_json(run.manifest, manifest)
    storage.write_json(run.metrics, predictions.metrics_of(table, inputs.tasks))


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
    calibrations = fit_calibrations(validation, fit.inputs.tasks, ratios)
    fit.write(description.calibrations_text(calibrations))
    stored = {name: own.to_plain() for name, own in calibrations.items()}
    storage.write_json(fit.run.calibration, stored)
    return calibrations


def _assessment(table, tasks, calibrations) -> dict[str, dict]:
    """`assessment.json`; calibrations are judged on the test split only."""
    assessment = assess_splits(table, tasks)
    tested = table[table["split"] == "test"]
    if len(tested):
        sections = calibration_sections(tested, tasks, calibrations)
        for task, of_task in sections.items():
            assessment["test"][task] |= of_task
    return assessment


def _check_export(path, inputs, probabilities, calibrations, most: int = 16) -> dict:
    """Compare the SavedModel with what the model predicted for real images."""
    split = _judged_split(probabilities)
    samples = inputs.samples[split]
    rows = spread(len(samples), most)
    images = [inputs.images.stored(samples.image[row]) for row in rows]
    expected = {name: values[rows] for name, values in probabilities[split].items()}
    largest = export.check_export(path, inputs.tasks, images, expected, calibrations)
    return {"compared_images": len(rows), "largest_difference": largest}


def _judged_split(predicted: Mapping) -> str:
    """The test split, or validation if the fold has no test rows."""
    return "test" if "test" in predicted else "validation"
