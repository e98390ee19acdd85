"""Every configuration that comes with the package can be used."""

import re
from pathlib import Path

import pytest

from mdmt_tf import benchmark, config
from mdmt_tf.config import files
from mdmt_tf.datasets._shared import prepare
from mdmt_tf.experiments import alone, identity, plan, protocol
from mdmt_tf.experiments.grid import Folder

DUMMY = Path(__file__).resolve().parent.parent / "datasets/ich_csic/dummy_data"


def load(name, *overrides):
    """The settings of `train`, with any folder for the data."""
    overrides = ["data_dir=.", *overrides]
    parts = alone.parts_of(config.load(name, overrides), overrides)
    return list(parts.values())[-1].settings


LOADED = {name: load(name) for name in files.names()}
WITH_BENCHMARK = [name for name, made in LOADED.items() if made.benchmark]
# A backbone may object to the images, which are those of all experiments: the first one
# is tried with every backbone.
FITS = [
    (name, experiment, backbone)
    for name in WITH_BENCHMARK
    for number, experiment in enumerate(LOADED[name].experiments.resolved)
    for backbone in LOADED[name].benchmark.backbones[: 1 if number else None]
]


@pytest.mark.parametrize("name", LOADED)
def test_it_is_named_as_its_file_and_says_what_it_is(name):
    assert LOADED[name].experiment == name
    assert files.summary(name).endswith(".")


@pytest.mark.parametrize("name", LOADED)
def test_its_comments_name_splits_as_the_documentation_does(name):
    text = files.read_text(name)
    assert not re.search(r"\b(train|training|validation|test) (part|side)\b", text)


@pytest.mark.parametrize(("name", "experiment", "backbone"), FITS)
def test_every_experiment_and_every_backbone_has_its_settings(
    name, experiment, backbone
):
    section = LOADED[name].experiments.resolved[experiment]
    of_grid = protocol.settings_of(LOADED[name], experiment, backbone)
    overrides = [f"experiment={experiment}", f"model.backbone={backbone}"]
    if section.start:
        overrides.append("model.weights=start.weights.h5")
    alone = load(name, *overrides)
    for made in (of_grid, alone):
        assert tuple(made.tasks) == section.tasks
        assert made.model.backbone == backbone
        assert made.experiment == experiment
        assert made.benchmark is None
    # What is trained is the same; where the data are and what is left beside it is not.
    assert identity.digest_of_settings(of_grid) == identity.digest_of_settings(alone)
    # Phantoms are drawn for an experiment that reads them.
    drawn = set(alone.split_datasets) & set(LOADED[name].drawn_datasets)
    assert alone.phantoms == (LOADED[name].phantoms if drawn else None)


@pytest.mark.parametrize("name", WITH_BENCHMARK)
def test_its_heads_can_start_where_they_shall(name):
    protocol.check_experiments(LOADED[name])


@pytest.mark.parametrize("name", WITH_BENCHMARK)
def test_an_experiment_alone_is_on_a_fold_of_the_grid(name):
    assert LOADED[name].split in LOADED[name].benchmark.cross_validation.values()


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """The dummy files of `ich_csic`, prepared; and a plan of `ich` on them."""
    data_dir = tmp_path_factory.mktemp("heads")
    prepare.prepare_dataset("ich_csic", DUMMY, data_dir)
    folder = Folder(tmp_path_factory.mktemp("benchmark") / "ich")
    settings = ["--config", "ich", f"data_dir={data_dir}", f"run_dir={folder.path}"]
    assert benchmark.main(["--plan", *settings]) == 0
    return data_dir, folder


@pytest.mark.large
def test_the_head_cts_can_be_planned(heads):
    _, folder = heads
    splits = list(plan.read_splits(folder).values())
    tested = [image for s in splits for image in s.datasets["ich_csic"]["test"]]
    assert sorted(tested, key=int) == ["1", "2", "3", "6", "007", "11"] + [
        str(n) for n in range(21, 31)
    ]
    # Seven models; each of the three baselines is fitted already, once a fold.
    assert len(list(folder.path.glob("runs/*/metrics.json"))) == 3 * 10


@pytest.mark.large
@pytest.mark.parametrize("experiment", LOADED["ich"].benchmark.experiments)
def test_a_model_of_head_cts_alone_has_the_lists_of_the_grid(heads, experiment):
    from mdmt_tf.training.inputs import open_inputs

    data_dir, folder = heads
    for fold in (0, 9):
        settings = load(
            "ich",
            f"data_dir={data_dir}",
            f"experiment={experiment}",
            f"split.fold={fold}",
            "pipeline.cache=stream",
        )
        expected = plan.read_splits(folder)["cv", fold]
        assert open_inputs(settings).split.datasets == expected.datasets
