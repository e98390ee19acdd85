"""Train and cross-validate the lung network.

    python tools/train_lungs.py OPEN_CXR WORK

OPEN_CXR is the folder with lung_masks/manifest.csv. The tool writes to WORK

    scores.csv, scores.md   Dice, box IoU and swapped sides of every image, by the
                            network that was trained without its patient; 95 % intervals
                            over patients
    worst.png               the images with the lowest Dice
    lungs.npz               the network trained with all images, to be copied to
                            mdmt_tf/imaging/lungs/
    phantoms.csv            scores of the network before it has seen a real image, with
                            `--parts phantoms`
    other files             intermediate results for an interrupted run

There are three steps. The network is trained on phantoms, whose lungs are known
exactly; then on the real images of a fold with strong augmentation; then on the same
images with mild augmentation and without normalisation, to learn the manual borders.
Several processes can divide the work by different `--parts`.

`--phantoms` and `--schedule` are for experiments, each in a WORK of its own, that
`tools/compare_lungs.py` compares:

    python tools/train_lungs.py OPEN_CXR none --phantoms 0 --schedule 0.33
    python tools/train_lungs.py OPEN_CXR many --phantoms 3000 --schedule 0.33
    python tools/compare_lungs.py none many
"""

import argparse
import json
import logging
from pathlib import Path

import keras
import lung_data
import lung_scores
import lung_training
import numpy as np
import pandas as pd

from mdmt_tf.imaging import contact_sheet, crop, dicom
from mdmt_tf.imaging.lungs import network, segmentation

logger = logging.getLogger("train_lungs")

# Chosen on the folds whose scores are reported, as there were not enough images for a
# separate set. MODEL_CARD.md lists the comparisons.
_PHANTOMS = 400
_PHANTOM_EPOCHS = 8
_PHANTOM_WEIGHTS = "phantoms.weights.h5"
_PHANTOMS_ONLY = "phantoms"  # the part that no real image trains
_DRAWINGS = 80  # strong augmentations of each image; further epochs repeat them
_EPOCHS = 110
_LEARNING_RATE = 2e-3
_MILD = 0.4
_MILD_EPOCHS = 24
_MILD_LEARNING_RATE = 5e-4
_WORST = 24


def main(argv=None):
    options = _parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    _check_settings(options)
    table, pictures = lung_data.read_study(options.data)
    table["fold"] = lung_data.patient_folds(table, options.folds)
    logger.info("%d images, %d patients", len(table), table["patient_group"].nunique())
    if options.phantoms:
        _learn_phantoms(work, options.phantoms, options.phantom_epochs)
    epochs, mild_epochs = (
        max(1, round(options.schedule * full)) for full in (_EPOCHS, _MILD_EPOCHS)
    )
    drawings = min(epochs, _DRAWINGS)
    strong = _changed(work / "strong.npz", pictures, 1.0, drawings, seed=0)
    mild = _changed(work / "mild.npz", pictures, _MILD, mild_epochs, seed=2)
    # "all" is the network to ship; no images remain to test it.
    for part in options.parts or [*map(str, range(options.folds)), "all"]:
        if part == _PHANTOMS_ONLY:
            _score_start(table, work)
            continue
        chosen = np.flatnonzero(table["fold"].astype(str) != part)
        first = work / f"first_{part}.npz"
        file = work / ("lungs.npz" if part == "all" else f"fold_{part}.npz")
        if not first.exists():
            _learn(work, first, strong, chosen, epochs, options.phantoms)
        if not file.exists():
            _refine(first, file, mild, chosen, mild_epochs)
        if part != "all":
            scores = _score(table[table["fold"] == int(part)], file)
            scores.to_csv(work / f"fold_{part}.csv", index=False)
            _log(f"fold {part}", scores)
    if all((work / f"fold_{fold}.csv").exists() for fold in range(options.folds)):
        _report(table, work)


def _check_settings(options):
    """A WORK belongs to one experiment: its files are reused without a check."""
    names = ("phantoms", "phantom_epochs", "schedule", "folds")
    settings = {name: getattr(options, name) for name in names}
    file = options.work / "settings.json"
    if file.exists():
        before = json.loads(file.read_text(encoding="utf-8"))
        if before != settings:
            raise SystemExit(
                f"{options.work} was made with other settings: {before}, now "
                f"{settings}. Use another folder, or remove it."
            )
    file.write_text(json.dumps(settings), encoding="utf-8")


def _log(name, scores):
    summary = lung_scores.summary(scores)
    logger.info("%s: %s", name, {k: f"{v:.4f}" for k, v in summary.items()})


def _changed(file, pictures, strength, epochs, seed):
    if not file.exists():
        lung_data.save(lung_data.changed(pictures, strength, epochs, seed), file)
    return lung_data.load(file)


