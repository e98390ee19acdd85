"""Fields against outcomes, by hand and by scipy."""

import dataclasses
import math
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from mdmt_tf import config
from mdmt_tf.config.schema import BaselineSection
from mdmt_tf.errors import DataError
from mdmt_tf.experiments import correlations, plan
from mdmt_tf.experiments.correlations import CRAMER, PEARSON, SPEARMAN, correlate
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.tasks import make_task

TASK = make_task(
    name="outcome",
    kind="binary",
    classes=("good", "poor"),
    sources={"ct": "poor"},
)


def table_of(labels, **fields):
    ids = np.array([f"i{row}" for row in range(len(labels))], object)
    site = np.full(len(labels), "A", object)
    made = {"image_id": ids, "patient_id": ids, "site": site}
    return made | {"poor": np.asarray(labels)} | fields


def found_in(table, *fields, task=TASK):
    """field, measure -> row."""
    section = BaselineSection(task="outcome", fields={"ct": fields})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = correlate("clinical", section, task, {"ct": table})
    assert list(table.columns) == correlations.COLUMNS
    return {(row.field, row.measure): row for row in table.itertuples()}


def words(*values):
    return np.array(values, object)


def test_numbers_by_hand():
    # Ranks 1 2 3 4 against those of the classes, 1.5 1.5 3.5 3.5; sums of products of
    # what they differ from 2.5: 1.5 + 0.5 + 0.5 + 1.5; sums of squares: 5 and 4.
    found = found_in(table_of([0, 0, 1, 1], age=np.array([10.0, 20, 30, 80])), "age")
    assert found["age", SPEARMAN].value == pytest.approx(4 / math.sqrt(5 * 4))
    # Ages differ from their mean, 35, by -25, -15, -5, 45; classes by 1/2.
    expected = (25 + 15 - 5 + 45) / 2 / math.sqrt(25**2 + 15**2 + 5**2 + 45**2)
    assert found["age", PEARSON].value == pytest.approx(expected)
    assert math.isnan(found["age", PEARSON].p)
    assert [row.n for row in found.values()] == [4, 4]


def test_texts_by_hand():
    # chi2 = 8 (3 * 3 - 1 * 1)^2 / 4^4 = 2, so V = sqrt(2 / 8).
    sex = words("m", "M ", "m", "f", "f", "F", "f", "m")
    found = found_in(table_of([1, 1, 1, 1, 0, 0, 0, 0], sex=sex), "sex")
    assert found["sex", CRAMER].value == pytest.approx(0.5)
    assert found["sex", CRAMER].p == pytest.approx(math.erfc(math.sqrt(2 / 2)))


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scipy(seed):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, 80)
    age = generator.normal(labels, 2).round(1)
    ward = words(*generator.choice(["a", "b", "c", "d"], 80))
    task = make_task(
        kind="ordinal", name="t", classes=("a", "b", "c"), sources=TASK.sources
    )
    found = found_in(table_of(labels, age=age, ward=ward), "age", "ward", task=task)
    rho, p = scipy.stats.spearmanr(age, labels)
    assert found["age", SPEARMAN].value == pytest.approx(rho)
    assert found["age", SPEARMAN].p == pytest.approx(p)
    r = scipy.stats.pearsonr(age, labels).statistic
    assert found["age", PEARSON].value == pytest.approx(r)
    counts = pd.crosstab(ward, labels).to_numpy()
    v = scipy.stats.contingency.association(counts, method="cramer")
    assert found["ward", CRAMER].value == pytest.approx(v)


def test_pearsons_r_of_two_classes_is_the_point_biserial():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 40)
    age = generator.normal(labels, 1)
    found = found_in(table_of(labels, age=age), "age")
    expected = scipy.stats.pointbiserialr(labels, age).statistic
    assert found["age", PEARSON].value == pytest.approx(expected)


def test_unknown_fields_and_labels_are_left_out():
    labels = [0, 0, 1, 1, -1, 0, 1]
    table = table_of(
        labels,
        age=np.array([10.0, 20, 30, 80, 500, np.nan, 0]),
        score=np.array([3, 4, 5, -1, 9, 9, 9]),
        sex=words("m", "m", "f", "", "f", "f", "f"),
    )
    found = found_in(table, "age", "score", "sex")
    assert found["age", SPEARMAN].n == 5
    assert found["score", SPEARMAN].n == 5
    rho = scipy.stats.spearmanr([3, 4, 5, 9, 9], [0, 0, 1, 0, 1]).statistic
    assert found["score", SPEARMAN].value == pytest.approx(rho)
    assert found["sex", CRAMER].n == 5


def test_a_patient_counts_once_by_the_first_image():
    labels, age = [1, 0, 1, 0, 0], np.array([50.0, 20, 60, 30, 1])
    table = table_of(labels, age=age)
    table["patient_id"] = words("p9", "p1", "p2", "p3", "p9")
    found = found_in(table, "age")
    assert found["age", SPEARMAN].n == 4
    rho = scipy.stats.spearmanr([50, 20, 60, 30], [1, 0, 1, 0]).statistic
    assert found["age", SPEARMAN].value == pytest.approx(rho)


