"""The table of epochs that training prints, and its line of progress."""

import dataclasses
import textwrap
from collections.abc import Sequence

import keras

from mdmt_tf.metrics.layout import charted, legend
from mdmt_tf.metrics.table import METRICS
from mdmt_tf.screen import size
from mdmt_tf.screen.line import Line, cut
from mdmt_tf.screen.times import TimeLeft, duration, short
from mdmt_tf.tasks import Answer
from mdmt_tf.tasks.derived import Derived

NAN = float("nan")

# Letters of a column, with the space before it.
_WIDTHS = {"train": 7, "valid": 7, "metric": 6}
_TIME = 5
# A longer name above one column is shortened, so that more columns fit.
_LONGEST = 12
# Longer lines of text are hard to read.
_TEXT = 100


@dataclasses.dataclass(frozen=True)
class _Group:
    """The columns of one answer.

    Attributes:
        name: of the answer.
        metric: of its last column.
        columns: keys of `_WIDTHS`.
        width: letters, with the space before each column and one after the last.
    """

    name: str
    metric: str
    columns: tuple[str, ...]
    width: int

    @classmethod
    def of(cls, answer: Answer, metric: str, columns: Sequence[str], longest: int):
        if isinstance(answer, Derived):
            # It is not trained.
            columns = [column for column in columns if column != "train"]
        least = sum(_WIDTHS[column] for column in columns)
        width = max(least, min(len(answer.name), longest) + 1)
        return cls(answer.name, metric, tuple(columns), width + 1)

    def name_line(self) -> str:
        name = shortened(self.name, self.width - 2)
        return f" {name:<{self.width - 1}}"

    def headings(self) -> str:
        texts = [
            METRICS[self.metric].short if column == "metric" else column
            for column in self.columns
        ]
        return self._joined(texts)

    def values(self, logs: dict[str, float]) -> str:
        """The cells of an epoch.

        Args:
            logs: of the epoch, with the metrics of `EvaluateEpoch`.
        """
        keys = {
            "train": f"train/{self.name}/loss",
            "valid": f"validation/{self.name}/loss",
            "metric": f"validation/{self.name}/{self.metric}",
        }
        return self._joined(
            [
                number(logs.get(keys[column], NAN), _WIDTHS[column] - 1)
                for column in self.columns
            ]
        )

    def _joined(self, texts: Sequence[str]) -> str:
        cells = "".join(
            f"{text:>{_WIDTHS[column]}}"
            for column, text in zip(self.columns, texts, strict=True)
        )
        return f"{cells:<{self.width}}"


