"""From files to the text of a configuration."""

import random

import cv2
import nibabel
import numpy as np
import openpyxl
import pytest
import yaml

from mdmt_tf import config
from mdmt_tf.datasets._shared.declared_plan import Plan
from mdmt_tf.errors import ConfigError, DataError, MdmtError
from mdmt_tf.planning.draft import Order, make, read_tables
from mdmt_tf.planning.inspection import Given


def write_csv(path, **columns):
    lines = [",".join(columns), *map(",".join, zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_images(folder, names, size=(70, 80)):
    folder.mkdir(exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.full(size, 100, np.uint8))


N = 60
FILES = [f"i{n}.png" for n in range(N)]
PIDS = [f"p{n // 2}" for n in range(N)]
DIED = [str(n // 2 % 2) for n in range(N)]


@pytest.fixture
def ward(tmp_path):
    """A folder with films and a table; returns a function that makes a draft."""
    write_images(tmp_path / "films", FILES)
    write_csv(tmp_path / "t.csv", file=FILES, pid=PIDS, died=DIED, sex=["m", "f"] * 30)

    def draft(given=None, **order):
        values = {
            "name": "ward",
            "tables": (tmp_path / "t.csv",),
            "on": None,
            "images": tmp_path / "films",
            "out": tmp_path / "ward.yaml",
            **order,
        }
        return make(Order(**values), given or Given())

    draft.folder = tmp_path
    return draft


def load(folder, name="ward.yaml"):
    return config.load(str(folder / name), [f"data_dir={folder}"])


def test_the_file_declares_the_dataset_and_trains_on_it(ward):
    draft = ward()
    assert (draft.data.images, draft.data.patients) == (60, 30)
    loaded = load(ward.folder)
    declared = loaded.dataset
    assert declared.columns.image == "file" and declared.columns.patient == "pid"
    assert declared.images == ("films",)
    assert declared.tables[0].file == "t.csv"
    assert declared.labels["died"].class_of == {"0": "no", "1": "yes"}
    assert declared.field_types == {"sex": "auto"}
    assert loaded.tasks["died"].kind == "binary"
    assert loaded.datasets["ward"].config == declared.preprocessing.name == "full_64"
    assert loaded.split.folds == 3  # 15 patients of each class
    assert loaded.benchmark.baselines["fields"].fields == {"ward": ("sex",)}


def test_every_setting_has_a_reason(ward):
    """Each key of the training is followed or preceded by a comment."""
    ward()
    text = (ward.folder / "ward.yaml").read_text()
    lines = text[text.index("\nimage_size") : text.index("\nbenchmark")].splitlines()
    for before, line in zip(lines, lines[1:], strict=False):
        if line.strip() and not line.strip().startswith("#") and line[-1] != ":":
            key = line.partition(":")[0].strip()
            commented = "#" in line or before.strip().startswith("#")
            assert commented or key == "validation_fraction", line
    assert max(len(x) for x in text.splitlines() if "python -m" not in x) <= 88


def test_the_file_is_never_overwritten(ward):
    (ward.folder / "ward.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="exists, and is not overwritten"):
        ward()
    assert (ward.folder / "ward.yaml").read_text() == "mine"
    with pytest.raises(ConfigError, match="no folder"):
        ward(out=ward.folder / "nowhere/x.yaml")


def test_what_is_given_is_not_guessed(ward):
    given = Given(
        image="file", patient="file", labels={"woman": "sex"}, fields=("died",)
    )
    draft = ward(given)
    assert draft.data.patients == 60
    loaded = load(ward.folder)
    assert list(loaded.tasks) == ["woman"] and loaded.dataset.columns.site is None
    assert list(loaded.dataset.field_types) == ["died"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Given(image="fiel"), "--image-column fiel: .* Did you mean 'file'"),
        (Given(patient="x"), "--patient x: the table has no such column"),
        (Given(labels={"a": "deid"}), "--label deid: .* Did you mean 'died'"),
        (Given(image="sex"), "no column of the table names the image files"),
        (Given(labels={"a": "file"}), "--label a=file: expected classes or numbers"),
        (Given(fields=("site",)), "--field site: a field of this name cannot be"),
    ],
)
def test_wrong_columns_are_named(ward, given, message):
    with pytest.raises(MdmtError, match=message):
        ward(given)
    assert not (ward.folder / "ward.yaml").exists()


def test_rows_without_an_image_or_a_patient_do_not_count(ward):
    pids = ["", *PIDS[1:]]
    files = [*FILES[:-1], "none.png"]
    write_csv(ward.folder / "t.csv", file=files, pid=pids, died=DIED)
    draft = ward()
    assert (draft.data.images, draft.n_rows, draft.n_files) == (58, 60, 60)


def test_a_table_without_labels_or_rows_is_an_error(ward):
    write_csv(ward.folder / "t.csv", file=FILES, pid=PIDS)
    with pytest.raises(DataError, match="no column looks like a label"):
        ward()
    (ward.folder / "t.csv").write_text("file,died\n")
    with pytest.raises(DataError, match="expected rows below"):
        ward()
    with pytest.raises(DataError, match="cannot be read"):
        ward(tables=(ward.folder / "no.csv",))


def test_an_outcome_that_only_has_a_date_is_an_event(ward):
    dates = [str(n) if d == "1" else "" for n, d in enumerate(DIED)]
    write_csv(ward.folder / "t.csv", file=FILES, pid=PIDS, death_offset=dates)
    ward()
    loaded = load(ward.folder)
    assert loaded.tasks["death"].classes == ("no", "yes")
    plan = Plan(loaded.dataset, ward.folder, "ward.yaml")
    images = plan.open_images()
    found = [plan.record(row, images).labels["death"] for row in plan.tables.rows]
    assert found == ["yes" if d == "1" else "no" for d in DIED]


def test_tables_are_joined_by_a_column_of_both(tmp_path):
    films = write_csv(tmp_path / "a.csv", file=["1.png", "2.png"], PID=["P1", "p2"])
    people = write_csv(
        tmp_path / "b.csv",
        PID=["p1", "p2", "p2", "p3"],
        age=["50", "60", "60", "70"],
        sex=["m", "m", "f", "f"],
    )
    table, declared = read_tables([films, people], None)
    assert declared == [str(films), {"file": str(people), "on": "PID"}]
    # Rows that contradict each other tell nothing.
    assert table["age"].cells == ("50", "60") and table["sex"].cells == ("m", "")
    with pytest.raises(DataError, match="--on PIDD: .* Did you mean 'PID'"):
        read_tables([films, people], "PIDD")
    other = write_csv(tmp_path / "c.csv", PID=["x"], file=["y"])
    with pytest.raises(DataError, match="Name the column of both with --on"):
        read_tables([films, other], None)


def test_keys_are_compared_as_prepare_does(tmp_path):
    files = [f"{n}.png" for n in range(4)]
    films = write_csv(tmp_path / "a.csv", file=files, pid=["12.0", "n/a", "", "7"])
    keys = ["12", "n/a", "", "07"]
    people = write_csv(tmp_path / "b.csv", pid=keys, age=["50", "60", "70", "80"])
    table, _ = read_tables([films, people], None)
    assert table["age"].cells == ("50", "", "", "")


def test_numbers_have_the_decimal_comma_of_their_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id;value\na;1,5\nb;2,25\n")
    table, _ = read_tables([path], None)
    assert table["value"].numbers == (1.5, 2.25)


def test_stored_numbers_beside_text_with_decimal_commas(tmp_path):
    book = openpyxl.Workbook()
    for row in (["id", "value"], ["a", 1.5], ["b", "2,25"], ["c", 3]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    table, _ = read_tables([tmp_path / "a.xlsx"], None)
    assert table["value"].numbers == (1.5, 2.25, 3)
    # Else they could not be written as YAML.
    assert {type(cell) for cell in table["value"].cells} == {str}


def test_volumes_and_a_spreadsheet(tmp_path):
    (tmp_path / "head_ct").mkdir()
    book = openpyxl.Workbook()
    book.active.append(["Scan", "Patient", "GCS", "Poor outcome", "Age"])
    values = np.full((40, 40, 32), -1000, np.int16)
    for n in range(24):
        image = nibabel.Nifti1Image(values, np.diag([0.5, 0.5, 2.5, 1]))
        nibabel.save(image, tmp_path / f"head_ct/s{n}.nii.gz")
        book.active.append([f"s{n}", n, 3 + n % 13, n % 2, 50 + n])
    book.save(tmp_path / "t.xlsx")
    order = Order(
        "heads", (tmp_path / "t.xlsx",), None, tmp_path / "head_ct", tmp_path / "x.yaml"
    )
    make(order, Given())
    loaded = load(tmp_path, "x.yaml")
    assert loaded.image_shape == (32, 40, 40)
    assert loaded.dataset.preprocess == {"window_hu": [0, 80], "shape": [32, 40, 40]}
    assert {name: task.kind for name, task in loaded.tasks.items()} == {
        "poor_outcome": "binary",
        "gcs": "regression",
    }
    augmentation = loaded.pipeline.augmentation
    assert augmentation.flip_probability == 0 and augmentation.slice_spacing == 5


def test_a_dataset_joins_an_existing_configuration(ward):
    words = ["severe" if d == "1" else "mild" for d in DIED]
    score = [str(n % 19) for n in range(N)]
    write_csv(ward.folder / "t.csv", file=FILES, pid=PIDS, outcome=words, score=score)
    ward(join="mdmt")
    loaded = load(ward.folder)
    assert list(loaded.tasks) == ["prognosis", "severity", "outcome", "score"]
    assert list(loaded.datasets) == ["aiforcovid", "brixia", "ward"]
    assert loaded.training.epochs == 300 and loaded.model.backbone == "resnet18"
    text = (ward.folder / "ward.yaml").read_text()
    assert "the task prognosis looks alike" in text
    assert "the task severity looks alike" in text
    # The alternatives, as the comments have them, are valid.
    values = yaml.safe_load(text)
    values["tasks"]["prognosis"]["from"]["ward"] = "outcome"
    values["tasks"]["severity"]["from"]["ward"] = "score"
    del values["tasks"]["outcome"], values["tasks"]["score"]
    (ward.folder / "other.yaml").write_text(yaml.safe_dump(values))
    assert list(load(ward.folder, "other.yaml").tasks) == ["prognosis", "severity"]


def zones_of(folder, names):
    """A table with a score of each name, 0 to 3 in another order for each."""
    scores = {
        name: [str((n * (2 * at + 1) // 7 + at) % 4) for n in range(N)]
        for at, name in enumerate(names)
    }
    write_csv(folder / "t.csv", file=FILES, pid=PIDS, **scores)
    return Given(labels={name.lower(): name for name in names})


def test_scores_of_places_are_trained_without_exchange_of_left_and_right(ward):
    given = zones_of(ward.folder, "ABCDEF")
    draft = ward(given)
    loaded = load(ward.folder)
    assert {task.kind for task in loaded.tasks.values()} == {"ordinal"}
    assert loaded.pipeline.augmentation.flip_probability == 0
    (unsure,) = [x for x in draft.inspection.unsure if x.startswith("flips: ")]
    assert "A, B, C, D, E, F may be of places" in unsure and "`mirror`" in unsure


def test_a_joined_dataset_with_sides_changes_what_exchanges_them(ward):
    zones_of(ward.folder, ["right zone", "left zone"])
    given = Given(labels={"r": "right zone", "l": "left zone"})
    ward(given, join="severity_zones")
    loaded = load(ward.folder)
    base = config.load("severity_zones", [f"data_dir={ward.folder}"])
    assert base.model.flip_averaging and not loaded.model.flip_averaging
    before = base.pipeline.augmentation
    assert before.flip_probability > 0
    changed = before.model_copy(update={"flip_probability": 0})
    assert loaded.pipeline.augmentation == changed


def test_images_do_not_join_volumes(ward):
    with pytest.raises(ConfigError, match="it is about volumes, the folder has images"):
        ward(join="ich")


NAMES = ["Outcome", "score", "grade?", "los (days)", "Größe", "on", "yes", "a: b", "#x"]
NAMES += ["AP/PA", "sex", "age", "weight (kg)", "view/projection", "Sex", "AGE"]
NAMES += ["S-A", "left side", "image", "site", "patient_id", "null", "1", "it's", '"q"']
VALUES = [
    ["0", "1"],
    ["yes", "no", ""],
    ["0", "1", "99"],
    ["1", "2", "3", "unknown"],
    ["mild", "severe", "Mild"],
    ["a: b", "#c", "null", "~"],
    [str(n) for n in range(40)],
    ["1.5", "2.25", "n/a", "-1"],
    ["2020-01-02", "2021-03-04"],
    ["x"],
    ["AP", "PA", "Lateral"],
    [""],
    ["true", "false"],
    ["[1", "{2", "*3", "&4"],
]


@pytest.mark.parametrize("seed", range(60))
def test_what_is_written_for_any_table_loads(tmp_path, seed):
    rng = random.Random(seed)
    n = rng.choice([12, 40, 90])
    files = [f"i{i}.png" for i in range(n)]
    write_images(tmp_path / "films", files, (40, 64))
    book = openpyxl.Workbook()
    names = rng.sample(NAMES, rng.randint(1, 6))
    columns = {"film": files}
    if rng.random() < 0.7:
        columns["pid"] = [f"p{i // rng.choice([1, 2, 2])}" for i in range(n)]
    for name in names:
        values = rng.choice(VALUES)
        columns[name] = [rng.choice(values) for _ in range(n)]
    book.active.append(list(columns))
    for row in zip(*columns.values(), strict=True):
        book.active.append(list(row))
    book.save(tmp_path / "t.xlsx")
    join = rng.choice([None, None, "mdmt", "open_cxr"])
    order = Order(
        "ward",
        (tmp_path / "t.xlsx",),
        None,
        tmp_path / "films",
        tmp_path / "w.yaml",
        join,
    )
    try:
        draft = make(order, Given())
    except DataError as error:
        assert "no column looks like a label" in str(error)
        return
    loaded = load(tmp_path, "w.yaml")
    assert set(loaded.dataset.labels) == {x.name for x in draft.inspection.used}
    plan = Plan(loaded.dataset, tmp_path, "w.yaml")
    images = plan.open_images()
    records = [plan.record(row, images) for row in plan.tables.rows]
    assert len(records) == draft.data.images == n
    assert len({record.patient_id for record in records}) == draft.data.patients
    for label in draft.inspection.used:
        known = [record.labels[label.name] for record in records]
        assert sum(v != "" and v == v for v in known) == label.n_rows
    for label in draft.inspection.used:
        declared = loaded.dataset.labels[label.name]
        unknown = {"", *(t.casefold() for t in loaded.dataset.unknown_of(label.name))}
        for cell in columns[label.column]:
            known = cell.casefold() not in unknown
            if known and declared.class_of is not None:
                assert cell in declared.class_of
            elif known:
                float(cell)
