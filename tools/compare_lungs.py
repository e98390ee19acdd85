"""Compare lung networks that `tools/train_lungs.py` has cross-validated.

    python tools/compare_lungs.py WORK_A WORK_B ...

Each WORK after the first is compared with the first, on the images of the folds that
are finished in all of them. The table has the mean and the 5th percentile of Dice of
unseen patients, and the difference to the first WORK with its 95 % interval: a
bootstrap over patients, paired. The random numbers of training are not part of it.
"""

import argparse
from pathlib import Path

import lung_scores
import pandas as pd


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("works", nargs="+", type=Path, metavar="WORK")
    parser.add_argument(
        "--file",
        default="fold_*.csv",
        metavar="PATTERN",
        help="scores in a WORK to compare, fold_*.csv; or phantoms.csv",
    )
    options = parser.parse_args(argv)
    if len(options.works) < 2:
        parser.error("expected two folders or more")
    print(comparison(options.works, options.file))


def comparison(works: list[Path], pattern: str = "fold_*.csv") -> str:
    """Markdown table of the folders of `works`, each compared with the first."""
    files = [{file.name for file in work.glob(pattern)} for work in works]
    finished = sorted(set.intersection(*files))
    if not finished:
        raise SystemExit(
            f"no {pattern} is in every one of {', '.join(map(str, works))}: train them "
            "with tools/train_lungs.py first."
        )
    first, *others = (
        pd.concat(pd.read_csv(work / name) for name in finished) for work in works
    )
    lines = [
        f"{len(first)} images of {first['patient_group'].nunique()} patients, "
        f"{', '.join(finished)}",
        "",
        "| network | Dice | minus the first | 5th percentile | minus the first |",
        "|---|---|---|---|---|",
    ]
    start = lung_scores.summary(first)
    lines.append(
        f"| {works[0].name} | {start['dice']:.4f} | | {start['dice_p5']:.4f} | |"
    )
    for work, scores in zip(works[1:], others, strict=True):
        found = lung_scores.differences(scores, first)
        cells = (
            f"{row.first:.4f} | {row.difference:+.4f} "
            f"({row.low:+.4f} to {row.high:+.4f})"
            for row in found.itertuples()
        )
        lines.append(f"| {work.name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
