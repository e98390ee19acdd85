"""Which metrics a report shows of a task, by its kind.

All that are computed are in table_s1.csv and runs.csv; here is what people read.
"""

import dataclasses

from mdmt_tf.tasks import Kind, Task

Block = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Shown:
    """Metrics of the tasks of one kind, in the order of their columns.

    Attributes:
        headline: of Table 1, box plots and slopes. Every block is a table of its own,
            narrow enough for 80 columns.
        compared: of the tests of Table 2 and of the table of runs.
        detailed: of Table S1, a table for each block; what a task lacks is left out.
    """

    headline: tuple[Block, ...]
    compared: Block
    detailed: tuple[Block, ...]


# In the order of their paper; two halves, for the sake of the width.
_TWO_CLASSES = (
    ("auc", "balanced_accuracy", "accuracy", "specificity"),
    ("npv", "precision", "recall", "f1"),
)
_ORDERED = ("balanced_accuracy", "mae", "rmse", "kappa", "ordinal_index")
_NUMBER = ("mae", "rmse", "r2")
_MEANS_OF_F1 = ("f1_macro", "f1_weighted")

SHOWN = {
    # Ruffini et al., MICCAI 2024: Tables 1 and 2.
    Kind.CATEGORICAL: Shown(
        headline=(("accuracy", "f1", "g_mean"),),
        compared=("accuracy", "f1", "g_mean", "balanced_accuracy", "auc"),
        detailed=(
            (
                *("loss", "accuracy", "f1", *_MEANS_OF_F1, "g_mean"),
                *("balanced_accuracy", "auc", "brier", "kappa"),
            ),
        ),
    ),
    # Cobo et al., MLMI 2024: prognosis and age there, the score of coma below.
    Kind.BINARY: Shown(
        headline=_TWO_CLASSES,
        compared=(*_TWO_CLASSES[0], *_TWO_CLASSES[1]),
        detailed=(
            ("loss", "brier", "g_mean", *_TWO_CLASSES[0]),
            (*_TWO_CLASSES[1], *_MEANS_OF_F1),
        ),
    ),
    Kind.ORDINAL: Shown(
        headline=(_ORDERED,),
        compared=_ORDERED,
        detailed=(
            _ORDERED,
            ("loss", "brier", "auc", "accuracy", "f1", *_MEANS_OF_F1, "g_mean"),
        ),
    ),
    Kind.REGRESSION: Shown(
        headline=(_NUMBER,), compared=_NUMBER, detailed=(("loss", *_NUMBER),)
    ),
}

# What a reader may ask of a metric; said below Table 1 where the metric is shown.
MEANINGS = {
    "f1": "F1 is that of the positive class, macro-averaged for more than two classes.",
    "recall": "The last of two classes is the positive one: recall (sensitivity) and "
    "specificity are the shares of the positive and of the negative that are so "
    "called, precision (PPV) and NPV the shares of those called positive, or negative, "
    "that are so.",
    "ordinal_index": "MAE and RMSE count classes; kappa has quadratic weights. Ordinal "
    "index: Cardoso and Sousa 2011, from 0 (perfect) to 1; less is better.",
}


def headline(task: Task) -> Block:
    """The metrics of Table 1, of all blocks."""
    return tuple(name for block in SHOWN[task.kind].headline for name in block)


def compared(task: Task) -> Block:
    """The metrics of Table 2."""
    return SHOWN[task.kind].compared


def titled(title: str, block: Block, blocks: tuple[Block, ...]) -> str:
    """The title of a table, which says which part it is when there are several."""
    if len(blocks) < 2:
        return title
    return f"{title}, part {blocks.index(block) + 1} of {len(blocks)}"