def test_what_has_no_spread_has_no_correlation():
    labels = [0, 1, 0, 1]
    table = table_of(
        labels,
        same=np.full(4, 3.0),
        none=np.full(4, np.nan),
        two=np.array([1.0, 2, np.nan, np.nan]),
        word=words(*"aaaa"),
        empty=words("", "", "", ""),
        age=np.arange(4.0),
    )
    found = found_in(table, "same", "none", "two", "word", "empty", "age")
    for (field, _), row in found.items():
        if field != "age":
            assert math.isnan(row.value) and math.isnan(row.p), field
            assert math.isnan(row.p_holm)
    # They take no part in the adjustment: one test is left.
    age = found["age", SPEARMAN]
    assert age.p_holm == age.p < 1
    of_one_class = table_of([1] * 4, age=table["age"], word=words(*"abab"))
    found = found_in(of_one_class, "age", "word")
    assert len(found) == 3 and all(math.isnan(row.value) for row in found.values())


def test_holm_over_the_fields_of_a_baseline():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 60)
    fields = {f"f{i}": generator.normal(labels * i / 4, 1) for i in range(4)}
    fields["word"] = words(*np.where(generator.random(60) < 0.5, "a", "b"))
    found = found_in(table_of(labels, **fields), *fields)
    tested = [row for row in found.values() if not math.isnan(row.p)]
    assert len(tested) == 5
    least = 0.0
    for place, row in enumerate(sorted(tested, key=lambda row: row.p)):
        least = max(least, min(1.0, row.p * (5 - place)))
        assert row.p_holm == pytest.approx(least)


def test_datasets_have_rows_of_their_own():
    tables = {
        "ct": table_of([0, 1, 0, 1], age=np.arange(4.0)),
        "mr": table_of([0, 1, 1], years=np.arange(3)),
    }
    task = dataclasses.replace(TASK, sources={"ct": "poor", "mr": "poor"})
    section = BaselineSection(task="outcome", fields={"ct": ("age",), "mr": ("years",)})
    table = correlate("clinical", section, task, tables)
    assert table["dataset"].tolist() == ["ct", "ct", "mr", "mr"]
    assert table["n"].tolist() == [4, 4, 3, 3]


def test_the_file_is_read_as_it_was_written(tmp_path):
    table = table_of([0, 1, 0, 1], NA=np.array([1.0, 3, 2, 7]), same=np.ones(4))
    section = BaselineSection(task="outcome", fields={"ct": ("NA", "same")})
    made = correlate("clinical", section, TASK, {"ct": table})
    path = tmp_path / "correlations.csv"
    correlations.write(made, path)
    pd.testing.assert_frame_equal(
        correlations.read(path), made, check_dtype=False, check_exact=True
    )
    path.write_text("field,p\na,0.5\n")
    with pytest.raises(DataError, match=r"correlations.csv: expected the columns base"):
        correlations.read(path)


def test_they_are_written_with_the_plan(tmp_path, monkeypatch):
    """Before any fit, over all folds; a benchmark without baselines has no file."""
    ids = np.array([f"i{row:03d}" for row in range(60)], object)
    common = {"image_id": ids, "patient_id": ids, "site": words(*"ABC" * 20)}
    labels = {
        "aiforcovid": {
            "prognosis": words(*["MILD", "SEVERE"] * 30),
            "age": np.arange(60) % 17 * 1.0,
        },
        "brixia": {"brixia_global": np.arange(60) % 18},
    }

    class Dataset:
        synthetic, units, declared_labels = True, {}, ()
        folder = tmp_path / "prepared"

        def __init__(self, name):
            self.name, self.table = name, common | labels[name]

        def __len__(self):
            return len(ids)

        def describe(self):
            return {"fingerprint": self.name}

    monkeypatch.setattr(
        plan, "open_datasets", lambda _, versions: tuple(map(Dataset, versions))
    )
    fitted = []
    (tmp_path / "own").mkdir()
    monkeypatch.setattr(plan, "fit_baseline", lambda *args: fitted.append(args))
    section = "{task: prognosis, fields: {aiforcovid: [age]}}"
    # Two models of the same field share a row.
    perceptron = section.replace("}}", "}, model: mlp}")
    baseline = f"benchmark.baselines={{age: {section}, age_mlp: {perceptron}}}"
    for name, overrides in (
        ("with", [baseline]),
        ("without", ["benchmark.baselines={}"]),
    ):
        settings = config.load(
            "paper",
            [
                f"data_dir={tmp_path}",
                f"datasets.brixia.data_dir={tmp_path / 'own'}",
                "benchmark.backbones=[resnet18]",
                "tasks.prognosis.classes=[MILD, SEVERE]",
                *overrides,
            ],
        )
        folder = Folder(tmp_path / name)
        folder.path.mkdir()
        plan.make_plan(settings, folder)
    assert fitted
    data = Folder(tmp_path / "with").read_data()
    assert data["data_dirs"] == {"brixia": str(tmp_path / "own")}
    assert not Folder(tmp_path / "without").correlations.exists()
    found = correlations.read(tmp_path / "with" / "correlations.csv")
    assert found["n"].tolist() == [60, 60]
    assert found["baseline"].tolist() == ["age, age_mlp"] * 2
    rho = scipy.stats.spearmanr(np.arange(60) % 17, [0, 1] * 30)
    assert found["value"][0] == pytest.approx(rho.statistic)
    assert found["p_holm"][0] == pytest.approx(rho.pvalue)
