"""The recipe of `model.weights: phantoms`, and the file that a run becomes."""

import json

import numpy as np
import pytest

from mdmt_tf import config, storage
from mdmt_tf.config import files
from mdmt_tf.errors import ConfigError, DataError
from mdmt_tf.experiments import phantom_start
from mdmt_tf.models.backbones import build_backbone
from mdmt_tf.models.weights import half_precision, heads, lineage, phantom_weights
from mdmt_tf.runs.folder import RunFolder
from mdmt_tf.tasks.alike import head_text


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mdmt_tf" / "weights"


@pytest.mark.parametrize(
    ("backbone", "start"),
    [("tf_efficientnet_lite0", "imagenet"), ("resnet18", None)],
)
def test_only_a_start_with_a_free_licence_is_from_imagenet(backbone, start):
    made = phantom_start.settings_of(backbone)
    assert (made.model.backbone, made.model.weights) == (backbone, start)


def test_its_heads_fit_those_of_severity_zones():
    """With model.start_heads and linear heads; the derived answer is the same, too."""
    made = config.load("phantom_start")
    other = config.load("severity_zones", ["data_dir=."])
    for name, task in made.tasks.items():
        own, theirs = task.to_task(name), other.tasks[name].to_task(name)
        assert head_text(own) == head_text(theirs)
        assert own.mirror == theirs.mirror
        for path in phantom_weights.shipped().values():
            assert head_text(heads.tasks_of(path)[name]) == head_text(own)
    (answer,) = made.derived.values()
    theirs = other.derived["severity_from_zones"]
    assert (answer.sum, answer.cut_points) == (theirs.sum, theirs.cut_points)
    # Others would make the file larger than 8 MB.
    assert made.model.heads == "linear"


def test_the_recipe_is_six_zones_of_phantoms_alone():
    made = config.load("phantom_start")
    fields = [task.sources for task in made.build_tasks()]
    assert fields == [{"synthetic_cxr": f"brixia_scores[{n}]"} for n in range(6)]
    assert list(made.drawn_datasets) == list(made.datasets) == ["synthetic_cxr"]
    # Where left and right change places, so do the zones; and the last epoch is kept.
    mirrored = {task.name: task.mirror for task in made.build_tasks()}
    assert mirrored == {f"z{n}": f"z{(n + 3) % 6}" for n in range(6)}
    assert made.training.warmup_epochs == made.training.epochs - 1


@pytest.fixture
def finished(tiny_backbone, tmp_path):
    """Returns run(name, seed, **manifest): a run folder, written without training."""

    def write(name="run", seed=1, **changes):
        run = RunFolder(tmp_path / name)
        run.best_weights.parent.mkdir(parents=True)
        settings = phantom_start.settings_of(tiny_backbone)
        files.write(settings.to_plain(), run.config, "Settings.")
        manifest = {
            "datasets": {"synthetic_cxr": {}},
            "synthetic_datasets": ["synthetic_cxr"],
            "trained_with_synthetic": {"synthetic_cxr": 9000},
            "initial_weights": None,
            "mdmt_tf": "0.1",
            "effort": {"epochs": 5},
            "packages": {"keras": "3"},
        }
        storage.write_json(run.manifest, manifest | changes)
        kappa = 0.5 + seed / 100
        metrics = {"n": 500, "kappa": kappa, "mae": 0.25, "auc": 0.7, "mcc": None}
        storage.write_json(run.metrics, {"test": {"z0": metrics}, "train": {}})
        backbone = build_backbone(tiny_backbone, (16, 16, 3), seed=seed)
        backbone.save_weights(run.backbone_weights)
        return run

    return write


