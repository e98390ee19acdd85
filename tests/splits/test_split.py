"""Folds, their files and the check for patients in two splits."""

import json
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import StratifiedGroupKFold

from mdmt_tf.errors import DataError, DataWarning, LeakageError
from mdmt_tf.splits.folds import assign_folds
from mdmt_tf.splits.settings import SplitSettings
from mdmt_tf.splits.split import Split, count_folds, make_split
from mdmt_tf.tasks import make_task

# Its datasets name their patients alike; tests/splits/test_shared.py is about that.
pytestmark = pytest.mark.filterwarnings("ignore::mdmt_tf.errors.DataWarning")

TASK = make_task(
    name="prognosis",
    kind="categorical",
    classes=("mild", "severe"),
    sources={"cxr": "severe", "other": "severe"},
)


def table_of(patients, labels, sites=None):
    return {
        "image_id": np.array([f"i{n:04d}" for n in range(len(patients))], object),
        "patient_id": np.array([f"p{patient}" for patient in patients], object),
        "site": np.array(list(sites or "A" * len(patients)), object),
        "severe": np.array(labels),
    }


@pytest.fixture
def tables():
    """300 images of 200 patients, 3 of 10 severe, 1 unknown; and another dataset."""
    generator = np.random.default_rng(5)
    patients = [*range(200), *generator.integers(0, 200, 100)]
    label_of = generator.choice([0, 1, -1], 200, p=[0.6, 0.3, 0.1])
    return {
        "cxr": table_of(patients, label_of[patients]),
        "other": table_of(range(60), [0, 1] * 30),
    }


def split_of(split, name):
    return {
        image: key for key, images in split.datasets[name].items() for image in images
    }


def kfold(tables, fold=0, folds=5, seed=0, tasks=(TASK,)):
    settings = SplitSettings(kind="kfold", folds=folds, fold=fold, seed=seed)
    return make_split(tables, tasks, settings)


def test_every_image_is_tested_once_and_validated_once(tables):
    splits = [kfold(tables, fold) for fold in range(5)]
    for name, table in tables.items():
        for key in ("test", "validation"):
            images = [i for split in splits for i in split.datasets[name][key]]
            assert sorted(images) == sorted(table["image_id"])
        for split in splits:
            assert sorted(split_of(split, name)) == sorted(table["image_id"])
            assert split.datasets[name]["excluded"] == []


def test_validation_is_the_next_fold(tables):
    splits = [kfold(tables, fold) for fold in range(5)]
    for fold, split in enumerate(splits):
        following = splits[(fold + 1) % 5]
        for name in tables:
            assert (
                split.datasets[name]["validation"] == following.datasets[name]["test"]
            )


def test_validation_may_be_the_previous_fold(tables):
    """Validation of fold k is the test split of fold k - 1; of fold 0, of the last."""
    for fold in range(5):
        settings = SplitSettings(fold=fold, validation="previous_fold")
        split, before = (
            make_split(tables, (TASK,), settings),
            kfold(tables, fold - 1 if fold else 4),
        )
        same = kfold(tables, fold)
        for name in tables:
            lists = split.datasets[name]
            assert lists["validation"] == before.datasets[name]["test"]
            assert lists["test"] == same.datasets[name]["test"]


def fraction(tables, fold=0, tasks=(TASK,), **changes):
    settings = SplitSettings(
        kind="kfold", folds=10, fold=fold, validation="fraction", **changes
    )
    return make_split(tables, tasks, settings)


def test_validation_may_be_a_share_of_the_patients_of_all_other_folds(tables):
    for fold in range(10):
        split, next_fold = fraction(tables, fold), kfold(tables, fold, folds=10)
        assert split.validation_fraction == 0.1
        for name, table in tables.items():
            here, there = split_of(split, name), split_of(next_fold, name)
            tested = {image for image, key in here.items() if key == "test"}
            assert tested == {i for i, key in there.items() if key == "test"}
            patient_of = dict(zip(table["image_id"], table["patient_id"], strict=True))
            patients = {
                key: {patient_of[image] for image in split.datasets[name][key]}
                for key in ("train", "validation")
            }
            assert not patients["train"] & patients["validation"]
            both = len(patients["train"]) + len(patients["validation"])
            assert len(patients["validation"]) == round(0.1 * both)


