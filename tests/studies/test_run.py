"""A study from its settings to its page, on simulated features."""

import pandas as pd
import pytest
from small_studies import small_settings

from mdmt_tf import storage
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.studies import run, simulated
from mdmt_tf.studies.design import ARMS, StudyFolder, cells_of, work_of


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = StudyFolder(tmp_path_factory.mktemp("study"))
    written = []
    report = run.run_study(small_settings(), folder, written.append)
    return folder, report, "".join(written)


def test_all_cells_are_there(study):
    folder, report, _ = study
    assert report.status == "All 4 cells have 2 pairs of datasets."
    results = pd.read_csv(folder.results)
    assert len(results) == 2 * 2 * (len(ARMS) + len(ARMS) - 3)
    assert len(list((folder.path / "cells").iterdir())) == 4
    # Without scores nothing is gained, exactly.
    gains = pd.read_csv(folder.path / "tables/gains.csv")
    none = gains[(gains["scores"] == 0) & (gains["arm"] == "mdmt_direct")]
    assert (none["gain"] == 0).all() and len(none) == 6


def test_the_page_has_plots_tables_and_says_synthetic(study):
    folder, report, _ = study
    text = report.page.read_text()
    assert "SYNTHETIC" in text and "mdmt_direct" in text
    for name in ("plots/gains.svg", "plots/gains.png", "plots/arms.svg"):
        assert (folder.path / name).stat().st_size > 5000
    table = (folder.path / "tables/gains.md").read_text()
    assert "projection tied to the outcome" in table and "another detector" in table


def test_finished_cells_are_kept_and_a_lost_one_is_computed_again(study, monkeypatch):
    folder, _, _ = study
    settings = small_settings()
    last = folder.cell(work_of(settings)[-1])
    before = last.read_text()
    last.unlink()
    written = []
    assert len(simulated.read_all(settings, folder)) < len(pd.read_csv(folder.results))
    simulated.compute_all(settings, folder, written.append)
    assert "4 files of cells, 3 finished" in written[0]
    assert last.read_text() == before

    monkeypatch.setattr(simulated, "_on_this_machine", None)  # would be called
    other = work_of(small_settings("study.label_noise=0.1"))
    assert not any(folder.cell(work).is_file() for work in other)


def test_a_damaged_cell_is_named(tmp_path):
    settings = small_settings()
    folder = StudyFolder(tmp_path)
    path = folder.cell(work_of(settings)[0])
    path.parent.mkdir()
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=rf"{path.name}: expected the columns mode, "):
        simulated.read_all(settings, folder)


def test_two_studies_do_not_run_in_one_folder(tmp_path):
    with (
        storage.lock(tmp_path / ".lock"),
        pytest.raises(ConfigError, match="a study is running there"),
    ):
        run.run_study(small_settings(), StudyFolder(tmp_path), print)


def test_cells_are_the_product_of_the_dimensions():
    section = small_settings("study.correlations=[0, 0.5, 0.9]").study
    cells = cells_of(section)
    assert len(cells) == len(set(cells)) == 1 * 2 * 3 * 2
    many = small_settings("study.datasets=5", "study.together=2")
    blocks = [work.datasets for work in work_of(many)]
    assert sorted(set(blocks)) == [(0, 1), (2, 3), (4,)]


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("study.outcomes=[60, 60]", "study.outcomes = [60, 60]: one of them appears"),
        ("study.control=mdmt_direct", "is the primary arm, too"),
        ("study.mode=images", "study.scores = [0, 30]: a benchmark needs images with"),
    ],
)
def test_settings_that_do_not_fit_are_refused(override, text):
    with pytest.raises(ConfigError) as error:
        small_settings(override)
    assert text in str(error.value)


@pytest.mark.large
def test_cells_on_a_ray_cluster_are_those_of_this_machine(study, tmp_path):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        where = ("benchmark.executor=ray", f"benchmark.address={cluster.address}")
        settings, folder = small_settings(*where), StudyFolder(tmp_path)
        simulated.compute_all(settings, folder, print)
        found = simulated.read_all(settings, folder)
        expected = simulated.read_all(small_settings(), study[0])
        pd.testing.assert_frame_equal(found, expected, atol=2e-3)
    finally:
        cluster.shutdown()


@pytest.mark.parametrize("key", ["primary", "control"])
def test_arms_of_the_gain_exist(tmp_path, key):
    settings = small_settings(f"study.{key}=mdmt_dirct")
    message = rf"study.{key} = 'mdmt_dirct': is not one of the arms. Did you mean"
    with pytest.raises(ConfigError, match=message):
        run.run_study(settings, StudyFolder(tmp_path), print)
    assert not list(tmp_path.iterdir())