def test_a_run_becomes_the_file_that_a_network_starts_from(finished, cache, capsys):
    lines = []
    path = phantom_start.make_from_run(finished().path, "tiny", lines.append)
    assert path == cache / "tiny-phantoms.safetensors"
    assert lines == []
    arrays, facts = half_precision.read(path)
    expected = build_backbone("tiny", (16, 16, 3), seed=1)
    assert half_precision.digest_of(arrays) == half_precision.digest_of(
        half_precision.arrays_of(expected)
    )
    assert facts["source"] == "synthetic radiographs: 9,000 images"
    assert facts["trained_with_synthetic"] == {"synthetic_cxr": 9000}
    assert facts["recipe"] == "phantom_start" and facts["seed"] == 0
    assert facts["metrics"] == {"z0": {"n": 500, "kappa": 0.51, "mae": 0.25}}
    assert facts["settings"]["phantoms"]["synthetic_cxr_patients"] == 10_000
    filled = build_backbone("tiny", (16, 16, 3), "phantoms").get_layer("conv").kernel
    np.testing.assert_array_equal(filled, arrays["conv/kernel"].astype(np.float32))


def test_a_second_file_is_compared_and_the_first_is_kept(finished, cache):
    first = phantom_start.make_from_run(finished().path, "tiny", print)
    content, lines = first.read_bytes(), []
    run = finished("same")
    again = phantom_start.make_from_run(run.path, "tiny", lines.append)
    digest = half_precision.read_facts(first)["sha256"]
    assert lines == [f"compared with {first}:\n  equal, sha256 {digest}\n"]
    assert again.name == "tiny-phantoms-again.safetensors"

    run = finished("other", seed=2)
    again = phantom_start.make_from_run(run.path, "tiny", lines.append)
    (new, _), (old, _) = half_precision.read(again), half_precision.read(first)
    new, old = (one["conv/kernel"].astype(np.float64) for one in (new, old))
    largest = np.abs(new - old).max() / max(np.abs(new).max(), np.abs(old).max())
    assert lines[1].splitlines()[1:] == [
        f"  different: {largest:.2g} of the largest weight, in conv/kernel",
        "  z0: kappa 0.52, was 0.51; mae 0.25, was 0.25",
    ]
    assert first.read_bytes() == content
    assert phantom_weights.find("tiny") == first


def test_other_phantoms_are_another_recipe(finished, cache, tmp_path, monkeypatch):
    made = phantom_start.make_from_run(finished().path, "tiny", print)
    # Nothing is trained where there is a file.
    lines = []
    assert phantom_start.make("tiny", lines.append, None) == made
    assert lines == []
    other = tmp_path / "more.yaml"
    other.write_text("base: phantom_start\nphantoms: {synthetic_cxr_patients: 30_000}")
    phantom_start.make("tiny", lines.append, None, recipe=str(other))
    assert "was made by version 0.1 with another recipe" in lines[0]


def test_a_run_on_real_images_is_refused(finished, cache):
    datasets = {"synthetic_cxr": {}, "cohen_brixia": {}}
    run = finished(datasets=datasets)
    with pytest.raises(DataError, match="with real images of cohen_brixia. Expected"):
        phantom_start.make_from_run(run.path, "tiny", print)
    assert not list(cache.glob("*.safetensors"))


DRAWN = {"synthetic_cxr": {"fingerprint": "drawn"}}


def entry_of(fingerprint, **facts):
    nothing = dict.fromkeys(lineage.KINDS, "")
    splits = dict.fromkeys(lineage.FITTED, nothing)
    return {"fingerprints": [fingerprint], **splits, **facts}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"trained_with_data": lineage.empty(["ours.weights.h5"])},
            "started from ours.weights.h5, whose data are unknown",
        ),
        ({"permuted": ["z0", "z3"]}, "was trained with permuted labels of z0, z3"),
        (
            {"trained_with_data": lineage.empty(permuted=["z0"])},
            "was trained with permuted labels of z0",
        ),
        (
            # Real images in a dataset with the name of the drawn one.
            {
                "trained_with_data": {
                    "datasets": {"synthetic_cxr": entry_of("real")},
                    "unknown": [],
                }
            },
            "was trained with real images of synthetic_cxr",
        ),
    ],
)
def test_a_run_that_learned_something_else_is_refused(
    finished, cache, changes, problem
):
    run = finished(datasets=DRAWN, **changes)
    with pytest.raises(DataError, match=f"{problem}. Expected a run on synthetic"):
        phantom_start.make_from_run(run.path, "tiny", print)
    assert not list(cache.glob("*.safetensors"))


