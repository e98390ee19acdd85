"""Declared datasets: what is prepared, and where every row of the tables ends."""

import json
import logging
import math
import random
import shutil

import numpy as np
import openpyxl
import pytest
from declared import (
    HEADER,
    SKETCH,
    ward_rows,
    write_csv,
    write_image,
    write_ward,
    write_xlsx,
)
from made_series import make_slices, write_slices

from mdmt_tf.data.sources import open_dataset
from mdmt_tf.datasets._shared import prepare
from mdmt_tf.datasets._shared.declared import builder_of
from mdmt_tf.errors import ConfigError, DataError

# Fast: the lungs are not looked for.
TEXT = SKETCH.replace("lungs_256", "full_8")
AT = {name: place for place, name in enumerate(HEADER)}


@pytest.fixture
def ward(tmp_path):
    """ward(rows, old=new, ...): prepares the sketch; the folder and the result."""

    def ward(rows=None, text=TEXT, **options):
        path = write_ward(tmp_path / "ward", text, rows)
        return prepare.prepare_dataset(
            builder_of(path), None, tmp_path / "data", **options
        )

    return ward


@pytest.fixture
def prepare_dataset(request):
    """`prepare` of the fixtures; here that is the module."""
    return request.getfixturevalue("prepare")


@pytest.fixture
def read(tmp_path):
    """The stored table, in the order of the images."""

    def read(config="full_8"):
        table = open_dataset(tmp_path / "data", "ward", config).table
        order = np.argsort(table["image_id"])
        return {name: list(values[order]) for name, values in table.items()}

    return read


def lines_of(prepared, name):
    return (prepared.path / name).read_text().splitlines()[1:]


def rejected(prepared):
    return [line.strip('"') for line in lines_of(prepared, "rejected.csv")]


def test_what_is_stored(ward, read):
    rows = ward_rows(2)
    rows[1][AT["los"]] = "n/a"
    rows[2][AT["died_or_icu"]] = 99
    rows[3][AT["age"]] = None
    prepared = ward(rows)
    assert prepared.path.parts[-3:] == ("ward", "full_8", "1.0.0")
    table = read()
    assert table["image_id"] == ["f00a.png", "f00b.png", "f01a.png", "f01b.png"]
    assert table["patient_id"] == ["P00", "P00", "P01", "P01"]
    assert table["site"] == ["north", "north", "south", "south"]
    assert table["outcome"] == ["home", "home", "", "icu_or_death"]
    np.testing.assert_equal(table["stay"], [3.5, np.nan, 4.5, 4.5])
    np.testing.assert_equal(table["age"], [40, 40, 41, np.nan])
    assert table["sex"] == ["F", "F", "M", "M"]
    assert table["projection"] == ["AP", "PA", "AP", "PA"]
    assert np.asarray(table["stay"]).dtype == np.float32


def test_pixels_are_those_of_the_file(ward, tmp_path):
    import cv2

    ward(text=SKETCH.replace("lungs_256", "full_32"))
    dataset = open_dataset(tmp_path / "data", "ward", "full_32")
    number = list(dataset.table["image_id"]).index("f03b.png")
    (record,) = dataset.records.read([number])
    stored = dataset.decode(record).numpy()[..., 0]
    file = tmp_path / "ward" / "films" / "f03b.png"
    np.testing.assert_array_equal(stored, cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))


def test_16_bit_images_of_several_depths_are_doubtful(tmp_path, caplog):
    """The same picture is four times as dark where its largest value passes 1023."""
    import cv2

    path = write_ward(tmp_path / "ward", TEXT, ward_rows(2))
    for name, largest in (("00a", 4000), ("00b", 4095), ("01a", 1100), ("01b", 1000)):
        ramp = np.linspace(0, largest, 1024).astype(np.uint16).reshape(32, 32)
        cv2.imwrite(str(tmp_path / "ward" / "films" / f"f{name}.png"), ramp)
    prepared = prepare.prepare_dataset(builder_of(path), None, tmp_path / "data")
    assert prepared.metadata["warnings"] == {"other depth than most images": 1}
    (line,) = lines_of(prepared, "warnings.csv")
    assert line.startswith("films/f01b.png,outcomes.xlsx:5,")
    for text in ("largest value is 1000", "white is 1023", "12 bits in 3 of 4"):
        assert text in line
    assert (
        "other depth than most images: 12 bits in 3 of 4, 10 bits in 1. They are in "
        "warnings.csv."
    ) in caplog.messages
    stretched = TEXT.replace("full_8", "full_8_clip_0_100")
    path = write_ward(tmp_path / "other", stretched, ward_rows(2))
    for file in (tmp_path / "ward" / "films").iterdir():
        shutil.copy(file, tmp_path / "other" / "films" / file.name)
    prepared = prepare.prepare_dataset(builder_of(path), None, tmp_path / "data")
    assert "warnings" not in prepared.metadata