def test_the_share_is_stratified(tables):
    """A tenth of the patients of each class, rounded up or down."""
    table = tables["cxr"]
    label_of = dict(zip(table["patient_id"], table["severe"], strict=True))
    patient_of = dict(zip(table["image_id"], table["patient_id"], strict=True))
    lists = fraction(tables).datasets["cxr"]
    counts = {}
    for key in ("train", "validation"):
        patients = {patient_of[image] for image in lists[key]}
        counts[key] = Counter(label_of[patient] for patient in patients)
    for label, count in counts["validation"].items():
        assert abs(count - 0.1 * (count + counts["train"][label])) < 1


def test_the_share_does_not_depend_on_the_order_of_rows(tables):
    order = np.random.default_rng(1).permutation(300)
    shuffled = {key: values[order] for key, values in tables["cxr"].items()}
    expected = fraction(tables).datasets["cxr"]
    assert fraction({"cxr": shuffled}).datasets["cxr"] == expected


def test_stratified_by_one_of_several_tasks(tables):
    """The split is that of the task alone, whichever others there are."""
    table = tables["cxr"]
    table["age"] = np.random.default_rng(0).integers(20, 95, 300)
    age = make_task(name="age", kind="binary", cut_points=(80,), sources={"cxr": "age"})
    alone = fraction({"cxr": table})
    both = fraction({"cxr": table}, tasks=(age, TASK))
    chosen = fraction({"cxr": table}, tasks=(age, TASK), stratify_by=("prognosis",))
    assert chosen.datasets == alone.datasets != both.datasets


def test_patients_are_whole(tables):
    for fold in range(5):
        of_image = split_of(kfold(tables, fold), "cxr")
        found = {}
        rows = zip(tables["cxr"]["image_id"], tables["cxr"]["patient_id"], strict=True)
        for image, patient in rows:
            found.setdefault(patient, set()).add(of_image[image])
        assert max(map(len, found.values())) == 1


def test_folds_are_stratified(tables):
    label_of = dict(
        zip(tables["cxr"]["image_id"], tables["cxr"]["severe"], strict=True)
    )
    total = Counter(label_of.values())
    for fold in range(5):
        images = kfold(tables, fold).datasets["cxr"]["test"]
        found = Counter(label_of[image] for image in images)
        for label in (0, 1, -1):
            assert abs(found[label] - total[label] / 5) <= 2


def test_sides_do_not_depend_on_the_order_of_rows_or_other_datasets(tables):
    expected = kfold(tables, fold=2)
    shuffled = {}
    for name, table in reversed(tables.items()):
        order = np.random.default_rng(9).permutation(len(table["image_id"]))
        shuffled[name] = {key: values[order] for key, values in table.items()}
    assert kfold(shuffled, fold=2).hash == expected.hash
    alone = kfold({"cxr": tables["cxr"]}, fold=2)
    assert alone.datasets["cxr"] == expected.datasets["cxr"]


def test_seed_decides(tables):
    assert kfold(tables, seed=1).hash == kfold(tables, seed=1).hash
    assert kfold(tables, seed=1).hash != kfold(tables, seed=2).hash