def _learn_phantoms(work, count, epochs):
    file = work / _PHANTOM_WEIGHTS
    if file.exists():
        return
    drawn = lung_data.draw_phantoms(count)
    changed = lung_data.changed(drawn, 1.0, epochs, seed=1)
    model = _new_model()
    lung_training.fit(
        model, changed, np.arange(count), epochs=epochs, learning_rate=_LEARNING_RATE
    )
    model.save_weights(file)


def _score_start(table, work):
    model = _new_model()
    model.load_weights(work / _PHANTOM_WEIGHTS)
    file = work / "phantoms.npz"
    np.savez(file, **lung_training.shipped(model))
    scores = _score(table, file)
    scores.to_csv(work / "phantoms.csv", index=False)
    _log("phantoms alone", scores)


def _learn(work, file, changed, chosen, epochs, phantoms):
    logger.info("training for %s", file.name)
    model = _new_model()
    if phantoms:
        model.load_weights(work / _PHANTOM_WEIGHTS)
    lung_training.fit(
        model, changed, chosen, epochs=epochs, learning_rate=_LEARNING_RATE
    )
    np.savez(file, **lung_training.shipped(model))


def _refine(first, file, changed, chosen, epochs):
    logger.info("refining for %s", file.name)
    model = network.build_network(dtype=lung_training.POLICY)
    with np.load(first, allow_pickle=False) as arrays:
        network.set_weights(model, dict(arrays))
    lung_training.fit(
        model, changed, chosen, epochs=epochs, learning_rate=_MILD_LEARNING_RATE
    )
    np.savez(file, **lung_training.shipped(model))


def _new_model():
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    return lung_training.build()


def _segmenter(file):
    """A function like `segment_lungs`, with the weights of a file."""
    model = network.build_network()
    with np.load(file, allow_pickle=False) as arrays:
        network.set_weights(model, dict(arrays))
    return lambda images: segmentation.segment(
        images, lambda inputs: model.predict_on_batch(inputs[..., np.newaxis])
    )


def _score(table, weights):
    """Scores at the original size, with the same code that users run."""
    segment = _segmenter(weights)
    rows = []
    for row in table.itertuples():
        (found,) = segment([dicom.read_image(row.image)])
        drawn = lung_data.read_mask(row.mask)
        about = {key: getattr(row, key) for key in _ABOUT}
        problem = crop.implausible(found)
        score = lung_scores.score(found, drawn)
        rows.append({**about, **score, "implausible": problem or ""})
    return pd.DataFrame(rows)


_ABOUT = ("image_id", "fold", "patient_group", "view", "source")


def _report(table, work):
    folds = sorted(set(table["fold"]))
    scores = pd.concat(pd.read_csv(work / f"fold_{fold}.csv") for fold in folds)
    scores.to_csv(work / "scores.csv", index=False)
    worst = scores.sort_values("dice").head(_WORST)
    text = lung_scores.table(scores)
    text += "\nLowest Dice of each fold:\n\n"
    for fold in folds:
        for row in scores[scores["fold"] == fold].nsmallest(3, "dice").itertuples():
            text += f"- fold {fold}: {row.image_id} ({row.view}) {row.dice:.3f}\n"
    (work / "scores.md").write_text(text, encoding="utf-8")
    segmenters = {fold: _segmenter(work / f"fold_{fold}.npz") for fold in folds}
    tiles = []
    for row in worst.itertuples():
        files = table[table["image_id"] == row.image_id].iloc[0]
        image = dicom.read_image(files["image"])
        (found,) = segmenters[row.fold]([image])
        caption = f"{row.dice:.3f} {row.view} {row.source}"
        drawn = lung_data.read_mask(files["mask"])
        tiles.append(lung_scores.picture(image, found, drawn, caption))
    contact_sheet.write(work / "worst.png", tiles)
    print(text)


def _parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="OPEN_CXR")
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument(
        "--parts",
        nargs="+",
        metavar="PART",
        help="of 0, 1, ... and all (default: each of these), or phantoms",
    )
    parser.add_argument(
        "--phantoms",
        type=int,
        default=_PHANTOMS,
        metavar="N",
        help=f"phantoms of the first step; 0: random initial values; {_PHANTOMS}",
    )
    parser.add_argument(
        "--phantom-epochs",
        type=int,
        default=_PHANTOM_EPOCHS,
        metavar="N",
        help=f"epochs of the first step, {_PHANTOM_EPOCHS}",
    )
    parser.add_argument(
        "--schedule",
        type=float,
        default=1.0,
        metavar="FRACTION",
        help="of the epochs of the other two steps, for short comparisons; 1",
    )
    options = parser.parse_args(argv)
    if options.parts and _PHANTOMS_ONLY in options.parts and not options.phantoms:
        parser.error(f"--parts {_PHANTOMS_ONLY} needs --phantoms of at least 1")
    return options


if __name__ == "__main__":
    main()
