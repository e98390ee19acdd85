"""What `evaluate --on` checks before it reads an image."""

import shutil

import numpy as np
import pytest

from mdmt_tf.config import files
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.runs.external import (
    choose_labels,
    choose_preprocessing,
    fed_by,
    make_request,
    not_judged,
)
from mdmt_tf.runs.folder import RunFolder

TASKS = {
    "outcome": {"kind": "binary", "classes": ["no", "yes"], "from": {"a": "died"}},
    "grade": {"kind": "ordinal", "cut_points": [1, 2], "from": {"b": "total"}},
}


@pytest.fixture
def make(tmp_path):
    """A function that makes the folder of a finished run, without training."""

    def make(name="run", configs=("lungs_256", "lungs_256"), tasks=TASKS):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        values = {
            "experiment": "small",
            "data_dir": str(tmp_path / "gone"),
            "tasks": tasks,
            "datasets": {
                dataset: {"config": config}
                for dataset, config in zip("ab", configs, strict=True)
            },
            "training": {
                "epochs": 3,
                "warmup_epochs": 0,
                "select_on": {"task": "outcome"},
            },
        }
        files.write(values, folder / "config.yaml")
        (folder / "metrics.json").write_text("{}")
        return RunFolder.open(folder)

    return make


class Dataset:
    name = "ward"

    def __init__(self, *fields):
        self.table = dict.fromkeys(fields, np.zeros(3))


def test_a_request_is_completed(make):
    run = make()
    request = make_request([run], "ward", "DATA", labels=["outcome=dead"])
    assert request.dataset == "ward" and request.declaration is None
    assert request.out == run.path / "external" / "ward"
    assert request.labels == {"outcome": "dead"}
    assert request.preprocessings == ("lungs_256",)
    assert [task.name for task in request.tasks] == ["outcome", "grade"]
    assert request.run_names == ["run"]
    assert choose_labels(request, Dataset("grade")) == {"outcome": "dead"}
    several = make_request([run, make("second")], "ward", "DATA")
    assert several.out == run.path / "external" / "ward_2_runs"
    vector = make_request([run], "ward", "DATA", labels=["grade=a,b"])
    assert vector.labels == {"grade": ("a", "b")}


def test_answers_without_a_label_are_named(make):
    findings = {"kind": "multilabel", "classes": ["x", "y"], "from": {"b": ["x", "y"]}}
    tasks = {**TASKS, "findings": findings}
    request = make_request([make(tasks=tasks)], "ward", "DATA")

    def left(request, **fields):
        fed = fed_by(request.tasks, "ward", fields)
        return not_judged(request, "ward", fed)

    assert left(request, outcome="died", grade="total", findings=("x", "y")) == {}
    found = left(request, outcome="died")
    assert found["answers"] == ["grade", "findings"]
    assert found["text"].startswith(
        "Not judged, because ward has no label of it: grade (--labels grade=FIELD), "
        "findings (--labels findings=FIELD,...). "
    )
    # They were not asked for.
    chosen = make_request([request.runs[0]], "ward", "DATA", labels=["outcome=died"])
    text = "Not judged, because --labels does not name it: grade, findings."
    assert left(chosen, outcome="died")["text"] == text


def test_runs_with_one_name_are_told_apart_by_their_paths(make):
    runs = [make("fold_0/run"), make("fold_1/run")]
    request = make_request(runs, "ward", "DATA")
    assert request.run_names == [str(run.path) for run in runs]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["outcome"], "--labels outcome: expected TASK=FIELD"),
        (["outcome="], "expected TASK=FIELD, for example outcome=died"),
        (["outcom=died"], "'outcom' is not a task of the run. Did you mean 'outcome'"),
        (["outcome=a", "outcome=b"], "outcome has a label field already"),
    ],
)
def test_labels_that_are_no_labels(make, labels, message):
    with pytest.raises(ConfigError, match=message):
        make_request([make()], "ward", "DATA", labels=labels)


def test_the_folder_of_the_data_is_needed(make):
    with pytest.raises(ConfigError, match="--data-dir: missing.*ward"):
        make_request([make()], "ward", None)


