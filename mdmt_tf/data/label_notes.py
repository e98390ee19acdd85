"""What is said about the labels of datasets where it could have been another thing.

Numbers of a task whose classes are words are taken for indices, and numbers without a
unit for those of the unit that others state. A user has to see that.
"""

from collections.abc import Iterator, Sequence

from mdmt_tf.data.sources import PreparedDataset, units_of
from mdmt_tf.tasks import Answer
from mdmt_tf.tasks.derived import divide
from mdmt_tf.tasks.labels import task_labels
from mdmt_tf.tasks.units import not_stated


def numbers_read(
    answers: Sequence[Answer], datasets: Sequence[PreparedDataset]
) -> dict[str, str]:
    """Task -> how numbers were read as its classes, if their names are words.

    Args:
        answers: tasks; derived answers are left out.
        datasets: those that feed them, with all of their images.
    Returns: such as "0 -> mild: 50, 1 -> severe: 23", with the name of the dataset if
        several feed the task.
    """
    found = {}
    for task in divide(answers)[0]:
        texts = {
            dataset.name: task.numbers_text(
                task_labels(dataset.name, dataset.table, task)
            )
            for dataset in datasets
            if dataset.name in task.sources
        }
        several = len(texts) > 1
        named = [
            f"{text} ({name})" if several else text
            for name, text in texts.items()
            if text
        ]
        if named:
            found[task.name] = "; ".join(named)
    return found


def fields_read(answers: Sequence[Answer], dataset: str) -> dict[str, str]:
    """Task -> which field of a dataset is which of its labels, if it has several.

    Args:
        answers: tasks; derived answers are left out.
    """
    texts = {task.name: task.fields_text(dataset) for task in divide(answers)[0]}
    return {task: text for task, text in texts.items() if text}


def label_notes(
    answers: Sequence[Answer], datasets: Sequence[PreparedDataset]
) -> Iterator[str]:
    """Lines on labels that were taken for something, for the terminal.

    Args: as for `numbers_read`; answers with their units.
    """
    for task, text in numbers_read(answers, datasets).items():
        yield f"labels of {task}: numbers read as {text}"
    for answer in answers:
        if names := not_stated(answer, units_of(datasets)):
            yield (
                f"labels of {answer.name}: taken as {answer.unit}; no unit is stated "
                f"in {', '.join(names)}"
            )
