"""Agreement of masks with manual masks."""

import cv2
import numpy as np
import pandas as pd

from mdmt_tf.imaging import contact_sheet, crop

_RESAMPLES = 2000


def score(found: np.ndarray, drawn: np.ndarray) -> dict[str, float]:
    """Agreement of two masks (height, width) of 0, 1 right lung, 2 left lung.

    Returns: `dice` of both lungs as one region, `dice_right`, `dice_left`; `box_iou`,
        intersection over union of the smallest boxes of both lungs; `swapped`, whether
        more pixels of a lung are labelled as the other lung than as this lung.
    """
    swapped = any(
        np.count_nonzero((drawn == lung) & (found == 3 - lung))
        > np.count_nonzero((drawn == lung) & (found == lung))
        for lung in (1, 2)
    )
    return {
        "dice": _dice(found > 0, drawn > 0),
        "dice_right": _dice(found == 1, drawn == 1),
        "dice_left": _dice(found == 2, drawn == 2),
        "box_iou": _box_iou(found, drawn),
        "swapped": swapped,
    }


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def _box_iou(a: np.ndarray, b: np.ndarray) -> float:
    if not a.any():
        return 0.0
    one, two = (np.array(crop.smallest_box(mask)) for mask in (a, b))
    sides = np.minimum(one[2:], two[2:]) - np.maximum(one[:2], two[:2])
    common = np.prod(np.maximum(sides, 0))
    return common / (np.prod(one[2:] - one[:2]) + np.prod(two[2:] - two[:2]) - common)


def summary(scores: pd.DataFrame) -> dict[str, float]:
    """Mean Dice with its interval, 5th percentile and other statistics over images.

    The 95 % interval of the mean is a bootstrap over patients, not over images.
    """
    groups = [group["dice"].to_numpy() for _, group in scores.groupby("patient_group")]
    rng = np.random.default_rng(0)
    means = []
    for _ in range(_RESAMPLES):
        drawn = rng.integers(0, len(groups), len(groups))
        means.append(np.concatenate([groups[number] for number in drawn]).mean())
    low, high = np.percentile(means, (2.5, 97.5))
    return {
        "images": len(scores),
        "patients": len(groups),
        "dice": scores["dice"].mean(),
        "dice_low": low,
        "dice_high": high,
        "dice_p5": scores["dice"].quantile(0.05),
        "dice_right": scores["dice_right"].mean(),
        "dice_left": scores["dice_left"].mean(),
        "box_iou": scores["box_iou"].mean(),
        "swapped": int(scores["swapped"].sum()),
    }


def table(scores: pd.DataFrame) -> str:
    """Markdown table of the scores: all images, then by fold, view and source."""
    lines = [
        "| unseen patients | images | Dice | 5th percentile | right | left | box IoU | "
        "swapped |",
        "|---|---|---|---|---|---|---|---|",
    ]

    def add(name, group):
        s = summary(group)
        mean = f"{s['dice']:.3f} ({s['dice_low']:.3f} to {s['dice_high']:.3f})"
        lines.append(
            f"| {name} | {s['images']} | {mean} | {s['dice_p5']:.3f} "
            f"| {s['dice_right']:.3f} | {s['dice_left']:.3f} | {s['box_iou']:.3f} "
            f"| {s['swapped']} |"
        )

    add("all", scores)
    for column in ("fold", "view", "source"):
        for value, group in scores.groupby(column):
            add(f"{column} {value}", group)
    return "\n".join(lines) + "\n"


def picture(image: np.ndarray, found: np.ndarray, drawn: np.ndarray, caption: str):
    """uint8 (320, 320, 3) with outlines: predicted in red, manual in green."""
    side = 320
    canvas = cv2.cvtColor(crop.to_uint8(crop.resize(image, side)), cv2.COLOR_GRAY2BGR)
    for mask, colour in ((drawn, (0, 255, 0)), (found, (0, 0, 255))):
        small = cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST)
        for lung in (1, 2):
            contact_sheet.outline(canvas, small == lung, colour)
    cv2.putText(
        canvas,
        caption,
        (3, 14),
        cv2.FONT_HERSHEY_SIMPLEX,
        fontScale=0.42,
        color=(255, 255, 0),
    )
    return canvas