def test_nothing_is_overwritten_silently(make):
    run = make()
    (run.path / "external" / "ward").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"ward exists.*--out DIR.*--overwrite"):
        make_request([run], "ward", "DATA")
    make_request([run], "ward", "DATA", overwrite=True)
    make_request([run], "ward", "DATA", out=run.path / "other")


def test_only_an_external_validation_is_replaced(make, tmp_path):
    run = make()
    (run.path / "manifest.json").write_text('{"datasets": {}}')
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").touch()
    file = tmp_path / "file"
    file.touch()
    link = tmp_path / "link"
    link.symlink_to(run.path)
    for out in (run.path, mine, file, link):
        with pytest.raises(ConfigError, match="not the folder of an external valid"):
            make_request([run], "ward", "DATA", out=out, overwrite=True)
    old = tmp_path / "old"
    old.mkdir()
    (old / "manifest.json").write_text('{"runs": [], "dataset": {}}')
    assert make_request([run], "ward", "DATA", out=old, overwrite=True).out == old


def test_an_unfinished_run_is_refused(make):
    run = make()
    run.metrics.unlink()
    with pytest.raises(DataError, match="the run is not finished"):
        make_request([run], "ward", "DATA")


def test_runs_of_different_tasks_have_no_mean(make):
    outcome = {**TASKS["outcome"], "classes": ["alive", "dead"]}
    other = make("other", tasks={"outcome": outcome, "grade": TASKS["grade"]})
    message = r"do not have the same tasks.*no, yes.*alive, dead.*one by one"
    with pytest.raises(ConfigError, match=message):
        make_request([make(), other], "ward", "DATA")
    # Weights and datasets may differ: they do not change the meaning of an answer.
    grade = {**TASKS["grade"], "weight": 2.0}
    weighted = make("weighted", tasks={"outcome": TASKS["outcome"], "grade": grade})
    assert len(make_request([make("one"), weighted], "ward", "DATA").runs) == 2


def test_a_run_of_permuted_labels_is_in_no_mean(make):
    permuted = TASKS | {"outcome": {**TASKS["outcome"], "permute": True}}
    runs = [make(), make("null", tasks=permuted)]
    with pytest.raises(ConfigError, match=r"outcome \(.*\), permuted labels; grade"):
        make_request(runs, "ward", "DATA")
    assert make_request(runs[1:], "ward", "DATA").tasks[0].permute


def test_a_run_counts_once(make):
    run = make()
    with pytest.raises(ConfigError, match="is given twice"):
        make_request([run, RunFolder(run.path / ".." / "run")], "ward", "DATA")


def test_a_copy_of_a_run_is_refused_with_both_names(make):
    runs = [make(name) for name in ("one", "other", "copy")]
    for run, weights in zip(runs, (b"1", b"2", b"1"), strict=True):
        run.best_weights.parent.mkdir()
        run.best_weights.write_bytes(weights)
    assert len(make_request(runs[:2], "ward", "DATA").runs) == 2
    with pytest.raises(ConfigError, match=r"one and .*copy have the same weights"):
        make_request(runs, "ward", "DATA")


def test_a_copy_that_has_its_saved_model_alone_is_refused(make):
    runs = [make(name) for name in ("one", "copy")]
    for run in runs:
        (run.saved_model / "variables").mkdir(parents=True)
        (run.saved_model / "saved_model.pb").write_bytes(b"graph")
    with pytest.raises(ConfigError, match=r"one and .*copy have the same weights"):
        make_request(runs, "ward", "DATA")
    (runs[1].saved_model / "variables" / "data").write_bytes(b"2")
    assert len(make_request(runs, "ward", "DATA").runs) == 2


def test_runs_of_different_preprocessing_have_no_dataset(make):
    runs = [make(), make("other", configs=("full_256", "full_256"))]
    with pytest.raises(ConfigError, match=r"run: lungs_256; .*other: full_256"):
        make_request(runs, "ward", "DATA")
    both = make("both", configs=("full_256", "lungs_256"))
    request = make_request([runs[0], both], "ward", "DATA")
    assert request.preprocessings == ("lungs_256",)


def prepared(folder, dataset, config):
    (folder / dataset / config / "1.0.0").mkdir(parents=True)
    (folder / dataset / config / "1.0.0" / "dataset_info.json").touch()