def test_where_rows_end(ward):
    rows = ward_rows(5)
    rows[1][AT["days_to_icu"]] = -2
    rows[2][AT["days_to_icu"]] = 99
    rows[3][AT["died_or_icu"]] = "x"
    rows[4][AT["los"]] = "3 days"
    rows[5][AT["pid"]] = None
    rows.append(list(rows[0]))
    facts = (prepared := ward(rows)).metadata
    assert facts["rows_read"] == 11
    assert (facts["prepared"], facts["rows_repeated"]) == (7, 1)
    assert facts["left_out"] == {"days_to_icu below 0": 1, "days_to_icu unknown": 1}
    assert facts["rejected_by_reason"] == {"bad value": 1}
    assert facts["warnings"] == {"bad value": 2}  # the other label is known
    assert rejected(prepared)[:2] == [
        "f00b,outcomes.xlsx:3,left out: days_to_icu below 0: days_to_icu = '-2'",
        "f01a,outcomes.xlsx:4,left out: days_to_icu unknown: days_to_icu = '99'",
    ]
    assert (
        "f01b,outcomes.xlsx:5,bad value: died_or_icu = 'x', expected 0, 1, or for "
        in (lines_of(prepared, "warnings.csv")[0].replace('"', ""))
    )
    assert "f02b,outcomes.xlsx:7,bad value: pid is empty" in rejected(prepared)


def test_counts_in_the_metadata(ward):
    facts = ward(ward_rows(4)).metadata
    assert facts["labels"]["outcome"] == {
        "home": {"images": 4, "patients": 2},
        "icu_or_death": {"images": 4, "patients": 2},
        "unknown": {"images": 0, "patients": 0},
    }
    assert facts["labels"]["stay"]["known"]["images"] == 8
    assert facts["notes"] == [
        "fields stored as number: age",
        "fields stored as text: sex, projection",
    ]


def test_what_the_declaration_leaves_out_is_said(ward, read):
    text = TEXT.replace("{image: file, patient: pid, site: hospital}", "{image: file}")
    facts = ward(ward_rows(1), text).metadata
    assert facts["notes"][:2] == [
        "no column of patients: every image counts as a patient",
        "no column of sites: all images are of ward",
    ]
    table = read()
    assert table["patient_id"] == table["image_id"] == ["f00a.png", "f00b.png"]
    assert table["site"] == ["ward", "ward"]


def test_rows_of_one_image_that_disagree(ward):
    rows = ward_rows(2)
    rows.append([*rows[0][: AT["los"]], 9, *rows[0][AT["los"] + 1 :]])
    prepared = ward(rows)
    assert prepared.metadata["rejected_by_reason"] == {"contradictory rows": 2}
    assert "stay is 3.5 in outcomes.xlsx:2 and 9.0 in outcomes.xlsx:6" in "".join(
        rejected(prepared)
    )


def test_a_field_with_a_word_is_text_and_that_is_said(ward, read, caplog):
    rows = ward_rows(3)
    rows[4][AT["age"]] = "old"
    with caplog.at_level(logging.WARNING):
        ward(rows)
    assert read()["age"] == ["40", "40", "41", "41", "old", "42"]
    assert "outcomes.xlsx:6: the field age is stored as text" in caplog.text
    assert "1 of 6 known cells are no numbers, such as 'old'" in caplog.text


def test_a_field_may_be_declared_a_number(ward, read):
    rows = ward_rows(3)
    rows[4][AT["age"]] = "old"
    text = TEXT.replace("[age, sex, projection]", "{age: number, los: text}")
    facts = ward(rows, text).metadata
    # No label needs the age, so it costs no row.
    assert (facts["rejected_by_reason"], facts["warnings"]) == ({}, {"bad value": 1})
    ages = read()["age"]
    assert math.isnan(ages.pop(4)) and ages == [40, 40, 41, 41, 42]
    assert read()["los"] == ["3.5", "3.5", "4.5", "4.5", "5.5", "5.5"]


