"""Prepared datasets as the diagnosis reads them."""

import numpy as np
import pytest
from made_material import made_dataset, made_material

from mdmt_tf import config
from mdmt_tf.diagnosis.material import make_folds, read_material, without_drawn
from mdmt_tf.errors import DataError
from mdmt_tf.tasks import make_task


@pytest.fixture(scope="module")
def settings(data_dir):
    return config.load(
        "phantom",
        [
            "phantoms=null",
            f"data_dir={data_dir}",
            "datasets={alpha: {config: full_256}, beta: {config: full_256}}",
            "tasks={outcome: {kind: categorical, classes: [mild, severe], from: "
            "{alpha: outcome}}, grade: {kind: ordinal, cut_points: [1, 2, 3], from: "
            "{beta: grade}}}",
            "training.select_on={task: outcome, metric: loss}",
            "image_size=32",
            "split.folds=3",
            "split.fold=1",
        ],
    )


def test_tables_pictures_and_folds_are_read(settings, alpha, stored_pixels):
    seen = []
    material = read_material(settings, lambda done, total: seen.append((done, total)))
    assert [dataset.name for dataset in material.datasets] == ["alpha", "beta"]
    first = material.datasets[0]
    assert first.synthetic and not material.datasets[1].synthetic
    assert list(first.table) == sorted(alpha.table)
    for row in (0, 17):
        pixels = stored_pixels(str(first.table["image_id"][row]))
        expected = pixels.astype(np.float32) / 255
        np.testing.assert_allclose(
            first.pictures.grey[row, 0], expected.mean(), rtol=1e-5
        )
    assert seen[-1] == (63, 63)
    assert material.fold == 1 and len(material.folds) == 3
    tested = [i for split in material.folds for i in split.datasets["alpha"]["test"]]
    assert sorted(tested) == sorted(first.ids("image_id"))


def test_folds_that_leave_out_sites(settings, alpha, beta):
    tables = {"alpha": alpha.table, "beta": beta.table}
    section = settings.split.model_copy(
        update={"kind": "leave_one_site_out", "leave_out": ("alpha",), "fold": 0}
    )
    folds, _ = make_folds(settings.model_copy(update={"split": section}), tables)
    assert [split.sites["alpha"] for split in folds] == ["X", "Y", "Z"]


def test_images_that_are_drawn_beside_real_ones_are_not_examined(data_dir):
    settings = config.load(
        "phantom",
        [
            "phantoms={synthetic_cxr_patients: 9}",
            f"data_dir={data_dir}",
            "datasets={beta: {}, synthetic_cxr: {auxiliary: true}}",
            "tasks={grade: {kind: ordinal, cut_points: [1], from: {beta: grade, "
            "synthetic_cxr: brixia_global}}, z: {kind: ordinal, cut_points: [1], from: "
            "{synthetic_cxr: 'brixia_scores[0]'}}}",
            "training.select_on={task: grade, metric: loss}",
        ],
    )
    real, left_out = without_drawn(settings)
    assert left_out == ("synthetic_cxr",)
    assert list(real.datasets) == ["beta"] and real.drawn_datasets == []
    assert {task.name: dict(task.sources) for task in real.build_tasks()} == {
        "grade": {"beta": "grade"}
    }
    # Nothing else to examine.
    alone = config.load("phantom")
    assert without_drawn(alone) == (alone, ())


def test_a_dataset_that_is_not_prepared_is_an_error(settings, tmp_path):
    moved = settings.model_copy(update={"data_dir": str(tmp_path)})
    with pytest.raises(DataError, match="is not prepared"):
        read_material(moved)


def test_parts_of_a_label_field_are_labels():
    scores = make_task(
        name="upper",
        kind="ordinal",
        cut_points=(2,),
        sources={"ward": "sum(scores[0:2])"},
    )
    ward = made_dataset(np.arange(20) % 2, images=None, scores=np.zeros((20, 3)))
    assert made_material(ward, tasks=[scores]).label_fields("ward") == {"scores"}


def test_lists_of_every_fold_are_examined(settings, alpha, beta, tmp_path):
    tables = {"alpha": alpha.table, "beta": beta.table}
    made, _ = make_folds(settings, tables)
    for number, split in enumerate(made):
        split.write(tmp_path / f"{number}.json")
    for name, count, own in (("{fold}", 3, 1), ("1", 1, 0)):
        section = settings.split.model_copy(
            update={"kind": "file", "file": str(tmp_path / f"{name}.json")}
        )
        read, fold = make_folds(settings.model_copy(update={"split": section}), tables)
        assert (len(read), fold) == (count, own)
        assert read[fold].datasets == made[1].datasets


def test_an_auxiliary_dataset_is_for_training_alone(settings, alpha, beta):
    tables = {"alpha": alpha.table, "beta": beta.table}
    section = settings.datasets["beta"].model_copy(update={"auxiliary": True})
    datasets = {**settings.datasets, "beta": section}
    folds, _ = make_folds(settings.model_copy(update={"datasets": datasets}), tables)
    lists = [split.datasets["beta"] for split in folds]
    assert lists[0]["train"] and lists.count(lists[0]) == 3
    assert not lists[0]["test"] and not lists[0]["validation"]
