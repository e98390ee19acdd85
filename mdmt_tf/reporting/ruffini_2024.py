"""Results printed by Ruffini et al. (MICCAI 2024), for comparison with our own.

Task prognosis, AIforCOVID release 3 and BRIXIA, means over 18 backbones and the folds.
"CV" in the paper is 5-fold cross-validation, "LOCO" leaves one of six hospitals out.
Its G-mean is the weighted one of imbalanced-learn, see `NOTES`.
"""

from collections.abc import Collection

from mdmt_tf.tasks import Task

SOURCE = "AIforCOVID + BRIXIA, 18 backbones"
# Name of the task, and the dataset that feeds it. Other data have another prognosis.
TASK, SOURCE_OF_TASK = "prognosis", "aiforcovid"
DATASETS = frozenset({"aiforcovid", "brixia"})
BACKBONES = 18

CV, LOCO = "kfold", "leave_one_site_out"
# Number of folds -> their kind, for folds from files: 6 hospitals, and with each of 3
# groups of X-ray makers.
_KINDS = {5: CV, 6: LOCO, 18: LOCO}

# Table 1: kind of validation -> experiment -> metric -> fraction (the paper: per cent).
TABLE_1 = {
    CV: {
        "stl_prognosis": {"accuracy": 0.660, "f1": 0.639, "g_mean_weighted": 0.659},
        "ft": {"accuracy": 0.673, "f1": 0.631, "g_mean_weighted": 0.669},
        "mdmt": {"accuracy": 0.686, "f1": 0.666, "g_mean_weighted": 0.685},
    },
    LOCO: {
        "stl_prognosis": {"accuracy": 0.612, "f1": 0.573, "g_mean_weighted": 0.601},
        "ft": {"accuracy": 0.648, "f1": 0.589, "g_mean_weighted": 0.638},
        "mdmt": {"accuracy": 0.657, "f1": 0.643, "g_mean_weighted": 0.660},
    },
}

# What a reader of the paper's columns should know, for the notes below a table.
NOTES = (
    "The paper's G-mean is the weighted one of imbalanced-learn: with the accuracy and "
    "F1 of its row FT it comes to 66.86, printed are 66.9; the plain one comes to "
    "66.44.",
    "In the authors' code, metrics are of the test rows of all folds of a backbone "
    "together (see the table of pooled metrics), and the tests of Table 2 are "
    "one-sided paired t-tests over the 18 backbones.",
    "Where one centre is left out, their groups of BRIXIA are named after X-ray makers "
    "but are random parts of the data, each with the same mix of makers.",
    "configs/paper_code.yaml has the settings of their code as far as they are "
    "offered. Not copied: channels that each hold a stretched third of the image, and "
    "raw grey values in most experiments.",
)

CANDIDATE = "mdmt"
NO_STAR = "no star"
# Two of the three metrics have a star. The paper disagrees with itself on which two:
# accuracy and G-mean in its table, accuracy and F1 in its text.
TWO_OF_THREE = "* in two of three"
TWO_OF_THREE_NOTE = (
    f"“{TWO_OF_THREE}”: for the standard deviation under LOCO the paper has a star for "
    "two of accuracy, F1 and G-mean; its table and its text do not agree on which two."
)

# Table 2: (kind, statistic, other experiment) -> stars of accuracy, F1, G-mean.
_TABLE_2 = {
    (CV, "mean", "stl_prognosis"): ("***", "***", "***"),
    (CV, "mean", "ft"): ("**", "***", "**"),
    (CV, "sd", "stl_prognosis"): ("*", "*", "*"),
    (CV, "sd", "ft"): (NO_STAR,) * 3,
    (LOCO, "mean", "stl_prognosis"): ("***", "***", "***"),
    (LOCO, "mean", "ft"): (NO_STAR,) * 3,
    (LOCO, "sd", "stl_prognosis"): (TWO_OF_THREE,) * 3,
    (LOCO, "sd", "ft"): (TWO_OF_THREE,) * 3,
}


def kind_of(kind: str, folds: int) -> str:
    """The kind of a validation; of lists in files it follows from their number.

    Example:
        >>> kind_of("file", 5), kind_of("file", 6), kind_of("kfold", 10)
        ('kfold', 'leave_one_site_out', 'kfold')
    """
    return _KINDS.get(folds, kind) if kind == "file" else kind


def value(task: Task, kind: str, experiment: str, metric: str) -> float | None:
    """The value in Table 1 of the paper; None when there is none."""
    if not is_of_paper(task):
        return None
    return TABLE_1.get(kind, {}).get(experiment, {}).get(metric)


def stars(
    task: Task, kind: str, statistic: str, candidate: str, other: str, metric: str
) -> str | None:
    """The stars in Table 2 of the paper; None when there are none.

    Args:
        statistic: "mean" (candidate greater) or "sd" (candidate smaller).
    """
    metrics = ("accuracy", "f1", "g_mean_weighted")
    is_it = is_of_paper(task) and candidate == CANDIDATE
    if not is_it or metric not in metrics:
        return None
    found = _TABLE_2.get((kind, statistic, other))
    return found and found[metrics.index(metric)]


def is_of_paper(task: Task) -> bool:
    """Whether a task is the one that the paper has results of.

    It has the name of the paper's, its two classes, and no other source.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> facts = {"kind": "categorical", "classes": ("mild", "severe")}
        >>> own = make_task(name="prognosis", sources={"ward": "outcome"}, **facts)
        >>> is_of_paper(own)
        False
    """
    return (
        task.name == TASK
        and set(task.sources) == {SOURCE_OF_TASK}
        and task.n_classes == 2
    )


def is_of_data(datasets: Collection[str], synthetic: bool | None) -> bool:
    """Whether a benchmark is on the paper's data, so that its columns may be shown.

    Args:
        datasets: names of all datasets of the benchmark.
        synthetic: whether any of them is synthetic; None when that is not known.

    Example:
        >>> is_of_data(["aiforcovid", "brixia"], synthetic=False)
        True
        >>> is_of_data(["aiforcovid", "brixia"], synthetic=True)
        False
    """
    return synthetic is False and set(datasets) == DATASETS