def test_identifiers_keep_their_zeros(ward, read):
    rows = ward_rows(2)
    for number, row in enumerate(rows):
        row[AT["sex"]] = f"00{number}"
    ward(rows)
    assert read()["sex"] == ["000", "001", "002", "003"]


def test_names_of_columns_may_be_any_text(tmp_path, read):
    text = TEXT.replace("projection", "Größe (mm)").replace("outcomes.xlsx", "t.csv")
    path = write_ward(tmp_path / "ward", text, ward_rows(1))
    write_csv(path.parent / "t.csv", ward_rows(1), (*HEADER[:-1], "Größe (mm)"))
    prepare.prepare_dataset(builder_of(path), None, tmp_path / "data")
    assert read()["Größe (mm)"] == ["AP", "PA"]


def test_similar_patients_are_told(ward, caplog):
    rows = ward_rows(2)
    rows[3][AT["pid"]] = "p01"
    with caplog.at_level(logging.WARNING):
        ward(rows)
    text = "patient 'p01' is like 'P01' (outcomes.xlsx:4), but another patient"
    assert text in caplog.text


def test_excluded_images(ward):
    facts = ward(ward_rows(2), exclude=["F00A", "f01b.png"]).metadata
    assert facts["prepared"] == 2
    assert facts["rejected_by_reason"] == {"listed as unusable": 2}
    with pytest.raises(
        DataError, match=r"'f00' is no image\. Did you mean 'f00.\.png'"
    ):
        ward(ward_rows(2), exclude=["f00"], overwrite=True)


def test_another_preprocessing(ward, read):
    ward(ward_rows(1), config="full_16")
    assert read("full_16")["image_id"] == ["f00a.png", "f00b.png"]
    with pytest.raises(ConfigError, match="ward: expected lungs_SIZE"):
        ward(ward_rows(1), config="head_4x4x4")


def test_nothing_changed_is_reused(ward, tmp_path):
    """Other keys of the file do not count, nor what may be done with the data."""
    assert not ward(ward_rows(2)).reused
    path = tmp_path / "ward" / "ward.yaml"
    terms = "dataset:\n  licence: CC0\n  citation: Ours\n"
    text = TEXT.replace("dataset:\n", terms) + "seed: 3\n"
    path.write_text(text, encoding="utf-8")
    again = prepare.prepare_dataset(builder_of(path), None, tmp_path / "data")
    assert again.reused


def change(folder, what):
    if what == "table":
        write_csv(folder / "outcomes.csv", ward_rows(2)[:3])
    elif what == "image":
        write_image(folder / "films" / "more.png")
    elif what == "pixels":
        write_image(folder / "films" / "f00a.png", size=33)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("table", "the table outcomes.csv"),
        ("image", "the image films/more.png is new"),
        ("pixels", "the image films/f00a.png has other bytes"),
        ("unknown", "dataset.unknown"),
    ],
)
def test_what_changed_is_told_and_not_prepared_over(tmp_path, what, expected):
    folder, text = tmp_path / "ward", TEXT.replace("outcomes.xlsx", "outcomes.csv")
    path = write_ward(folder, text, ward_rows(2))
    write_csv(folder / "outcomes.csv", ward_rows(2))

    def run(**options):
        builder = builder_of(path)
        return prepare.prepare_dataset(builder, None, tmp_path / "data", **options)

    run()
    change(folder, what)
    if what == "unknown":
        path.write_text(text.replace("99", "98"))
    with pytest.raises(DataError) as error:
        run()
    assert f"changed since: {expected}. Give another --data-dir, or --overwrite" in str(
        error.value
    )
    assert not run(overwrite=True).reused
    assert run().reused


def test_data_of_another_origin_are_not_taken_for_it(ward, tmp_path, prepare_dataset):
    example = {"image": np.zeros((8, 8, 1), np.uint8), "image_id": "a"}
    prepare_dataset(tmp_path / "data", "ward", [example], config="full_8")
    with pytest.raises(DataError, match="because no declaration made it"):
        ward(ward_rows(1))


def test_the_digest_is_in_the_metadata(ward):
    stored = ward(ward_rows(1)).metadata["declared"]
    assert len(stored["tables"]["outcomes.xlsx"]) == 64
    assert stored["images"] == 2
    assert stored["declaration"]["labels"]["stay"]["unit"] == "days"
    json.dumps(stored)