def test_data_prepared_otherwise_are_refused_with_the_command(make, tmp_path):
    prepared(tmp_path / "data", "ward", "full_256")
    request = make_request([make()], "ward", str(tmp_path / "data"))
    message = (
        r"'ward' is prepared as full_256. Expected lungs_256, as the images that .*run "
        r"was trained with. Name the file that declares it, --on FILE.yaml, or prepare "
        r"it: .*mdmt_tf.prepare ward --manual-dir FOLDER --data-dir .*data --config "
        r"lungs_256$"
    )
    with pytest.raises(DataError, match=message):
        choose_preprocessing(request)
    prepared(tmp_path / "data", "ward", "lungs_256")
    assert choose_preprocessing(request) == "lungs_256"
    shutil.rmtree(tmp_path / "data" / "ward" / "lungs_256")
    misspelt = make_request([make("b")], "wrad", str(tmp_path / "data"))
    with pytest.raises(DataError, match="is not prepared. Did you mean 'ward'"):
        choose_preprocessing(misspelt)


def test_labels_are_found_by_equal_names(make):
    request = make_request([make()], "ward", "DATA")
    # The name of the task; a field that a dataset of the run has, too.
    assert choose_labels(request, Dataset("outcome", "total")) == {
        "outcome": "outcome",
        "grade": "total",
    }
    # Other tasks are left out.
    assert choose_labels(request, Dataset("died", "age")) == {"outcome": "died"}
    with pytest.raises(ConfigError) as error:
        choose_labels(request, Dataset("outcomes", "age"))
    text = str(error.value)
    assert "no label for outcome, grade. Did you mean 'outcomes'?" in text
    assert "Its fields: age, outcomes" in text
    assert "--labels outcome=FIELD" in text


def test_the_fields_of_a_vector_are_found_by_equal_names(make):
    signs = {"kind": "multilabel", "classes": ["x", "y"], "from": {"a": ["p", "q"]}}
    request = make_request([make(tasks=TASKS | {"signs": signs})], "ward", "DATA")
    found = choose_labels(request, Dataset("died", "p", "q"))
    assert found == {"outcome": "died", "signs": ("p", "q")}
    assert choose_labels(request, Dataset("died", "p")) == {"outcome": "died"}


def test_a_single_label_has_one_field(make):
    request = make_request([make()], "ward", "DATA", labels=["outcome=a,b"])
    message = r"the label of outcome = \['a', 'b'\]: expected the name of one field"
    with pytest.raises(ConfigError, match=message):
        choose_labels(request, Dataset("a", "b"))


SIGNS = {"kind": "multilabel", "classes": ["left", "big", "low"], "from": {"a": "s"}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("low,left,big", "'low' is the field of left, and has the name of low"),
        ("f,Low,g", "'Low' is the field of big, and has the name of low"),
        ("left,left,low", "'left' is the field of both left and big"),
    ],
)
def test_the_fields_of_a_vector_are_in_the_order_of_its_labels(make, fields, message):
    given = [f"signs={fields}"]
    run = make(tasks=TASKS | {"signs": SIGNS})
    request = make_request([run], "ward", "DATA", labels=given)
    text = f"the label of signs = .*{message}.*order of `classes`: left, big, low"
    with pytest.raises(ConfigError, match=text):
        choose_labels(request, Dataset(*fields.split(",")))


@pytest.mark.parametrize("fields", ["Left,big,f", "f,g,h", "left,big,low"])
def test_fields_with_the_names_of_their_labels_or_with_others_are_taken(make, fields):
    run = make(tasks=TASKS | {"signs": SIGNS})
    request = make_request([run], "ward", "DATA", labels=[f"signs={fields}"])
    found = choose_labels(request, Dataset(*fields.split(",")))
    assert found == {"signs": tuple(fields.split(","))}


