"""The flow of patients, counted by hand, of a run and of prepared data."""

import types

import pandas as pd
import pytest

from mdmt_tf.config import files, load
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.runs import predictions
from mdmt_tf.runs.flow import (
    Count,
    DatasetFlow,
    PatientFlow,
    flow_of_inputs,
    measure_flow,
    patient_flow,
)
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.storage import write_json
from mdmt_tf.tasks import make_task

ICU = make_task(
    name="icu", kind="binary", classes=("no", "yes"), sources={"ward": "icu"}
)
STAY = make_task(name="stay", kind="regression", sources={"other": "days"})
SIGNS = make_task(
    name="signs",
    kind="multilabel",
    classes=("edema", "effusion"),
    sources={"ward": ("edema", "effusion")},
)
# Ten rows: one is repeated, two are left out, one is unreadable; a file has no row.
METADATA = {
    "synthetic": False,
    "rows_read": 10,
    "rows_repeated": 1,
    "left_out": {"age at least 18": 2},
    "rejected": 3,
    "rejected_by_reason": {
        "unreadable image": 1,
        "not in the table": 1,
        "no row in the first table": 1,
    },
    "prepared": 6,
    "patients": 4,
}
LISTS = {
    "train": ["1", "2", "3"],
    "validation": [],
    "test": ["4", "5"],
    "excluded": ["6"],
}
# Image 3 has no label and is not trained with, so no prediction is stored.
ROWS = [
    ("train", "1", "a", 1.0),
    ("train", "2", "a", 1.0),
    ("test", "4", "b", 0.0),
    ("test", "5", "c", None),
]
PATIENTS = {"1": "a", "2": "a", "3": "d", "4": "b", "5": "c", "6": "c"}


def table_of(rows, task="icu"):
    columns = ["split", "image_id", "patient_id", "target"]
    return pd.DataFrame(rows, columns=columns).assign(dataset="ward", task=task)


def ward(**values):
    arguments = {
        "datasets": {"ward": METADATA},
        "lists": {"ward": LISTS},
        "table": table_of(ROWS),
        "answers": [ICU, STAY],
    }
    (found,) = measure_flow(**arguments | values).datasets
    return found


def test_every_row_is_taken_or_has_a_reason():
    found = ward()
    assert found.rows == 10 and found.taken == Count(6, 4)
    assert found.left_out == {
        "repeats another row of the same image": 1,
        "condition age at least 18": 2,
        "unreadable image": 1,
    }
    assert found.files_without_row == 1
    assert found.unexplained == 0


def test_images_and_patients_of_each_split():
    splits = ward(patients={"ward": PATIENTS}).splits
    assert splits == {
        "train": Count(3, 2),
        "validation": Count(0, 0),
        "test": Count(2, 2),
        "excluded": Count(1, 1),
    }


def test_patients_that_no_prediction_names_are_unknown_and_not_zero():
    splits = ward().splits
    assert splits["train"] == Count(3, None) and splits["test"] == Count(2, 2)
    assert splits["excluded"] == Count(1, None)


def test_labels_of_each_task_that_the_dataset_feeds():
    found = ward()
    assert set(found.labelled) == {"icu"}
    assert found.labelled["icu"] == {
        "train": Count(2, 1),
        "validation": Count(0, 0),
        "test": Count(1, 1),
    }
    assert found.classes["icu"]["train"] == {"no": Count(0, 0), "yes": Count(2, 1)}
    assert found.classes["icu"]["test"] == {"no": Count(1, 1), "yes": Count(0, 0)}


def test_an_image_with_one_of_several_labels_counts_once():
    names = [component.name for component in SIGNS.components]
    both = [table_of(ROWS, name) for name in names]
    found = ward(table=pd.concat(both), answers=[SIGNS])
    assert found.labelled["signs"]["train"] == Count(2, 1)
    assert found.classes["signs"] == {}


