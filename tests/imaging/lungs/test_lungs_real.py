"""The weights in the package on real radiographs.

They were trained with these very images, so this guards the file and the steps around
the network; how good it is with unseen patients stands in MODEL_CARD.md.
"""

import csv
import re
from importlib import resources

import cv2
import numpy as np
import pytest

from mdmt_tf.imaging import crop, dicom
from mdmt_tf.imaging.lungs import segment_lungs


@pytest.fixture(scope="module")
def pairs(shared):
    """Every fourth image with its manual mask."""
    folder = shared / "data" / "open_cxr"
    with (folder / "lung_masks" / "manifest.csv").open(newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["n_lungs"] == "2" and row["convention"] == "includes_retrocardiac"
        ]
    return [
        (
            dicom.read_image(folder / row["image"]),
            cv2.imread(str(folder / row["mask"]), cv2.IMREAD_UNCHANGED),
        )
        for row in rows[::4]
    ]


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def test_masks_boxes_and_sides(pairs):
    found = segment_lungs([image for image, _ in pairs])
    scores = []
    for mask, (_, drawn) in zip(found, pairs, strict=True):
        scores.append(dice(mask > 0, drawn > 0))
        for lung in (1, 2):
            own = dice(mask == lung, drawn == lung)
            assert own > dice(mask == lung, drawn == 3 - lung)
        box, source = crop.lung_box(mask)
        assert source == "lungs"
        inside = np.zeros(drawn.shape, bool)
        inside[box[0] : box[2], box[1] : box[3]] = True
        assert np.count_nonzero((drawn > 0) & inside) > 0.97 * np.count_nonzero(drawn)
    assert np.mean(scores) > 0.95
    assert np.quantile(scores, 0.05) > 0.92


def test_negatives_and_mirrors_keep_their_sides(pairs):
    images = [image for image, _ in pairs[::3]]
    plain = segment_lungs(images)
    negative = segment_lungs([1 - image for image in images])
    mirrored = segment_lungs([np.ascontiguousarray(i[:, ::-1]) for i in images])
    agreement = {"negative": [], "mirrored": []}
    for mask, dark, mirror in zip(plain, negative, mirrored, strict=True):
        back = np.array([0, 2, 1], np.uint8)[mirror[:, ::-1]]
        for name, other in (("negative", dark), ("mirrored", back)):
            agreement[name].append(dice(mask > 0, other > 0))
            for lung in (1, 2):
                own = dice(mask == lung, other == lung)
                assert own > dice(mask == lung, other == 3 - lung)
    assert np.mean(agreement["negative"]) > 0.9
    assert np.mean(agreement["mirrored"]) > 0.95


def test_the_model_card_states_the_dice_of_unseen_patients():
    card = resources.files("mdmt_tf.imaging.lungs") / "MODEL_CARD.md"
    text = card.read_text(encoding="utf-8")
    row = re.search(r"\| all \| 173 \| (0\.\d+) \((0\.\d+) to (0\.\d+)\)", text)
    mean, low, high = map(float, row.groups())
    assert low < mean < high
    for words in ("Licences", "CC BY 4.0", "box IoU", "view AP Supine", "v7labs"):
        assert words in text