ZONES = {
    side: {"kind": "regression", "from": {"a": f"zones[{index}]"}}
    for index, side in enumerate(("left", "right"))
}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["left=right", "right=left"], "the label of left = 'right'.*name of right"),
        (["left=sum", "right=sum"], "the label of total, a sum: 'sum' is the field of"),
    ],
)
def test_tasks_that_are_read_alike_take_fields_of_their_own(make, labels, message):
    run = make(tasks=TASKS | ZONES)
    with (run.path / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("derived: {total: {sum: [left, right]}}\n")
    request = make_request([RunFolder(run.path)], "ward", "DATA", labels=labels)
    with pytest.raises(ConfigError, match=message):
        choose_labels(request, Dataset("left", "right", "sum"))


def test_an_own_newer_version_of_a_dataset_has_its_own_field(make):
    dataset = Dataset("died", "outcome")
    dataset.name = "a"
    request = make_request([make()], "a", "DATA")
    assert choose_labels(request, dataset) == {"outcome": "died"}


DECLARATION = """\
dataset:
  name: ward
  images: films
  tables: outcomes.csv
  columns: {image: file}
  labels: {dead: {classes: ["no", "yes"]}, score: {}}
tasks:
  outcome: {kind: binary, from: {ward: dead}}
  other: {kind: binary, from: {ward: [x, y]}}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind: binary", "kind: ordinal", "outcome.kind = ordinal: expected binary"),
        ("from: {ward: dead}", "classes: [a, b], from: {ward: dead}", "classes = "),
        (
            "outcome: {kind: binary, from: {ward: dead}}",
            "grade: {cut_points: [1, 5], from: {ward: score}}",
            r"grade.cut_points = \[1, 5\]: expected \[1.0, 2.0\]",
        ),
        (
            "kind: binary, from: {ward: dead}",
            "cut_points: [6], from: {ward: dead}",
            r"outcome.cut_points = \[6\]: expected \[\]",
        ),
        (
            "outcome: {kind: binary, from: {ward: dead}}",
            "grade: {descending: true, from: {ward: score}}",
            "grade.descending = True: expected False",
        ),
    ],
)
def test_another_task_in_the_file_is_refused(make, tmp_path, old, new, message):
    path = tmp_path / "my.yaml"
    path.write_text(DECLARATION.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message):
        make_request([make()], str(path), "DATA")
    # Its labels are not used.
    make_request([make("second")], str(path), "DATA", labels=["outcome=dead"])


def test_classes_of_labels_may_be_in_any_order(make, tmp_path):
    path, old = tmp_path / "my.yaml", "kind: binary, from: {ward: dead}"
    new = 'classes: ["yes", "no"], cut_points: null, from: {ward: dead}'
    path.write_text(DECLARATION.replace(old, new, 1))
    assert make_request([make()], str(path), "DATA").declared["outcome"] == "dead"


@pytest.mark.parametrize(
    ("field", "classes"),
    [("score", '["yes", "no"]'), ("[f, g, h]", "[low, left, big]")],
)
def test_numbers_and_vectors_have_the_classes_of_the_run_in_order(
    make, tmp_path, field, classes
):
    path, old = tmp_path / "my.yaml", "outcome: {kind: binary, from: {ward: dead}}"
    task = "signs" if field.startswith("[") else "outcome"
    new = f"{task}: {{classes: {classes}, from: {{ward: {field}}}}}"
    path.write_text(DECLARATION.replace(old, new, 1))
    run = make(tasks=TASKS | {"signs": SIGNS})
    with pytest.raises(ConfigError, match=f"tasks.{task}.classes = .*as in the run"):
        make_request([run], str(path), "DATA")


def test_a_file_declares_the_dataset_and_its_labels(make, tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(DECLARATION)
    request = make_request([make()], str(path), "DATA")
    assert request.dataset == "ward" and request.declaration == str(path)
    assert request.declared == {"outcome": "dead", "other": ("x", "y")}
    assert request.out.name == "ward"
    found = choose_labels(request, Dataset("dead", "grade"))
    assert found == {"outcome": "dead", "grade": "grade"}
    # What is given goes first.
    given = make_request([make("b")], str(path), "DATA", labels=["grade=score"])
    assert choose_labels(given, Dataset("dead", "grade")) == {"grade": "score"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "--on .*my.yaml: no such file"),
        ("tasks: {}\n", "expected a section `dataset`"),
        ("dataset: [", "not valid YAML"),
    ],
)
def test_a_file_that_declares_nothing(make, tmp_path, text, message):
    path = tmp_path / "my.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        make_request([make()], str(path), "DATA")
