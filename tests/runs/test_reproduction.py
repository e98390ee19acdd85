"""What differs between a run and its model's predictions now; no network is needed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from mdmt_tf.errors import DataError
from mdmt_tf.runs import predictions
from mdmt_tf.runs.evaluation import Evaluation
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.runs.reproduction import differences, read_stored
from mdmt_tf.storage import write_json
from mdmt_tf.tasks import make_task

OUTCOME = make_task(
    kind="binary", name="outcome", sources={"ward": "died"}, classes=("no", "yes")
)
AGE = make_task(kind="regression", name="age", sources={"ward": "age"}, std=20.0)
SIGNS = make_task(
    kind="multilabel",
    name="signs",
    sources={"ward": ("s[0]", "s[1]")},
    classes=("left", "right"),
)
N = 40


def table_of(chance, age, signs=None):
    """Predictions of N images, as a model makes them."""
    rows = pd.DataFrame(
        {
            "dataset": "ward",
            "split": ["train", "test"] * (N // 2),
            "fold": 0,
            "image_id": [f"i{k:02d}" for k in range(N)],
            "patient_id": [f"p{k // 2:02d}" for k in range(N)],
            "site": "north",
        }
    )
    labels = np.arange(N) // 2 % 2
    signs = np.tile([0.25, 0.75], (N, 1)) if signs is None else signs
    tables = [
        predictions.prediction_table(
            OUTCOME, rows, labels, np.stack([1 - chance, chance], axis=1)
        ),
        predictions.prediction_table(
            AGE, rows, np.where(labels, np.nan, 50.0), age[:, np.newaxis]
        ),
        predictions.prediction_table(
            SIGNS, rows, np.stack([labels, 1 - labels], axis=1), signs
        ),
    ]
    return pd.concat(tables, ignore_index=True)


TASKS = (OUTCOME, AGE, SIGNS)
CHANCE = np.linspace(0.1, 0.9, N)
YEARS = np.linspace(40, 80, N)


def written(table, folder):
    """A run with these predictions and their metrics, as `train` writes them."""
    run = RunFolder(folder)
    predictions.write(table, run.predictions)
    write_json(run.metrics, predictions.metrics_of(table, TASKS))
    return run


def found(run, table):
    """What differs when the model predicts this."""
    metrics = predictions.metrics_of(table, TASKS)
    return differences(run, Evaluation(predictions=table, metrics=metrics), TASKS)


def test_predictions_are_read_with_every_digit(tmp_path):
    table = table_of(CHANCE, YEARS)
    run = written(table, tmp_path)
    stored = read_stored(run, TASKS)
    for column in ("p_0", "p_1", "prediction", "target"):
        np.testing.assert_array_equal(stored[column], table[column])
    assert found(run, table) == []


def test_rounding_changes_ranks_and_classes_but_nothing_differs(tmp_path):
    """A model that is hardly trained predicts nearly the same for every image."""
    generator = np.random.default_rng(1)
    one, other = (table_of(0.5 + generator.normal(0, 1e-6, N), YEARS) for _ in range(2))
    rows = one["task"] == "outcome"
    aucs = [
        roc_auc_score(t.loc[rows, "target"], t.loc[rows, "p_1"]) for t in (one, other)
    ]
    assert abs(aucs[0] - aucs[1]) > 0.01
    assert (one["prediction"] != other["prediction"])[rows].any()
    assert found(written(one, tmp_path), other) == []


def test_other_metrics_are_named(tmp_path):
    table = table_of(CHANCE, YEARS)
    run = written(table, tmp_path)
    stored = run.read_json(run.metrics)
    accuracy = stored["test"]["outcome"]["accuracy"]
    text = run.metrics.read_text()
    stored["test"]["outcome"]["accuracy"] += 2e-9
    stored["test"]["age"]["mae"] = None
    write_json(run.metrics, stored)
    assert run.metrics.read_text() != text
    one, other = found(run, table)
    assert one == (
        f"metrics.json: test outcome accuracy: {accuracy + 2e-9:.10g}, but "
        f"predictions.csv gives {accuracy:.10g}"
    )
    assert other.startswith("metrics.json: test age mae: nan, but predictions.csv")


def test_other_predictions_are_counted_with_examples_and_metrics(tmp_path):
    run = written(table_of(CHANCE, YEARS), tmp_path)
    moved = CHANCE.copy()
    moved[[1, 4, 5, 30]] += [0.25, -0.05, 0.05, 2e-5]
    lines = found(run, table_of(moved, YEARS))
    assert lines[:4] == [
        "predictions.csv: outcome: 4 of 40 rows differ, by up to 0.25, such as",
        f"  test i01 p_0: {1 - CHANCE[1]:.6g}, now {1 - moved[1]:.6g}",
        f"  train i04 p_0: {1 - CHANCE[4]:.6g}, now {1 - moved[4]:.6g}",
        f"  test i05 p_0: {1 - CHANCE[5]:.6g}, now {1 - moved[5]:.6g}",
    ]
    assert all(", now " in line and " outcome " in line for line in lines[4:])
    expected, received = (
        roc_auc_score(np.arange(N)[1::2] // 2 % 2, values[1::2])
        for values in (CHANCE, moved)
    )
    assert f"test outcome auc: {expected:.6g}, now {received:.6g}" in lines


def test_values_may_differ_by_a_fraction_of_their_size_or_std(tmp_path):
    """The std is 20, so 2e-4 is allowed for small values; 8e-4 for 80."""
    run = written(table_of(CHANCE, YEARS - 40), tmp_path)
    assert found(run, table_of(CHANCE, YEARS - 40 + 1.5e-4)) == []
    # Differences, not metrics: the labels are 50 years.
    lines = found(run, table_of(CHANCE, YEARS - 40 + 3e-4))
    # 3e-4 is allowed from 30 years on, as of 0 to 40 in 40 steps of 1.03 years.
    small = np.count_nonzero(YEARS - 40 < 30)
    assert lines[0].startswith(f"predictions.csv: age: {small} of 40 rows differ")


def test_each_label_of_an_image_is_compared(tmp_path):
    run = written(table_of(CHANCE, YEARS), tmp_path)
    signs = np.tile([0.25, 0.75], (N, 1))
    signs[7, 1] = 0.7
    lines = found(run, table_of(CHANCE, YEARS, signs))
    (head,) = [line for line in lines if line.startswith("predictions.csv")]
    name = SIGNS.components[1].name
    assert head.startswith(
        f"predictions.csv: {name}: 1 of 40 rows differs, by up to 0."
    )


def test_undefined_predictions_are_equal_to_each_other_only(tmp_path):
    ages = YEARS.copy()
    ages[3] = np.nan
    run = written(table_of(CHANCE, ages), tmp_path)
    assert found(run, table_of(CHANCE, ages)) == []
    lines = found(run, table_of(CHANCE, YEARS))
    assert lines[0] == "predictions.csv: age: 1 of 40 rows differs, such as"
    assert lines[1] == f"  test i03 prediction: nan, now {YEARS[3]:.6g}"


@pytest.mark.parametrize(
    ("column", "value", "line"),
    [
        ("target", 1.0, "  train i00 target: 1, now 0"),
        ("patient_id", "x", "  train i00 patient_id: x, now p00"),
        ("prediction", 1.0, "  train i00 prediction: 1, now 0"),
    ],
)
def test_a_changed_cell_is_found(column, value, line, tmp_path):
    table = table_of(CHANCE, YEARS)
    changed = table.copy()
    changed.loc[0, column] = value
    lines = found(written(changed, tmp_path), table)
    assert lines[:2] == [
        "predictions.csv: outcome: 1 of 40 rows differs, such as",
        line,
    ]


def test_missing_and_further_rows_are_listed(tmp_path):
    table = table_of(CHANCE, YEARS)
    run = written(table.drop(index=[2, 3]), tmp_path)
    lines = found(run, table.drop(index=[0]))
    assert lines[:2] == [
        "predictions.csv: 1 row is not predicted now, such as train outcome i00",
        "predictions.csv: 2 rows are missing, such as train outcome i02",
    ]


def test_a_row_that_is_there_twice_is_one_too_many(tmp_path):
    table = table_of(CHANCE, YEARS)
    twice = pd.concat([table, table[:1]], ignore_index=True)
    lines = found(written(twice, tmp_path), table)
    assert lines[0].startswith("predictions.csv: 1 row is not predicted now")


def test_the_order_of_rows_does_not_matter(tmp_path):
    table = table_of(CHANCE, YEARS)
    assert found(written(table[::-1].reset_index(drop=True), tmp_path), table) == []


def test_a_file_that_is_missing_or_is_no_table(tmp_path):
    run = written(table_of(CHANCE, YEARS), tmp_path)
    whole = run.predictions.read_text()
    run.predictions.write_text(whole.replace("p_1", "q"))
    with pytest.raises(DataError, match=r"predictions.csv: .* column.* p_1"):
        read_stored(run, TASKS)
    for wrong in (whole + "," * 20 + "\n", whole.replace(",0.75", ",three", 1)):
        run.predictions.write_text(wrong)
        with pytest.raises(DataError, match=r"predictions.csv: cannot be read"):
            read_stored(run, TASKS)
    run.predictions.unlink()
    with pytest.raises(DataError, match=r"predictions.csv: missing"):
        read_stored(run, TASKS)