def test_a_folder_that_is_missing_costs_no_prepared_data(ward, tmp_path):
    prepared = ward(ward_rows(1))
    (tmp_path / "ward" / "films").rename(tmp_path / "ward" / "flims")
    with pytest.raises(DataError, match="There is no such folder"):
        prepare.prepare_dataset(
            builder_of(tmp_path / "ward" / "ward.yaml"),
            None,
            tmp_path / "data",
            overwrite=True,
        )
    assert (prepared.path / "dataset_info.json").is_file()


def test_phantoms_are_declared_as_what_they_are(tmp_path):
    path = write_ward(tmp_path / "ward", TEXT, ward_rows(1))
    (image, *_) = path.parent.rglob("*.png")
    assert image.parent != path.parent
    (image.parent / "SYNTHETIC.json").write_text('{"seed": 7}')
    prepared = prepare.prepare_dataset(builder_of(path), None, tmp_path / "data")
    assert prepared.metadata["synthetic"]
    assert prepared.metadata["synthetic_details"] == {"seed": 7}
    assert prepare.prepare_dataset(builder_of(path), None, tmp_path / "data").reused
    (image.parent / "SYNTHETIC.json").unlink()
    with pytest.raises(DataError, match="prepared from synthetic images"):
        prepare.prepare_dataset(builder_of(path), None, tmp_path / "data")


def test_the_files_may_be_elsewhere(tmp_path):
    path = write_ward(tmp_path / "ward", TEXT, ward_rows(1))
    alone = tmp_path / "ward.yaml"
    alone.write_text(path.read_text())
    prepared = prepare.prepare_dataset(
        builder_of(alone, tmp_path / "ward"), tmp_path / "ward", tmp_path / "data"
    )
    assert prepared.metadata["prepared"] == 2
    with pytest.raises(DataError, match="--manual-dir .*: there is no such folder"):
        builder_of(alone, tmp_path / "none")


@pytest.mark.parametrize("field", ["los", "age"])
def test_numbers_that_cells_show_with_percent(ward, tmp_path, field):
    """Of a label and of a field; marks of unknown need no format."""
    rows, place = ward_rows(2), AT[field]
    for row, value in zip(rows, (0.25, 0.5, 99, 0.75), strict=True):
        row[place] = value

    def write(folder, *formatted):
        path = write_ward(folder, TEXT, rows)
        book = openpyxl.load_workbook(folder / "outcomes.xlsx")
        for number in formatted:
            book.active.cell(number, place + 1).number_format = "0%"
        book.save(folder / "outcomes.xlsx")
        return lambda: prepare.prepare_dataset(
            builder_of(path), None, tmp_path / folder.name
        )

    assert write(tmp_path / "a", 2, 3, 5)().metadata["prepared"] == 4
    with pytest.raises(DataError, match="outcomes.xlsx:5 has '0.75' without %"):
        write(tmp_path / "b", 2, 3)()


@pytest.fixture
def alone(tmp_path):
    """A declaration whose dataset is prepared, in a folder without its originals."""
    path = write_ward(tmp_path / "ward", TEXT, ward_rows(2))
    alone = tmp_path / "alone" / "ward.yaml"
    alone.parent.mkdir()
    alone.write_text(path.read_text())
    builder = builder_of(alone, tmp_path / "ward")
    prepare.prepare_dataset(builder, None, tmp_path / "data")
    return alone


def again(path, tmp_path, manual_dir=None, **options):
    builder = builder_of(path, manual_dir, data_dir=tmp_path / "data")
    return prepare.prepare_dataset(builder, manual_dir, tmp_path / "data", **options)


def test_a_prepared_dataset_needs_its_originals_no_more(alone, tmp_path):
    found = again(alone, tmp_path)
    assert found.reused and not found.compared and found.metadata["prepared"] == 4
    # Where they are, they are compared.
    assert again(alone, tmp_path, tmp_path / "ward").compared
    assert not again(alone, tmp_path, tmp_path / "gone").compared
    # Nor does a folder count that the images were in.
    (alone.parent / "films").mkdir()
    assert again(alone, tmp_path).reused
    # Its features are those that are stored.
    builder = builder_of(alone, data_dir=tmp_path / "data")
    features = prepare.open_builder(builder, tmp_path / "data").info.features
    numbers = {"stay": True, "age": True, "outcome": False, "sex": False}
    for name, is_number in numbers.items():
        assert (features[name].np_dtype == np.float32) == is_number


def test_without_originals_a_changed_declaration_is_refused(alone, tmp_path):
    alone.write_text(TEXT.replace("99", "98"))
    with pytest.raises(DataError, match="changed since: dataset.unknown. Give another"):
        again(alone, tmp_path)


