"""Baselines: simple models in the same folds as the networks, and those of fields.

If a network is no better than a model of the projection, the age or the ward, the image
has added nothing. A model of fields is a logistic regression or a small multilayer
perceptron; `image_baselines` has those of the image as a whole. A baseline is trained
on the training split of the same fold and written as a run folder. No TensorFlow.
"""

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import pandas as pd

from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.errors import DataError
from mdmt_tf.runs import predictions
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.splits.files import SPLITS, assign
from mdmt_tf.splits.split import Split
from mdmt_tf.storage import now, sync_all, write_json
from mdmt_tf.tasks import Task
from mdmt_tf.tasks.labels import Table, field_values, label_is_known, task_labels


class Model(Protocol):
    """What `fit_baseline` requires of a model.

    Attributes:
        section: settings of the baseline.
        datasets: names of the datasets of its task.
    """

    section: BaselineSection

    @property
    def datasets(self) -> tuple[str, ...]: ...
    def columns(self, dataset: str, table: Table) -> pd.DataFrame: ...
    def probabilities(
        self, task: Task, rows: pd.DataFrame, columns: pd.DataFrame, labels: np.ndarray
    ) -> np.ndarray: ...


def fit_baseline(
    model: Model,
    task: Task,
    tables: Mapping[str, Table],
    split: Split,
    run: RunFolder,
    facts: dict,
) -> None:
    """Fit a model and write the folder of a finished run.

    Args:
        model: a `FieldModel`, or an `ImageModel`.
        task: the predicted task.
        tables: dataset -> fields.
        split: the model is fitted on its training split and predicts every split.
        run: the folder; it appears whole or not at all.
        facts: for the manifest.
    Raises: DataError for a missing field, or for fewer than two classes to fit.
    """
    rows, columns, labels = _gather(model, task, tables, split)
    task = task.fitted(labels[(rows["split"] == "train").to_numpy()])
    try:
        probabilities = model.probabilities(task, rows, columns, labels)
    except DataError as error:
        raise DataError(f"{split.source}: {error}") from error
    # In the order of the splits, like the predictions of a network.
    order = np.argsort([SPLITS.index(name) for name in rows["split"]], kind="stable")
    table = predictions.prediction_table(
        task, rows.iloc[order], labels[order], probabilities[order]
    )
    run.path.parent.mkdir(parents=True, exist_ok=True)
    partial = RunFolder(
        tempfile.mkdtemp(prefix=f".{run.path.name}.", dir=run.path.parent)
    )
    started = now()
    try:
        predictions.write(table, partial.predictions)
        split.write(partial.split)
        manifest = {**facts, "baseline": model.section.facts(), "started": started}
        write_json(partial.manifest, {**manifest, "finished": now()})
        write_json(partial.metrics, predictions.metrics_of(table, [task]))
        sync_all(partial.path)
        os.rename(partial.path, run.path)
    except OSError:
        # Another process may have written the same result first.
        if not run.is_finished:
            raise
    finally:
        shutil.rmtree(partial.path, ignore_errors=True)


