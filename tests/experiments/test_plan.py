"""What a plan leaves in the folder of a benchmark, and what another plan changes."""

import pytest
from small_settings import TWO

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.experiments import grid, plan
from mdmt_tf.experiments.grid import Folder
from mdmt_tf.splits.split import Split

SETTINGS = TWO | {
    "benchmark": {
        "backbones": ["resnet18"],
        "cross_validation": {"cv": {"folds": 3}},
        "experiments": {"both": {"tasks": ["outcome", "grade"]}},
    },
}


@pytest.fixture
def planned(data_dir, tmp_path):
    """Plans the benchmark in one folder; returns the folder, the settings, the grid."""
    folder = Folder(tmp_path / "benchmark")
    folder.path.mkdir()
    files.write(SETTINGS | {"data_dir": str(data_dir)}, tmp_path / "settings.yaml")

    def planned(*overrides):
        settings = config.load(str(tmp_path / "settings.yaml"), overrides)
        return folder, settings, plan.make_plan(settings, folder)

    return planned


def test_the_lists_are_those_that_the_fits_are_planned_with(planned):
    folder, _, made = planned()
    splits = plan.read_splits(folder)
    assert list(splits) == [("cv", fold) for fold in range(3)]
    for fit in made.fits.values():
        assert fit.lists == splits[fit.split].hash
        assert Split.read(folder.split(*fit.split, fit.lists)) == splits[fit.split]


def test_another_plan_replaces_no_list_that_a_fit_reads(planned, data_dir):
    folder, _, made = planned()
    (first, *_) = made.fits.values()
    lists = folder.split(*first.split, first.lists)
    before = lists.read_bytes()
    planned("benchmark.cross_validation.cv.seed=1")
    assert lists.read_bytes() == before
    # A fit that starts only now, or is repeated years later, has its own lists.
    grid.write_fit(first, folder, str(data_dir))
    settings = config.load(str(folder.fit_settings(first.name)))
    assert Split.read(settings.split.file).hash == first.lists
    # The new plan is that of the folder.
    assert plan.read_splits(folder)[first.split].hash != first.lists