def test_the_tables_are_compared_where_only_the_images_are_missing(alone, tmp_path):
    table = tmp_path / "ward" / "outcomes.xlsx"
    (alone.parent / "outcomes.xlsx").write_bytes(table.read_bytes())
    assert again(alone, tmp_path).reused
    write_xlsx(alone.parent / "outcomes.xlsx", ward_rows(3))
    with pytest.raises(DataError, match="since: the table outcomes.xlsx. Give another"):
        again(alone, tmp_path)


def test_images_named_by_path_may_be_missing(tmp_path):
    text = TEXT.replace("  images: films/\n", "").replace("outcomes.xlsx", "t.csv")
    path = write_ward(tmp_path / "ward", text, ward_rows(2))
    rows = [[f"films/{row[0]}", *row[1:]] for row in ward_rows(2)]
    write_csv(path.with_name("t.csv"), rows)
    assert not again(path, tmp_path).reused
    shutil.rmtree(path.with_name("films"))
    assert again(path, tmp_path).reused
    write_csv(path.with_name("t.csv"), rows[:3])
    with pytest.raises(DataError, match="changed since: the table t.csv. Give"):
        again(path, tmp_path)


def test_originals_are_needed_to_prepare_again_or_otherwise(alone, tmp_path):
    missing = "expected a folder of images.*no such folder.*--manual-dir"
    for options in ({"overwrite": True}, {"config": "full_16"}):
        with pytest.raises(DataError, match=missing):
            again(alone, tmp_path, **options)
    with pytest.raises(DataError, match=missing):
        builder_of(alone, data_dir=tmp_path / "other")
    assert again(alone, tmp_path).reused


def test_a_mistake_in_the_declaration_is_told_although_it_is_prepared(alone, tmp_path):
    alone.write_text(TEXT.replace("column: los", "column: lso"))
    with pytest.raises(DataError, match="labels.stay.column: 'lso'"):
        again(alone, tmp_path, tmp_path / "ward")


def test_volumes(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    (tmp_path / "scans").mkdir()
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        values = generator.integers(-1000, 1000, (12, 10, 8)).astype(np.int16)
        image = nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0]))
        nibabel.save(image, tmp_path / "scans" / f"{name}.nii.gz")
    write_csv(tmp_path / "t.csv", [["a", 3], ["b.nii.gz", "n/a"]], ["scan", "gcs"])
    (tmp_path / "ct.yaml").write_text(
        "dataset:\n  name: ct\n  images: scans\n  tables: t.csv\n"
        "  columns: {image: scan}\n  labels: {gcs: {}}\n"
        "  preprocess: {window_hu: [-100, 300], shape: [4, 8, 8]}\n"
    )
    prepared = prepare.prepare_dataset(
        builder_of(tmp_path / "ct.yaml"), None, tmp_path / "data"
    )
    assert prepared.path.parts[-2] == "hu_-100_300_4x8x8"
    dataset = open_dataset(tmp_path / "data", "ct", "hu_-100_300_4x8x8")
    assert dataset.image_shape == (4, 8, 8, 1)
    np.testing.assert_equal(np.sort(dataset.table["gcs"]), [3, np.nan])


@pytest.mark.parametrize("images", ["images: scans", "# paths"])
def test_folders_of_dicom_series(tmp_path, images):
    """A cell names the folder of the series, the patient around it, or a slice."""
    generator = np.random.default_rng(0)
    for name in ("p1/head", "p2/head", "p3"):
        values = generator.integers(-1000, 1000, (6, 10, 8)).astype(float)
        slices = make_slices(values, series=f"1.2.{name[1]}")
        paths = write_slices(tmp_path / "scans" / name, slices)
    cells = ["p1/head", "p2", f"p3/{paths[2].name}"]
    if images == "# paths":
        cells = [f"scans/{cell}" for cell in ("p1/head", "p2/head", "p3")]
    write_csv(tmp_path / "t.csv", [[cell, 3] for cell in cells], ["scan", "gcs"])
    (tmp_path / "ct.yaml").write_text(
        f"dataset:\n  name: ct\n  {images}\n  tables: t.csv\n"
        "  columns: {image: scan}\n  labels: {gcs: {}}\n"
        "  preprocess: {window_hu: [-100, 300], shape: [4, 8, 8]}\n"
    )
    prepared = prepare.prepare_dataset(
        builder_of(tmp_path / "ct.yaml"), None, tmp_path / "data"
    )
    assert prepared.metadata["rejected"] == 0
    table = open_dataset(tmp_path / "data", "ct", "hu_-100_300_4x8x8").table
    ids = ["p1/head", "p2/head", "p3"]
    assert sorted(name.removeprefix("scans/") for name in table["image_id"]) == ids