def _gather(
    model: Model, task: Task, tables: Mapping[str, Table], split: Split
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """The images of all splits, their columns and their labels."""
    rows, columns, labels = [], [], []
    for name in model.datasets:
        table = tables[name]
        split_of = assign(name, split.datasets[name], table["image_id"], split.source)
        used = np.isin(split_of, SPLITS)
        frame = {key: table[key] for key in ("image_id", "patient_id", "site")}
        frame |= {"dataset": name, "split": split_of, "fold": split.fold}
        rows.append(pd.DataFrame(frame)[used])
        columns.append(model.columns(name, table)[used])
        labels.append(task.encode(task_labels(name, table, task))[used])
    return (
        pd.concat(rows, ignore_index=True),
        pd.concat(columns, ignore_index=True),
        np.concatenate(labels),
    )


@dataclasses.dataclass(frozen=True)
class FieldModel:
    """A classifier of the fields of the tables, which sees no image.

    Text fields become indicators of their values; case does not matter, and unknown is
    a value of its own. Numbers are standardised. An unknown number is set to the median
    and marked by an additional indicator.

    Attributes:
        section: the model (see `MODELS`), and the fields of each dataset that feeds the
            task, which has classes.
        by_patient: see `row_weights`.
    """

    section: BaselineSection
    by_patient: bool = False

    @property
    def datasets(self) -> tuple[str, ...]:
        return tuple(self.section.fields)

    def columns(self, dataset: str, table: Table) -> pd.DataFrame:
        """The fields of all images of a dataset."""
        return pd.DataFrame(
            {
                f"field_{number}": as_column(field_values(dataset, table, field))
                for number, field in enumerate(self.section.fields[dataset])
            }
        )

    def probabilities(
        self, task: Task, rows: pd.DataFrame, columns: pd.DataFrame, labels: np.ndarray
    ) -> np.ndarray:
        """Predict every row from those of the training split.

        Args:
            task: the predicted task.
            rows: dataset, split, image_id, patient_id and site of n images.
            columns: of the same images.
            labels: of the same images, (n, *label_shape), see `Task.encode`.
        Returns: as `Task.probabilities`.
        Raises: DataError for fewer than two classes to fit.
        """
        fitted = (rows["split"] == "train").to_numpy() & (labels >= 0)
        if len(np.unique(labels[fitted])) < 2:
            raise DataError(
                f"baseline of {task.name}: the training split has images of fewer than "
                "two classes."
            )
        weights = row_weights(rows, fitted, self.by_patient)[fitted]
        model = _model(self.section.model, columns)
        model.fit(columns[fitted], labels[fitted], classifier__sample_weight=weights)
        result = np.zeros((len(rows), task.n_classes))
        result[:, model.classes_] = model.predict_proba(columns)
        return result


def row_weights(rows: pd.DataFrame, fitted: np.ndarray, by_patient: bool) -> np.ndarray:
    """The weight of each row, float (n,), with the mean 1 over those that are fitted.

    Args:
        rows: dataset and patient_id of n images.
        fitted: bool (n,), the rows that a baseline is fitted to; others have weight 0.
        by_patient: whether each patient counts once, as with `pipeline.weight_by:
            patient`, or each image.

    Example:
        >>> rows = pd.DataFrame({"dataset": "ward", "patient_id": ["a", "b", "b"]})
        >>> row_weights(rows, np.array([True, True, True]), True).tolist()
        [1.5, 0.75, 0.75]
    """
    if not by_patient:
        return fitted.astype(np.float64)
    from mdmt_tf.data.training_set import patient_weights

    patient = rows.groupby(["dataset", "patient_id"]).ngroup().to_numpy()
    return patient_weights(fitted, patient, np.zeros(len(rows), np.int64))


def as_column(values: np.ndarray) -> np.ndarray:
    """Text in lower case, or floats with NaN where unknown."""
    if values.dtype.kind in "OSU":
        words = [str(value).strip().lower() for value in values]
        return np.array(words, object)
    return np.where(label_is_known(values), values, np.nan).astype(np.float64)


def _logistic():
    """Logistic regression; penalty: ridge, C = 1, as scikit-learn has it."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _mlp():
    """A perceptron with one layer of 16 tanh units: nonlinear effects, interactions.

    The penalty alpha |w|^2 / 2, added to the sum of the losses, is five times that of
    the logistic regression. On simulated tables of 60 to 1200 rows and 2 to 35 fields,
    alpha = 1 overfitted noise, and alpha = 10 no longer found interactions of two
    fields. L-BFGS uses all rows in every step, so it needs no learning rate, no order
    of batches and no rows for early stopping. It converges in about a hundred
    iterations with tanh, which is smooth, and in about a thousand with ReLU. The
    initial weights come from a fixed seed, so the same rows give the same model.
    """
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        hidden_layer_sizes=(16,),
        activation="tanh",
        solver="lbfgs",
        alpha=5.0,
        max_iter=2000,
        max_fun=20_000,
        random_state=0,
    )


# `model` of a baseline -> function that makes a classifier, loaded when needed.
MODELS = {"logistic": _logistic, "mlp": _mlp}


def _model(name: str, columns: pd.DataFrame):
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = list(columns.select_dtypes("number"))
    texts = [name for name in columns if name not in numbers]
    of_numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    of_texts = OneHotEncoder(handle_unknown="ignore")
    kinds = [("numbers", of_numbers, numbers), ("texts", of_texts, texts)]
    return Pipeline(
        [("columns", ColumnTransformer(kinds)), ("classifier", MODELS[name]())]
    )
