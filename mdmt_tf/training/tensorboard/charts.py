"""Names of the charts of a run.

TensorBoard sorts groups and charts by name, so names begin with their place: the group
`1 prognosis` of the most important answer has the charts `1 loss`, `2 auc`, and so on.
A metric of training and of validation has the same name in two folders of event files,
`train` and `validation`; TensorBoard draws them in one chart.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath, PureWindowsPath

from mdmt_tf.metrics.layout import charted
from mdmt_tf.metrics.table import METRICS
from mdmt_tf.tasks import Answer
from mdmt_tf.tasks.derived import by_importance, divide

TRAIN, VALIDATION = "train", "validation"
# Group of what is about no answer; it comes after the groups with a number.
_RUN = "run"


class Charts:
    """The answers of a run in the order of their charts, and the names of these.

    Args:
        answers: tasks of the model, and derived answers.
        task, metric: what selects the epoch.

    Attributes:
        answers: the most important one first, see `by_importance`.
        tasks: the tasks among them.
        terms: names of the tasks that derived answers follow from.

    Example:
        >>> from mdmt_tf.tasks import make_task
        >>> age = make_task(kind="regression", name="age")
        >>> charts = Charts([age], "age", "r2")
        >>> charts.place("validation/age/r2"), charts.place("train/loss")
        (('validation', '1 age/2 r2'), ('train', 'run/loss'))
        >>> charts.place("validation/age/n") is None
        True
    """

    def __init__(self, answers: Iterable[Answer], task: str, metric: str):
        self.answers = by_importance(answers, task)
        self.tasks, derived = divide(self.answers)
        self.terms = frozenset(name for answer in derived for name in answer.terms)
        self._groups = {
            answer.name: f"{place} {answer.name}"
            for place, answer in enumerate(self.answers, start=1)
        }
        self._metrics = {
            answer.name: charted(answer, metric) for answer in self.answers
        }

    def tag(self, answer: str, name: str) -> str:
        """The name of a picture or a curve of an answer."""
        return f"{self._groups[answer]}/{name}"

    def place(self, key: str) -> tuple[str, str] | None:
        """The folder and the name of the chart of a column of `history.csv`.

        Returns: None for what has no chart.
        """
        first, *rest = key.split("/")
        if len(rest) == 2:
            answer, metric = rest
            shown = self._metrics[answer]
            if metric not in shown:
                return None
            return first, self.tag(answer, f"{shown.index(metric) + 1} {metric}")
        if first == "weight":
            return TRAIN, key
        return TRAIN, f"{_RUN}/{rest[0] if rest else first}"


def describe(key: str) -> str:
    """What a column of `history.csv` is, below its chart."""
    first, *rest = key.split("/")
    if len(rest) < 2:
        return _DESCRIPTIONS.get(key, _DESCRIPTIONS.get(first, ""))
    metric = METRICS[rest[1]]
    better = "lower is better" if metric.lower_is_better else "higher is better"
    better = better if metric.ideal is None else f"ideal is {metric.ideal:g}"
    return f"{metric.title} of {rest[0]}; {better}. {_SPLITS[rest[1] == 'loss']}"


_DESCRIPTIONS = {
    "train/loss": "The loss that is minimised: the weighted sum over the tasks.",
    "learning_rate": "Learning rate of the optimizer.",
    "seconds": "Seconds of training in the epoch, without validation.",
    "selected": "1 where the weights were kept, as the best until then.",
    "weight": "Learned weight of the loss of a task.",
}
# Whether it is the loss -> what the two curves are.
_SPLITS = {
    True: "train: mean over the epoch, with augmentation, dropout and class weights; "
    "validation: after the epoch.",
    False: "After the epoch. train: of some training images without augmentation, if "
    "training.tensorboard_train_images is set.",
}


def without_paths(settings):
    """Plain settings with the names of files and folders instead of absolute paths.

    Example:
        >>> without_paths({"data_dir": "/home/ann/data", "weights": ["imagenet"]})
        {'data_dir': '.../data', 'weights': ['imagenet']}
    """
    if isinstance(settings, dict):
        return {
            without_paths(key): without_paths(value) for key, value in settings.items()
        }
    if isinstance(settings, str):
        for form in (PurePosixPath, PureWindowsPath):
            if form(settings).is_absolute() or settings.startswith("~"):
                return f".../{form(settings).name}"
        return settings
    if isinstance(settings, Sequence):
        return [without_paths(value) for value in settings]
    return settings