@pytest.mark.parametrize("seed", range(20))
def test_every_row_ends_in_exactly_one_place(tmp_path, seed):
    """Prepared, rejected, left out by a condition, or the repeat of another."""
    draw = random.Random(seed)
    values = {
        "file": ["f00a", "F00A.png", "f00b", "f01a", "none", ""],
        "pid": ["P1", "P2", "P2.0", ""],
        "hospital": ["north", ""],
        "days_to_icu": [0, -1, 99, "", "late"],
        "died_or_icu": [0, 1, "1.0", "n/a", 2],
        "los": [1.5, "1.50", "", "x"],
        "age": [40, ""],
        "sex": ["F", "M"],
        "projection": ["AP"],
    }
    # Mostly the first values, so that rows end in every way.
    rows = [
        [draw.choice([own[0], own[0], *own]) for own in values.values()]
        for _ in range(draw.randrange(1, 60))
    ]
    folder = tmp_path / "ward"
    path = write_ward(folder, TEXT.replace("outcomes.xlsx", "t.csv"), ward_rows(2))
    write_csv(folder / "t.csv", rows)
    builder = prepare.open_builder(builder_of(path), tmp_path / "data")
    table = builder._read(folder)
    chosen, repeated = builder._choose(table)
    of_rows = [item.row for item in table.rejections._list if item.row]
    prepared = [record.row.place for record in chosen]
    assert len(set(of_rows)) == len(of_rows)
    assert not set(of_rows) & set(prepared)
    assert len({record.image_id for record in chosen}) == len(chosen)
    assert len(table.rows) == len(prepared) + repeated + len(of_rows)
    left_out = sum(table.rejections.left_out().values())
    files = sum(not item.row for item in table.rejections._list)
    assert len(of_rows) == len(table.rejections) - files + left_out


@pytest.mark.parametrize("folder", ["  images: films/\n", ""])
def test_a_link_to_nothing_is_an_unreadable_image(tmp_path, folder):
    """As in annexed collections, of which only a part has been fetched."""
    text = TEXT.replace("  images: films/\n", folder)
    path = write_ward(tmp_path / "ward", text, ward_rows(2))
    start = "" if folder else "films/"
    rows = [[f"{start}{row[0]}.png", *row[1:]] for row in ward_rows(2)]
    write_xlsx(path.parent / "outcomes.xlsx", rows)
    (path.parent / "films" / "f01b.png").unlink()
    (path.parent / "films" / "f01b.png").symlink_to("nowhere.png")
    prepared = prepare.prepare_dataset(builder_of(path), None, tmp_path / "data")
    assert prepared.metadata["prepared"] == 3
    assert prepared.metadata["rejected_by_reason"] == {"unreadable image": 1}
    assert prepare.prepare_dataset(builder_of(path), None, tmp_path / "data").reused


def test_an_event_of_a_patient_that_no_row_is_about(tmp_path, read, caplog):
    """Unknown if the table has rows without the event; a list of events has none."""
    text = TEXT.replace("outcomes.xlsx", "[outcomes.xlsx, {file: d.csv, on: pid}]")
    text = text.replace("{column: los, unit: days}", "{event: [alive, died]}")
    path = write_ward(tmp_path / "ward", text.replace("stay", "death"), ward_rows(3))
    for rows, expected in (
        ([["P00", "2020-01-02"]], ["died", "alive", "alive"]),
        ([["P00", "2020-01-02"], ["As of 2020", ""]], ["died", "alive", "alive"]),
        ([["P00", "2020-01-02"], ["P01", ""]], ["died", "alive", ""]),
    ):
        assert "so the table has" not in caplog.text
        write_csv(path.parent / "d.csv", rows, ["pid", "death"])
        prepare.prepare_dataset(builder_of(path), None, tmp_path / "data", overwrite=1)
        assert read()["death"][::2] == expected
    assert (
        "death: death is empty in d.csv:3, so the table has those without the event, "
        "too, and it is unknown for 2 images without a row there" in caplog.text
    )


