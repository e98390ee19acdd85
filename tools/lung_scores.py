"""Agreement of masks with manual masks."""

import cv2
import numpy as np
import pandas as pd

from mdmt_tf.imaging import contact_sheet, crop

_RESAMPLES = 2000
_LIMITS = (2.5, 97.5)


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
    low, high = np.percentile(
        [scores["dice"].to_numpy()[rows].mean() for rows in _resamples(scores)],
        _LIMITS,
    )
    return {
        "images": len(scores),
        "patients": scores["patient_group"].nunique(),
        "dice": scores["dice"].mean(),
        "dice_low": low,
        "dice_high": high,
        "dice_p5": scores["dice"].quantile(0.05),
        "dice_right": scores["dice_right"].mean(),
        "dice_left": scores["dice_left"].mean(),
        "box_iou": scores["box_iou"].mean(),
        "swapped": int(scores["swapped"].sum()),
    }


def _resamples(scores: pd.DataFrame):
    """Row numbers of each resample: patients with all of their images."""
    groups = list(scores.groupby("patient_group").indices.values())
    rng = np.random.default_rng(0)
    for _ in range(_RESAMPLES):
        drawn = rng.integers(0, len(groups), len(groups))
        yield np.concatenate([groups[number] for number in drawn])


def differences(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Statistics of two networks on the same images, and first minus second.

    Args:
        first, second: scores of the same images, in any order.
    Returns: a row for each of `dice` and `dice_p5` (mean and 5th percentile of Dice),
        with the columns `first`, `second`, `difference`, `low` and `high`. The 95 %
        interval of the difference is a bootstrap over patients, paired: a resample has
        the same patients for both. Another training of the same network is not part of
        it.
    Raises: ValueError when the images differ.

    Example:
        >>> one = pd.DataFrame({"image_id": ["x", "y"], "patient_group": ["a", "b"]})
        >>> best, worst = one.assign(dice=[0.9, 0.8]), one.assign(dice=[0.7, 0.6])
        >>> differences(best, worst).round(2).loc["dice"].tolist()
        [0.85, 0.65, 0.2, 0.2, 0.2]
    """
    if sorted(first["image_id"]) != sorted(second["image_id"]):
        other = sorted(set(first["image_id"]) ^ set(second["image_id"]))
        raise ValueError(
            f"Expected scores of the same images. In one of the two only: {other[:5]}"
        )
    pairs = first[["image_id", "patient_group", "dice"]].merge(
        second[["image_id", "dice"]], on="image_id", suffixes=("_first", "_second")
    )
    values = pairs[["dice_first", "dice_second"]].to_numpy()
    rows = {}
    for name, statistic in _STATISTICS.items():
        both = statistic(values)
        drawn = [np.subtract(*statistic(values[r])) for r in _resamples(pairs)]
        rows[name] = [*both, np.subtract(*both), *np.percentile(drawn, _LIMITS)]
    columns = ["first", "second", "difference", "low", "high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


_STATISTICS = {
    "dice": lambda values: values.mean(axis=0),
    "dice_p5": lambda values: np.percentile(values, 5, axis=0),
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