def test_a_run_after_other_phantoms_is_taken(finished, cache):
    """Of another drawing; also of an earlier version, which did not mark its own."""
    others = entry_of("other", synthetic="synthetic_cxr")
    note = {"synthetic_cxr": entry_of("drawn"), "before": others}
    run = finished(datasets=DRAWN, trained_with_data={"datasets": note, "unknown": []})
    assert phantom_start.make_from_run(run.path, "tiny", print).is_file()


BSD, FREE = (
    {"source": "a", "licence": text} for text in ("BSD-3-Clause", "Apache-2.0")
)


@pytest.mark.parametrize(
    ("start", "licence"),
    [
        (None, "Apache-2.0"),
        (BSD, "BSD-3-Clause"),
        ({"average": [BSD, FREE, BSD]}, "Apache-2.0 AND BSD-3-Clause"),
        ({"average": [BSD, {"file": "run/backbone.weights.h5"}]}, None),
    ],
)
def test_the_licence_is_that_of_the_start(finished, cache, start, licence):
    note = lineage.empty()
    run = finished(initial_weights=start, trained_with_data=note)
    path = phantom_start.make_from_run(run.path, "tiny", print)
    assert half_precision.read_facts(path)["licence"] == licence
    assert phantom_weights.describe("tiny")["licence"] == licence


def test_a_run_of_another_backbone_is_refused(finished, cache):
    with pytest.raises(DataError, match="is a run of tiny, not of resnet18"):
        phantom_start.make_from_run(finished().path, "resnet18", print)


def test_a_run_that_is_not_finished_is_refused(finished, cache):
    run = finished()
    run.metrics.unlink()
    with pytest.raises(DataError, match="the run is not finished"):
        phantom_start.make_from_run(run.path, "tiny", print)


SMALL = """\
base: phantom_start
phantoms: {synthetic_cxr_patients: 40, matrix: 96}
datasets: {synthetic_cxr: {config: lungs_64, auxiliary: true}}
image_size: 64
training: {epochs: 3, warmup_epochs: 2, batch_size: 8}
"""


@pytest.mark.large
def test_an_interrupted_training_goes_on_to_the_same_file(
    tiny_backbone, cache, tmp_path
):
    recipe = tmp_path / "small.yaml"
    recipe.write_text(SMALL)

    def interrupt(text):
        if text.strip().startswith("2/3"):
            raise KeyboardInterrupt

    def make(write, **options):
        return phantom_start.make(
            tiny_backbone, write, no_bar, recipe=str(recipe), **options
        )

    with pytest.raises(KeyboardInterrupt):
        make(interrupt)
    (folder,) = (path for path in cache.iterdir() if path.is_dir())
    lines = []
    path = make(lines.append)
    assert f"resuming {folder}\n" in lines
    facts = half_precision.read_facts(path)
    # All but 5 % of the patients, twice.
    assert facts["trained_with_synthetic"] == {"synthetic_cxr": 36}
    derived = {"severity_from_zones", "severity_from_zones_sum"}
    assert set(facts["metrics"]) == {f"z{n}" for n in range(6)} | derived
    # So are the heads of the zones, which are small.
    names = [name for name in half_precision.read(path)[0] if "heads/" in name]
    assert {name.split("/")[1] for name in names} == {f"z{n}" for n in range(6)}
    assert [p.name for p in cache.iterdir()] == ["tiny-phantoms.safetensors"]

    lines.clear()
    again = make(lines.append, again=True)
    assert lines[-1].endswith(f"  equal, sha256 {facts['sha256']}\n")
    assert {p.name for p in cache.iterdir()} == {path.name, again.name}


def no_bar(name):
    import contextlib

    return contextlib.nullcontext(lambda done, total: None)


def test_two_processes_do_not_make_the_same_file(tiny_backbone, cache):
    cache.mkdir(parents=True)
    with (
        storage.lock(cache / ".tiny-phantoms.safetensors.lock"),
        pytest.raises(ConfigError, match="another process is making it"),
    ):
        phantom_start.make(tiny_backbone, print, no_bar)


def test_the_facts_are_plain(finished, cache):
    path = phantom_start.make_from_run(finished().path, "tiny", print)
    text = json.dumps(half_precision.read_facts(path), allow_nan=False)
    assert str(path.parent) not in text