def test_an_event_of_a_patient_whose_key_nearly_fits_is_unknown(tmp_path, read, caplog):
    text = TEXT.replace("outcomes.xlsx", "[outcomes.xlsx, {file: d.csv, on: pid}]")
    text = text.replace("{column: los, unit: days}", "{event: [alive, died]}")
    path = write_ward(tmp_path / "ward", text.replace("stay", "death"), ward_rows(3))
    rows = [["P01", "2020-01-02"], ["P 2", "2020-01-02"]]
    write_csv(path.parent / "d.csv", rows, ["pid", "death"])
    with caplog.at_level(logging.WARNING):
        prepare.prepare_dataset(builder_of(path), None, tmp_path / "data")
    assert read()["death"][::2] == ["alive", "died", ""]
    assert "death is in doubt: 'P02' has no row in d.csv, but 'P 2' (d.csv:3) is" in (
        caplog.text
    )


def test_text_in_a_column_of_an_event_is_listed(ward, read, caplog):
    rows = ward_rows(3)
    texts = ["nein", "0000-00-00", "2020-01-02", "", "nein", "discharged"]
    for row, text in zip(rows, texts, strict=True):
        row[AT["los"]] = text
    text = TEXT.replace("unit: days}", "event: [alive, died]}")
    with caplog.at_level(logging.WARNING):
        ward(rows, text)
    assert read()["stay"] == ["", "", "died", "alive", "", ""]
    assert (
        "stay: 'nein' (outcomes.xlsx:2), '0000-00-00' (outcomes.xlsx:3), 'discharged' "
        "(outcomes.xlsx:7). Expected for died a date, a time, a number other than 0, "
        "or yes, and for alive 'n/a', '99'. Add what means alive to `unknown`, and "
        "write yes for died; or give `classes` instead of `event`." in caplog.text
    )


def test_conditions_use_what_is_unknown_in_the_label_of_their_column(ward):
    rows = ward_rows(2)
    rows[0][AT["los"]], rows[1][AT["los"]], rows[2][AT["los"]] = 99, -1, "-1.0"
    text = TEXT.replace("{days_to_icu: {min: 0}}", "{los: {known: true}}")
    text = text.replace("unit: days}", "unit: days, unknown: [-1]}")
    assert ward(rows, text).metadata["left_out"] == {"los unknown": 2}


@pytest.mark.parametrize("text", ["n/a", "-", "#REF!", "unknown"])
def test_a_cell_that_names_no_patient(ward, text):
    rows = ward_rows(2)
    rows[0][AT["pid"]] = rows[2][AT["pid"]] = text
    rows[1][AT["hospital"]] = text
    facts = ward(rows).metadata
    assert facts["rejected_by_reason"] == {"bad value": 2}
    assert facts["sites"] == {"south": 1, "unknown": 1}


@pytest.mark.parametrize("name", ["1.23457E+11", 123456789012345678, 1e16])
def test_a_patient_that_a_program_has_rewritten(ward, name):
    """Numbers of spreadsheets have no more than 15 digits."""
    rows = ward_rows(2)
    rows[1][AT["pid"]] = name
    rows[2][AT["pid"]] = 123456789012345
    prepared = ward(rows)
    assert prepared.metadata["rejected_by_reason"] == {"rewritten number": 1}
    (line,) = rejected(prepared)
    assert line.startswith("f00b,outcomes.xlsx:3,rewritten number: patient = '1.")
    assert "keep the column as text" in line


def test_a_patient_in_two_unicode_forms_is_one(ward, read):
    rows = ward_rows(2)
    rows[0][AT["pid"]], rows[1][AT["pid"]] = "K\u00f6 1", "Ko\u0308 1"
    rows[0][AT["hospital"]], rows[1][AT["hospital"]] = "1", 1.0
    ward(rows)
    assert len(set(read()["patient_id"])) == 2
    assert read()["site"][:2] == ["1", "1"]


def test_a_condition_on_a_cell_that_no_row_has_is_told(ward, caplog):
    keep = "{projection: {not_in: [lat, ap]}, sex: {in: [f, m]}}"
    with caplog.at_level(logging.WARNING):
        facts = ward(ward_rows(2), TEXT.replace("{days_to_icu: {min: 0}}", keep))
    assert facts.metadata["left_out"] == {"projection in lat, ap": 2}
    assert "keep.projection: no cell of the column is 'lat'" in caplog.text
    assert "keep.sex" not in caplog.text


@pytest.mark.parametrize(("oldest", "is_told"), [(98, False), (104, True)])
def test_a_mark_among_numbers_is_told(ward, read, caplog, oldest, is_told):
    rows = ward_rows(2)
    rows[0][AT["age"]], rows[1][AT["age"]] = 99, oldest
    with caplog.at_level(logging.WARNING):
        ward(rows)
    text = "age: 1 cells are 99, which `unknown` has, and other cells are from 41 to"
    assert (f"{text} {oldest}" in caplog.text) == is_told
    assert np.isnan(read()["age"][0])