def test_classes_are_counted_for_each_of_several_labels():
    edema = [("train", "1", "a", 1.0), ("train", "2", "a", 0.0), ("test", "4", "b", 1)]
    effusion = [("train", "1", "a", 0.0), ("test", "4", "b", None)]
    both = [table_of(edema, "signs/edema"), table_of(effusion, "signs/effusion")]
    found = ward(table=pd.concat(both), answers=[SIGNS])
    assert list(found.labelled) == ["signs", "signs/edema", "signs/effusion"]
    assert found.labelled["signs/edema"]["train"] == Count(2, 1)
    assert found.labelled["signs/effusion"]["test"] == Count(0, 0)
    assert found.classes["signs/edema"]["train"] == {
        "no": Count(1, 1),
        "yes": Count(1, 1),
    }
    assert found.classes["signs/edema"]["test"]["yes"] == Count(1, 1)
    assert found.classes["signs/effusion"]["train"]["yes"] == Count(0, 0)


def test_of_a_dataset_without_such_metadata_little_is_known():
    found = ward(datasets={"ward": {}})
    assert found.rows is None and found.files_without_row is None
    assert found.taken == Count(None, None) and found.unexplained == 0


def test_inputs_of_a_fit_know_all_patients(tmp_path):
    write_json(tmp_path / "metadata.json", METADATA)

    class Ward:
        name, folder, synthetic = "ward", tmp_path, True
        table = {"image_id": list(PATIENTS), "patient_id": list(PATIENTS.values())}

        def __len__(self):
            return len(PATIENTS)

    inputs = types.SimpleNamespace(
        datasets=[Ward()],
        split=types.SimpleNamespace(datasets={"ward": LISTS}),
        answers=[ICU],
    )
    flow = flow_of_inputs(inputs, table_of(ROWS))
    expected = ward(patients={"ward": PATIENTS}, answers=[ICU])
    assert flow.datasets[0].synthetic
    assert flow.datasets[0].splits == expected.splits
    assert PatientFlow.from_plain(flow.to_plain()) == flow


@pytest.fixture
def finished(tmp_path):
    """A run of an earlier version, whose data are prepared in `data`."""
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    folder = tmp_path / "data" / "ward" / "full_64" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    write_json(folder / "metadata.json", METADATA)
    settings = load(
        "phantom",
        [
            "phantoms=null",
            f"data_dir={tmp_path / 'data'}",
            "datasets={ward: {config: full_64}}",
            "tasks={icu: {kind: binary, classes: ['no', 'yes'], from: {ward: icu}}}",
            "training.select_on.task=icu",
        ],
    )
    files.write(settings.to_plain(), run.config, "made")
    facts = {"examples": 6, "synthetic": False}
    write_json(run.manifest, {"datasets": {"ward": facts}})
    write_json(run.split, {"datasets": {"ward": LISTS}})
    write_json(run.metrics, {})
    table = table_of(ROWS).assign(fold=0, site="", prediction=0, p_0=1.0, p_1=0.0)
    predictions.write(table, run.predictions)
    return run


def test_a_run_without_the_file_is_counted_from_its_files(finished):
    (found,) = patient_flow(finished.path).datasets
    assert found == ward(answers=[ICU])


def test_data_that_were_prepared_anew_are_not_those_of_the_run(finished):
    facts = {"examples": 5, "synthetic": True}
    write_json(finished.manifest, {"datasets": {"ward": facts}})
    (found,) = patient_flow(finished).datasets
    # Of the run itself, the manifest has the number of images.
    assert found.rows is None and found.taken == Count(5, None)
    assert found.synthetic and found.labelled["icu"]["train"] == Count(2, 1)


def test_the_stored_flow_counts_when_the_data_are_gone(finished):
    kept = PatientFlow((DatasetFlow(name="ward", taken=Count(6, 4)),))
    write_json(finished.flow, kept.to_plain())
    finished.predictions.unlink()
    assert patient_flow(finished) == kept


def test_prepared_data_have_no_splits(finished):
    (found,) = patient_flow(finished.path.parent / "data", finished.settings()).datasets
    assert found.taken == Count(6, 4) and not found.splits
    with pytest.raises(ConfigError, match="settings that name the datasets"):
        patient_flow(finished.path.parent / "data")


def test_what_cannot_be_counted_is_an_error(finished):
    write_json(finished.flow, {"datasets": [{"name": "ward"}]})
    with pytest.raises(DataError, match=r"flow\.json: not a flow of patients"):
        patient_flow(finished)
    finished.flow.unlink()
    finished.metrics.unlink()
    with pytest.raises(DataError, match="not finished"):
        patient_flow(finished)