@pytest.mark.parametrize("validation", ["next_fold", "previous_fold", "fraction"])
def test_repeats_are_divisions_with_the_next_seeds(tables, validation):
    """Fold f of repeat r is fold f of a division with the seed + r."""
    repeated = SplitSettings(folds=3, repeats=2, seed=7, validation=validation)
    assert count_folds(tables, repeated) == 6
    for fold in range(6):
        found = make_split(tables, (TASK,), replace(repeated, fold=fold))
        alone = SplitSettings(
            folds=3, seed=7 + fold // 3, fold=fold % 3, validation=validation
        )
        assert found.datasets == make_split(tables, (TASK,), alone).datasets
        assert (found.fold, found.folds, found.seed) == (fold, 3, 7 + fold // 3)
    with pytest.raises(DataError, match="split.repeats = 2 they are 0 to 5"):
        make_split(tables, (TASK,), replace(repeated, fold=6))


@pytest.mark.parametrize("fold", [5, 17])
def test_fold_that_does_not_exist(tables, fold):
    with pytest.raises(DataError, match=rf"split\.fold = {fold}: .* they are 0 to 4\."):
        kfold(tables, fold=fold)


def test_fewer_patients_than_folds():
    tables = {"cxr": table_of([0, 0, 1, 1, 2, 3], [0, 1, 0, 1, 0, 1])}
    with pytest.raises(DataError, match="'cxr': 4 patients; 5 folds need at least 5"):
        kfold(tables)


def test_rare_class_is_a_warning():
    tables = {"cxr": table_of(range(20), [1] * 3 + [0] * 17)}
    message = r"fewer patients than the 5 folds have prognosis=severe \(3\);"
    with pytest.warns(DataWarning, match=message):
        kfold(tables)


def test_every_class_rare():
    task = make_task(
        name="age",
        kind="categorical",
        classes=tuple("abcdef"),
        sources={"cxr": "severe"},
    )
    tables = {"cxr": table_of(range(6), range(6))}
    splits = [kfold(tables, fold, tasks=[task]) for fold in range(5)]
    sizes = [len(split.datasets["cxr"]["test"]) for split in splits]
    assert sorted(sizes) == [1, 1, 1, 1, 2]


def test_several_tasks_are_stratified_together():
    tables = {"cxr": table_of(range(40), [0, 1] * 20)}
    tables["cxr"]["old"] = np.repeat([0, 1], 20)
    old = make_task(
        name="old", kind="binary", classes=("n", "y"), sources={"cxr": "old"}
    )
    for fold in range(5):
        images = kfold(tables, fold, tasks=[TASK, old]).datasets["cxr"]["test"]
        rows = np.isin(tables["cxr"]["image_id"], images)
        pairs = zip(
            tables["cxr"]["severe"][rows], tables["cxr"]["old"][rows], strict=True
        )
        assert Counter(pairs) == {(0, 0): 2, (0, 1): 2, (1, 0): 2, (1, 1): 2}


def test_regression_is_stratified_by_quarters():
    tables = {"cxr": table_of(range(40), np.arange(40) * 1.5)}
    task = make_task(name="age", kind="regression", sources={"cxr": "severe"})
    for fold in range(5):
        images = kfold(tables, fold, tasks=[task]).datasets["cxr"]["test"]
        numbers = [int(image[1:]) // 10 for image in images]
        assert Counter(numbers) == {0: 2, 1: 2, 2: 2, 3: 2}


def test_written_split_is_read_again(tables, tmp_path):
    split = kfold(tables, fold=3, seed=4)
    split.write(tmp_path / "split.json")
    assert Split.read(tmp_path / "split.json") == split
    plain = json.loads((tmp_path / "split.json").read_text())
    assert plain["hash"] == split.hash
    assert (plain["kind"], plain["fold"], plain["folds"], plain["seed"]) == (
        "kfold",
        3,
        5,
        4,
    )


def test_hash_is_of_the_lists_only(tables, tmp_path):
    split = kfold(tables)
    split.write(tmp_path / "split.json")
    settings = SplitSettings(kind="file", file=str(tmp_path / "split.json"))
    assert make_split(tables, [TASK], settings).hash == split.hash


def test_changed_lists_are_found_out(tables, tmp_path):
    path = tmp_path / "split.json"
    kfold(tables).write(path)
    plain = json.loads(path.read_text())
    lists = plain["datasets"]["cxr"]
    lists["train"].append(lists["test"].pop())
    path.write_text(json.dumps(plain))
    with pytest.raises(DataError, match="do not have the hash that the file states"):
        Split.read(path)
    settings = SplitSettings(kind="file", file=str(path))
    with pytest.raises(DataError, match="do not have the hash that the file states"):
        make_split(tables, [TASK], settings)


def test_file_that_is_no_split(tmp_path):
    (tmp_path / "split.json").write_text('{"datasets": {}, "fold": 0}')
    with pytest.raises(DataError, match="it lacks kind, hash"):
        Split.read(tmp_path / "split.json")


def small_split(**lists):
    lists = {"train": [], "validation": [], "test": [], "excluded": [], **lists}
    return Split(kind="file", fold=0, file="own.csv", datasets={"cxr": lists})


def test_patient_in_two_splits():
    tables = {"cxr": table_of([0, 1, 1, 2], [0, 0, 0, 0])}
    split = small_split(train=["i0000", "i0001"], test=["i0002"], validation=["i0003"])
    expected = (
        "own.csv: patient 'p1' of dataset 'cxr' is in 2 splits (test: 'i0002'; "
        "train: 'i0001'); 1 such patients."
    )
    with pytest.raises(LeakageError, match=re.escape(expected)):
        split.check_leakage(tables)
    # An excluded image is in no split.
    small_split(
        train=["i0000", "i0001"], excluded=["i0002"], test=["i0003"]
    ).check_leakage(tables)


def test_same_patient_id_in_two_datasets_is_not_the_same_patient(tables):
    assert set(tables["cxr"]["patient_id"]) & set(tables["other"]["patient_id"])
    split = kfold(tables)
    found = [
        {
            split_of(split, name)[image]
            for image, patient in zip(
                table["image_id"], table["patient_id"], strict=True
            )
            if patient == "p7"
        }
        for name, table in tables.items()
    ]
    split.check_leakage(tables)
    assert all(len(splits) == 1 for splits in found)


def test_lists_of_a_dataset_that_is_not_there():
    with pytest.raises(DataError, match="lists for dataset 'cxr', which is not among"):
        small_split().check_leakage({"other": {}})


def test_few_of_many_rare_strata_are_named():
    classes = tuple(f"c{i}" for i in range(12))
    task = make_task(
        name="kind", kind="categorical", classes=classes, sources={"ward": "kind"}
    )
    names = np.array([f"i{i:02d}" for i in range(24)], object)
    table = {"image_id": names, "patient_id": names, "kind": np.arange(24) % 12}
    with pytest.warns(DataWarning) as found:
        assign_folds({"ward": table}, [task], 3, seed=0)
    text = str(found[0].message)
    assert "kind=c0 (2)" in text and "and 7 more; not every" in text
    assert "kind=c9" not in text


def test_folds_are_those_of_the_library(monkeypatch):
    # As many patients as images, in the order of their ids: nothing is renumbered.
    labels = np.random.default_rng(1).integers(0, 2, 60)
    table = table_of([f"{n:02d}" for n in range(60)], labels)
    monkeypatch.setattr(sklearn, "__version__", "1.9.0")
    expected = np.empty(60, int)
    library = StratifiedGroupKFold(5, shuffle=True, random_state=3)
    divided = library.split(labels, labels, table["patient_id"])
    for number, (_, rows) in enumerate(divided):
        expected[rows] = number
    found = assign_folds({"cxr": table}, [TASK], 5, seed=3)
    np.testing.assert_array_equal(found, expected)


def test_folds_are_stratified_where_the_library_does_not_shuffle(monkeypatch):
    labels = np.arange(60) // 45  # 45 of one class, 15 of the other
    table = table_of([f"{n:02d}" for n in range(60)], labels)
    monkeypatch.setattr(sklearn, "__version__", "1.7.2")
    found = [assign_folds({"cxr": table}, [TASK], 5, seed=seed) for seed in range(3)]
    for fold_of in found:
        assert np.bincount(fold_of[labels == 1]).tolist() == [3] * 5
    assert (found[0] != found[1]).any() and (found[1] != found[2]).any()