@pytest.mark.parametrize(("code", "is_told"), [(999, True), (-1, True), (8, False)])
@pytest.mark.parametrize("kind", ["unit: days", "event: [home, died]"])
def test_a_code_among_numbers_is_told(ward, caplog, code, is_told, kind):
    rows = ward_rows(5)
    rows[2][AT["los"]] = rows[5][AT["los"]] = code
    with caplog.at_level(logging.WARNING):
        ward(rows, TEXT.replace("unit: days", kind))
    text = f"stay: 2 cells are {code}, and the others lie between 3.5 and 7.5."
    assert (text in caplog.text) == is_told
    assert ("add it to `unknown`" in caplog.text) == is_told


def test_numbers_that_cannot_be_stored_are_no_numbers(ward, read):
    rows = ward_rows(2)
    rows[0][AT["los"]] = 1e300
    for number, row in enumerate(rows):
        row[AT["age"]] = 123456788 + number
    assert ward(rows).metadata["warnings"] == {"bad value": 1}
    assert read()["age"] == [str(123456788 + number) for number in range(4)]
    assert math.isnan(read()["stay"][0])


def test_a_joined_table_that_contradicts_itself_is_an_error(tmp_path, ward):
    """A label, a condition, a site: no image is left out because of it."""
    rows = ward_rows(2)
    ward(rows)
    folder = tmp_path / "ward"
    names = [[row[AT["pid"]]] for row in rows[::2]]
    text = TEXT.replace(
        "tables: outcomes.xlsx", "tables: [outcomes.xlsx, {file: more.csv, on: pid}]"
    )
    assert text != TEXT
    for old, new in (
        ("column: los", "column: more"),
        ("site: hospital", "site: more"),
        ("days_to_icu: {min: 0}", "more: {min: 2}"),
        ("[age, sex, projection]", "[more]"),
    ):
        assert old in text
        write_csv(
            folder / "more.csv",
            [[*names[0], 1], [*names[1], 2], [*names[0], 3]],
            ["pid", "more"],
        )
        with pytest.raises(DataError, match=r"more\.csv:4: more of .* line 2\."):
            ward(rows, text.replace(old, new), overwrite=True)


@pytest.mark.parametrize(
    ("old", "new", "cells", "expected"),
    [
        ("los, unit: days", "more, event: [home, icu]", "2020-01-01 2020-02-02", "icu"),
        (
            "los, unit: days",
            "more, classes: {Ja: icu, yes: icu, no: home}",
            "Ja yes",
            "icu",
        ),
        ("los, unit: days", "more, unit: days", "3 3.00", 3.0),
        ("site: hospital", "site: more", "North north", "North"),
        ("days_to_icu: {min: 0}", "more: {min: 0}", "1 3", 3.5),
        ("days_to_icu: {min: 0}", "more: {not_in: [lat]}", "ap pa", 3.5),
    ],
)
def test_rows_of_a_joined_table_that_mean_the_same(tmp_path, old, new, cells, expected):
    text = TEXT.replace("outcomes.xlsx", "[outcomes.xlsx, {file: d.csv, on: pid}]")
    assert old in text
    path = write_ward(tmp_path / "ward", text.replace(old, new), ward_rows(1))
    rows = [["P00", cell] for cell in cells.split()]
    write_csv(path.parent / "d.csv", rows, ["pid", "more"])
    plan = builder_of(path).plan
    record = plan.record(plan.tables.rows[0], plan.open_images())
    found = record.site if expected == "North" else record.labels["stay"]
    assert found == expected


def test_a_joined_row_that_cannot_be_read_costs_the_label_alone(tmp_path):
    text = TEXT.replace("outcomes.xlsx", "[outcomes.xlsx, {file: d.csv, on: pid}]")
    text = text.replace("los, unit: days", "more, event: [home, icu]")
    path = write_ward(tmp_path / "ward", text, ward_rows(1))
    rows = [["P00", "2020-01-01"], ["P00", "nein"]]
    write_csv(path.parent / "d.csv", rows, ["pid", "more"])
    plan = builder_of(path).plan
    record = plan.record(plan.tables.rows[0], plan.open_images())
    assert [error.detail[:29] for error in record.doubts] == [
        "more = 'nein' in d.csv:3, exp"
    ]
    assert not record.faults
