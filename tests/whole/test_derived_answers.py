"""A run with derived answers: its tables, metrics, model, and other data."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.data.sources import open_dataset
from mdmt_tf.errors import ConfigError
from mdmt_tf.runs import predictions, summary
from mdmt_tf.runs.external import choose_labels, make_request
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.saliency import explanation
from mdmt_tf.saliency.methods import GRAD_CAM
from mdmt_tf.serving import evaluation, external
from mdmt_tf.serving.ensemble import open_model
from mdmt_tf.serving.export import ServedModel
from mdmt_tf.training import trainer

pytestmark = pytest.mark.large

N = 60
ZONES = ("left", "right")


def zone(name):
    return {"kind": "ordinal", "classes": ["0", "1", "2", "3"], "from": {"ward": name}}


SETTINGS = {
    "experiment": "zones",
    "image_size": 32,
    "tasks": {
        "left": zone("left") | {"mirror": "right"},
        "right": zone("right") | {"mirror": "left"},
        "effusion": {
            "kind": "binary",
            "classes": ["no", "yes"],
            "from": {"ward": "effusion"},
        },
    },
    "derived": {"total": {"sum": [*ZONES, "effusion"], "cut_points": [2, 4]}},
    "datasets": {"ward": {"config": "full_256"}},
    "split": {"folds": 3, "stratify_by": ["left"]},
    # Served models, `predict` and `evaluate` must average over flips, too.
    "model": {"backbone": "tiny", "flip_averaging": True},
    "training": {
        "epochs": 2,
        "batch_size": 16,
        "warmup_epochs": 0,
        "select_on": {"task": "total", "metric": "kappa"},
    },
}


def rows(stored_pixels, prefix):
    """Labels of every sum; some unknown."""
    for row in range(N):
        name = f"{prefix}{row:02d}"
        labels = {"left": row % 4, "right": row // 4 % 4, "effusion": row % 2}
        if row % 11 == 0:
            labels["right"] = -1
        yield {
            "image": stored_pixels(name),
            "image_id": name,
            "patient_id": name,
            "site": "A",
            **{key: np.int64(value) for key, value in labels.items()},
            "score": np.int64(-1 if row % 11 == 0 else sum(labels.values())),
        }


@pytest.fixture(scope="module")
def folder(tiny_backbone, prepare, stored_pixels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zones")
    for name in ("ward", "clinic"):
        examples = list(rows(stored_pixels, name[0]))
        prepare(folder / "data", name, examples, metadata={"synthetic": True})
    values = SETTINGS | {"data_dir": str(folder / "data")}
    files.write(values, folder / "settings.yaml")
    return folder


@pytest.fixture(scope="module")
def lines():
    return []


@pytest.fixture(scope="module")
def run(folder, lines):
    """Finished; no test may change it."""
    path, run_dir = str(folder / "settings.yaml"), folder / "run"
    settings = config.load(path, [f"run_dir={run_dir}"])
    return trainer.train(settings, write=lines.append)


@pytest.fixture(scope="module")
def tables(run):
    """answer -> its rows, by image."""
    table = predictions.read(run.predictions)
    return {n: own.set_index("image_id") for n, own in table.groupby("task")}


def test_rows_follow_from_those_of_the_tasks(tables):
    assert set(tables) == {*ZONES, "effusion", "total", "total_sum"}
    terms = [tables[name] for name in (*ZONES, "effusion")]
    category, total = tables["total"], tables["total_sum"]
    for own in (category, total):
        assert len(own) == N and own.index.equals(terms[0].index)
        # The task of the second zone is unknown in 6 of 60 images.
        assert own["target"].notna().sum() == 54
    expected = sum(own["target"] for own in terms)
    np.testing.assert_array_equal(total["target"], expected)
    known = expected.notna()
    assert (category["target"][known] == np.digitize(expected[known], [2, 4])).all()

    columns = [[f"p_{i}" for i in range(n)] for n in (4, 4, 2)]
    chances = [own[c].to_numpy() for own, c in zip(terms, columns, strict=True)]
    for row in range(N):
        of_sum = np.convolve(
            np.convolve(chances[0][row], chances[1][row]), chances[2][row]
        )
        found = category[["p_0", "p_1", "p_2"]].iloc[row]
        parts = [of_sum[:2].sum(), of_sum[2:4].sum(), of_sum[4:].sum()]
        np.testing.assert_allclose(found, parts, atol=1e-12)
        value = of_sum @ np.arange(8)
        assert category["value"].iloc[row] == pytest.approx(value)
        assert total["prediction"].iloc[row] == pytest.approx(value)
    assert (category["prediction"] == np.digitize(category["value"], [2, 4])).all()


def test_metrics_are_those_of_the_rows(run, tables):
    metrics = run.read_json(run.metrics)["test"]
    own = {
        n: t[(t["split"] == "test") & t["target"].notna()] for n, t in tables.items()
    }
    category, total = own["total"], own["total_sum"]
    kappa = sklearn.metrics.cohen_kappa_score(
        category["target"], category["prediction"], weights="quadratic"
    )
    kappa = 0.0 if np.isnan(kappa) else kappa
    assert metrics["total"]["kappa"] == pytest.approx(kappa)
    accuracy = (category["target"] == category["prediction"]).mean()
    assert metrics["total"]["accuracy"] == pytest.approx(accuracy)
    error = (total["target"] - total["prediction"]).abs().mean()
    assert metrics["total_sum"]["mae"] == pytest.approx(error)
    rho = total[["target", "prediction"]].corr("spearman").iloc[0, 1]
    assert metrics["total_sum"]["spearman"] == pytest.approx(rho)
    assessed = run.read_json(run.assessment)["test"]
    assert set(assessed["total_sum"]["by_image"]["metrics"]) == {
        *("loss", "mae", "rmse", "r2", "spearman")
    }
    assert (
        "calibrated" in assessed["total"] and "calibrated" not in assessed["total_sum"]
    )


def test_it_chose_the_epoch_and_has_its_history(run):
    history = pd.read_csv(run.history)
    kappa = history["validation/total/kappa"]
    best = history.loc[history["selected"] == 1].index[-1]
    assert kappa[best] == kappa.max() and "validation/total_sum/mae" in history
    assert not any(c.startswith("train/total") for c in history)


def test_the_terminal_says_what_it_is(run, lines, capsys):
    assert "derived from left, right, effusion\n" in lines[0]
    # A derived answer has no loss of its own in training.
    table = "".join(lines[1:])
    assert "total_sum" in table and "valid" in table and "train " not in table
    summary.print_metrics(run, {})
    text = capsys.readouterr().out
    assert "\ntotal by image: " in text and "\ntotal_sum by image: " in text


def test_the_run_can_be_evaluated_again(run):
    assert evaluation.reproduce(run) == []


def test_its_value_has_saliency_maps(run, tables, tmp_path):
    chosen = explanation.Chosen(most=2)
    methods = explanation.Options(methods=[GRAD_CAM])
    explained = explanation.explain_finished(run, chosen, methods, folder=tmp_path)
    # The sum has the same map as its category.
    assert [r.task for r in explained.rows[:4]] == ["total", *ZONES, "effusion"]
    for row in explained.rows:
        if row.task == "total":
            own = tables["total"].loc[row.image_id]
            names = ["<2", "2 to <4", ">=4"]
            assert row.predicted == names[int(own["prediction"])]
            known = own["target"] == own["target"]
            assert row.true_class == (names[int(own["target"])] if known else "")
    one = dataclasses.replace(methods, answers=["total_sum"])
    explained = explanation.explain_finished(run, chosen, one, folder=tmp_path / "sum")
    assert [row.class_explained for row in explained.rows] == ["value"] * 2


def test_its_weights_predict_what_the_saved_model_does(run, tmp_path):
    copy = RunFolder(shutil.copytree(run.path, tmp_path / "run"))
    text = copy.config.read_text(encoding="utf-8")
    copy.config.write_text(
        text.replace("saved_model: true", "saved_model: false"), encoding="utf-8"
    )
    shutil.rmtree(copy.saved_model)
    assert evaluation.reproduce(copy) == []


def test_the_saved_model_gives_its_rows(run, folder, tables):
    served = ServedModel(run.saved_model)
    about = json.loads((run.saved_model / "model.json").read_text())["tasks"]["total"]
    assert about["kind"] == "category_of_sum" and about["cut_points"] == [2, 4]
    assert about["terms"]["effusion"] == [0, 1]
    data = open_dataset(folder / "data", "ward", "full_256")
    from mdmt_tf.data.images import Images

    (images,) = Images([data], (32, 32), "auto").batches(np.arange(20), 20)
    found = served.predict(images)
    names = [str(name) for name in data.table["image_id"][:20]]
    category = tables["total"].loc[names]
    expected = category[["p_0", "p_1", "p_2", "value"]].to_numpy()
    np.testing.assert_allclose(found["total"], expected, atol=2e-6)
    total = tables["total_sum"].loc[names, ["prediction"]]
    np.testing.assert_allclose(found["total_sum"], total, atol=2e-6)
    # Calibration changes the probabilities, not the value.
    assert found["total_calibrated"].shape == (20, 4)
    np.testing.assert_array_equal(found["total_calibrated"][:, 3], found["total"][:, 3])


def test_an_open_model_has_it_among_its_tasks(run):
    model = open_model(run.path)
    assert [task.name for task in model.tasks][-2:] == ["total", "total_sum"]
    assert model.tasks[-2].class_names == ("<2", "2 to <4", ">=4")


def requested(run, folder, *labels):
    request = make_request(
        [run], "clinic", folder / "data", labels=labels, out=folder / "out"
    )
    dataset = external.open_unseen(request)
    return request, dataset


@pytest.mark.parametrize(
    ("labels", "answers"),
    [
        ((), {*ZONES, "effusion", "total", "total_sum"}),
        (("left=left", "right=right"), {*ZONES}),
        (("total=score",), {"total"}),
        (("total_sum=score", "left=left"), {"left", "total_sum"}),
    ],
)
def test_on_other_data_it_has_the_labels_of_its_tasks_or_its_own(
    run, folder, labels, answers
):
    result = external.evaluate_runs(*requested(run, folder, *labels))
    table = result.whole.predictions
    assert set(table["task"]) == {task.name for task in result.tasks} == answers
    sums = {"total", "total_sum"} & answers
    for name in sums:
        own = table[table["task"] == name]
        scores = np.asarray(result.dataset.table["score"])
        targets = scores if name == "total_sum" else np.digitize(scores, [2, 4])
        np.testing.assert_array_equal(
            own["target"], np.where(scores >= 0, targets, np.nan)
        )


def test_several_fields_are_no_label_of_a_sum(run, folder):
    request, dataset = requested(run, folder, "total=left,right")
    with pytest.raises(ConfigError, match="label of total = .*expected one field with"):
        choose_labels(request, dataset)
