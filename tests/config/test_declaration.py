"""The declaration of a dataset: what it accepts, and what it says about mistakes."""

import pytest
from declared import SKETCH

from mdmt_tf import config
from mdmt_tf.config.declaration import DatasetDeclaration, LabelSection
from mdmt_tf.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def write(text=SKETCH, name="ward.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def problems(write):
    """The message about the sketch with one thing replaced."""

    def problems(old, new):
        assert old in SKETCH
        with pytest.raises(ConfigError) as caught:
            config.load_declaration(write(SKETCH.replace(old, new)))
        return str(caught.value)

    return problems


def test_the_sketch_is_a_declaration(write):
    made = config.load_declaration(write())
    assert (made.name, made.images) == ("ward", ("films/",))
    assert [table.file for table in made.tables] == ["outcomes.xlsx"]
    assert made.columns.site == "hospital"
    assert made.unknown == ("", "n/a", "99")
    assert made.keep["days_to_icu"].min == 0
    assert made.labels["outcome"].class_names == ("home", "icu_or_death")
    assert made.labels["stay"].class_names == ()
    assert (made.column_of("stay"), made.labels["stay"].unit) == ("los", "days")
    assert made.field_types == dict.fromkeys(["age", "sex", "projection"], "auto")
    assert made.preprocessing.name == "lungs_256"


def test_other_keys_of_the_file_do_not_matter_to_it(write):
    made = config.load_declaration(write())
    assert config.load_declaration(write(SKETCH + "trainign: 3\n")) == made


def test_paths_are_relative_to_the_file_that_declares(write, tmp_path):
    write()
    (tmp_path / "below").mkdir()
    child = write("base: ../ward.yaml\nseed: 1\n", "below/child.yaml")
    made, folder = config.read_declaration(child)
    assert made.name == "ward"
    assert folder.resolve() == tmp_path.resolve()


def test_tables_have_a_short_and_a_long_form():
    def tables(value):
        values = {
            "name": "ward",
            "tables": value,
            "columns": {"image": "file"},
            "labels": {"a": {}},
        }
        return DatasetDeclaration.model_validate(values).tables

    assert tables("a.csv") == tables(["a.csv"]) == tables([{"file": "a.csv"}])
    assert tables({"file": "a.csv"}) == tables("a.csv")
    _, second = tables(["a.csv", {"file": "b.csv", "on": "pid"}])
    assert second.keys == {"pid": "pid"}
    _, second = tables(["a.csv", {"file": "b.csv", "on": {"pid": "number"}}])
    assert second.keys == {"pid": "number"}


def test_keys_of_classes_are_the_text_that_is_written(write):
    text = SKETCH.replace(
        '{"0": home, "1": icu_or_death}', "{no: home, yes: icu, 2: x}"
    )
    outcome = config.load_declaration(write(text)).labels["outcome"]
    assert outcome.class_of == {"no": "home", "yes": "icu", "2": "x"}


def test_several_cells_may_be_one_class(write):
    text = SKETCH.replace('"0": home,', "0: home, home: home,")
    outcome = config.load_declaration(write(text)).labels["outcome"]
    assert outcome.class_names == ("home", "icu_or_death")


def test_a_file_without_declaration(write):
    with pytest.raises(ConfigError) as caught:
        config.load_declaration(write("seed: 3\ndatset: {name: ward}\n"))
    assert "expected a section `dataset`" in str(caught.value)
    assert "Did you mean 'datset'?" in str(caught.value)
    assert "Received the keys: seed, datset" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: ward", "nam: ward", ["dataset.nam: unknown key", "dataset.name"]),
        ("name: ward", "name: My Ward", ["lower-case letters|should match pattern"]),
        ("name: ward\n", "name: ward\n  label: {}\n", ["dataset.labels"]),
        ("99]", "yes]", ["dataset.unknown.2 = True", "in quotes"]),
        ("tables: outcomes.xlsx", "tables: []", ["dataset.tables", "at least 1"]),
        (
            "tables: outcomes.xlsx",
            "tables: [a.csv, b.csv]",
            ["b.csv needs `on`", "{file: b.csv, on: COLUMN}"],
        ),
        (
            "tables: outcomes.xlsx",
            "tables: [{file: a.csv, on: pid}]",
            ["of the first table, a.csv"],
        ),
        (
            "tables: outcomes.xlsx",
            "tables: [{flie: a.csv}]",
            ["dataset.tables.0.flie: unknown key", "'dataset.tables.0.file'"],
        ),
        ("image: file, ", "", ["dataset.columns.image: missing"]),
        ("{min: 0}", "{}", ["dataset.keep.days_to_icu: is no condition"]),
        ("{min: 0}", "{min: 3, max: 1}", ["min = 3: is above max = 1"]),
        ("{min: 0}", "{minimum: 0}", ["dataset.keep.days_to_icu.minimum: unknown key"]),
        ('"1": icu_or_death', '"1": home', ["expected two or more classes", "home"]),
        ('"1": icu_or_death', '"99": lost', ["'99' is a class, but `unknown`"]),
        ('{"0": home, "1": icu_or_death}', "[yes, no]", ["truth value", "in quotes"]),
        (
            "unit: days",
            "unit: days, classes: [a, b]",
            ["unit = 'days': a label with classes has no unit"],
        ),
        ("fields: [age", "fields: [outcome", ["outcome is a label already"]),
        ("fields: [age", "fields: [box", ["box: every prepared dataset has"]),
        ("fields: [age", "fields: [sex", ["one of them appears twice"]),
        ("    stay:", "    site:", ["labels.site: every prepared dataset has"]),
        ("lungs_256", "lung_256", ["dataset.preprocess: expected", "'lung_256'"]),
    ],
)
def test_a_mistake_is_told_with_its_key_and_line(problems, old, new, expected):
    message = problems(old, new)
    assert "ward.yaml:" in message
    for text in expected:
        assert any(part in message for part in text.split("|")), message


def test_an_event_has_two_classes_of_its_own():
    label = LabelSection(event=["alive", "died"])
    assert label.class_names == ("alive", "died") and label.class_of is None
    for wrong in ({"unit": "days"}, {"classes": ["a", "b"]}):
        with pytest.raises(ValueError, match="leave out"):
            LabelSection(event=["alive", "died"], **wrong)
    with pytest.raises(ValueError, match="two different names"):
        LabelSection(event=["a", "a"])


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "1.0"), ("true", "1"), ("FALSE", "0"), ("2.50", "+2.5")]
    + [("WAHR", "1.0"), ("FALSCH", "false"), ("Falso", "FALSE")],
)
def test_cells_that_are_read_alike_have_one_class(problems, one, other):
    classes = f'{{"{one}": home, "{other}": icu, "9": dead}}'
    message = problems('{"0": home, "1": icu_or_death}', classes)
    assert "dataset.labels.outcome.classes" in message
    assert f"{one!r} and {other!r} are the same in a table, but home and icu" in message
    LabelSection.model_validate({"classes": {one: "a", other: "a", "9": "b"}})
    LabelSection.model_validate({"classes": {"1": "a", "01": "b", "1.5": "c"}})