class ProgressLines(keras.callbacks.Callback):
    """A table that grows by one line per epoch, in the width of the terminal.

    Each answer has its losses and one metric. If that is too wide, only the answer by
    which the epoch is selected has its losses, and if that is too wide, too, the last
    answers are left out; `history.csv` has them all.

    The line of progress counts the steps of the epoch and says how much time is left of
    the whole training.

    Args:
        answers: trained and derived ones.
        epochs: number of epochs of the whole training.
        steps: steps of each.
        task, metric: by which the epoch is selected.
        line: receives the lines.
        may_stop: whether training may end before the last epoch.
    Attributes:
        first_step: steps of the first epoch in the sessions before.
    """

    def __init__(
        self,
        answers: Sequence[Answer],
        epochs: int,
        steps: int,
        task: str,
        metric: str,
        line: Line,
        may_stop: bool = False,
    ):
        super().__init__()
        self._epochs, self._steps, self._line = epochs, steps, line
        self._at_most = "at most " if may_stop else ""
        self._left = TimeLeft(epochs, steps)
        self.first_step = 0
        # With the mark of a selected epoch.
        self._width = max(5, 2 * len(str(epochs)) + 1) + 1
        # The second chart of TensorBoard, beside the loss.
        metrics = {
            answer.name: charted(answer, metric, most=2)[-1] for answer in answers
        }
        room = size.width() - self._width - 2 * _TIME
        self._groups = _fitting(answers, metrics, task, room)
        shown = {group.name for group in self._groups}
        self._left_out = [a.name for a in answers if a.name not in shown]

    def header(self) -> str:
        """Headings of the columns, and their meanings."""
        groups = self._groups
        meanings = dict.fromkeys(legend(group.metric for group in groups))
        columns = {column for group in groups for column in group.columns}
        texts = ["losses on training and validation images"]
        if "train" not in columns:
            texts = ["loss on validation images"] if "valid" in columns else []
        texts += [*meanings, "left: of all epochs", "*\xa0selected"]
        if self._left_out:
            names = ", ".join(self._left_out)
            texts.append(f"no room for {names}, which history.csv has")
        wrapped = textwrap.wrap("; ".join(texts), min(size.width(), _TEXT))
        # The star stands beside its meaning.
        wrapped = [line.replace("\xa0", " ") for line in wrapped]
        space = " " * (self._width + 2 * _TIME)
        names = "".join(group.name_line() for group in groups)
        headings = "".join(group.headings() for group in groups)
        first = f"{'epoch ':>{self._width}}{'time':>{_TIME}}{'left':>{_TIME}}"
        lines = [*wrapped, f"{space}{names}".rstrip(), f"{first}{headings}".rstrip()]
        return "".join(f"{line}\n" for line in lines)

    def on_epoch_begin(self, epoch, logs=None):
        number = f"{epoch + 1}/{self._epochs}"
        self._head = f"{number:>{self._width - 1}}"
        self._left.epoch_begins(epoch)

    def on_train_batch_end(self, batch, logs=None):
        step = self.first_step + batch + 1
        left = self._left.step_ends(step)
        text = f"{self._head}  step {step}/{self._steps}"
        if step == self._steps:
            text = f"{self._head}  validating"
        if left is not None:
            text += f", {self._at_most}{duration(left)} left"
        self._line.show(text, at_once=step == self._steps)

    def on_epoch_end(self, epoch, logs=None):
        self.first_step = 0
        left = self._left.epoch_ends(epoch)
        times = [short(logs["seconds"]), "-" if left is None else short(left)]
        line = f"{self._head}{'*' if logs['selected'] else ' '}"
        line += "".join(f"{text:>{_TIME}}" for text in times)
        line += "".join(group.values(logs) for group in self._groups)
        self._line.write(f"{line.rstrip()}\n")


def _fitting(
    answers: Sequence[Answer], metrics: dict[str, str], task: str, room: int
) -> list[_Group]:
    """The columns that fit, the most important ones first.

    Args:
        answers: trained and derived ones.
        metrics: answer -> the metric to show.
        task: the answer by which the epoch is selected.
        room: letters.
    """
    every = tuple(_WIDTHS)
    # A name is no reason to leave a column out.
    whole = [_Group.of(a, metrics[a.name], every, 0) for a in answers]
    if _taken(whole) <= room:
        return whole
    first = next((answer for answer in answers if answer.name == task), answers[0])
    others = [answer for answer in answers if answer is not first]
    for columns in (every, ("valid", "metric"), ("metric",)):
        groups = [_Group.of(first, metrics[first.name], columns, 0)]
        if _taken(groups) <= room:
            break
    for answer in others:
        group = _Group.of(answer, metrics[answer.name], ("metric",), _LONGEST)
        if _taken([*groups, group]) > room:
            break
        groups.append(group)
    return groups


def _taken(groups: Sequence[_Group]) -> int:
    """Letters of the groups; the space after the last one is none."""
    return sum(group.width for group in groups) - 1


def shortened(text: str, width: int) -> str:
    """The text with at most `width` letters; what is left out is in the middle.

    Example:
        >>> shortened("severity_from_zones_sum", 12), shortened("age", 12)
        ('severit…_sum', 'age')
    """
    end = width // 3
    if len(text) <= width or not end:
        return cut(text, width)
    return f"{text[: width - end - 1]}…{text[-end:]}"


def number(value: float, width: int) -> str:
    """A metric with three decimals, or fewer where they do not fit; "-" for NaN.

    Example:
        >>> number(0.61234, 5), number(11.51234, 5), number(12345.6, 5)
        ('0.612', '11.51', '12346')
    """
    if value != value:
        return "-"
    for decimals in (3, 2, 1, 0):
        text = f"{value:.{decimals}f}"
        if len(text) <= width:
            return text
    return f"{value:.0e}"
