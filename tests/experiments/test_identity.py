"""What the identity of a fit depends on, and what it does not."""

import json
from pathlib import Path

import numpy as np
import pytest

from mdmt_tf import config
from mdmt_tf.errors import DataError
from mdmt_tf.experiments import identity, protocol
from mdmt_tf.models.weights import half_precision, phantom_weights


def settings(*overrides):
    """Those of the paper's benchmark; overrides as on the command line."""
    return config.load("paper", ["data_dir=.", *overrides])


def test_identity_is_a_function_of_the_content():
    section = config.schema.BaselineSection(task="prognosis", fields={"d": ("f",)})
    digest = identity.digest_of_baseline(section, settings())
    same = identity.identity_of(digest, ["x", {"d": "1"}], {})
    assert same == identity.identity_of(digest, ["x", {"d": "1"}], {})
    assert same != identity.identity_of(digest, ["y", {"d": "1"}], {})
    assert same != identity.identity_of(digest, ["x", {"d": "1"}], {"a": 1.0})
    other = config.schema.BaselineSection(task="prognosis", fields={"d": ("g",)})
    assert digest != identity.digest_of_baseline(other, settings())


def test_a_younger_key_changes_the_identity_only_where_it_is_used():
    def digest(*overrides):
        return identity.digest_of_settings(config.load("phantom", overrides))

    unused, severity = digest(), "tasks.severity."
    assert unused == digest("pipeline.weight_by=image")
    used = digest("pipeline.weight_by=patient"), digest(f"{severity}head=linear")
    assert len({unused, *used}) == 3
    regression = (f"{severity}kind=regression", f"{severity}cut_points=[]")
    plain = digest(*regression, f"{severity}standardize=false")
    assert digest(*regression) != plain
    others = "permute=true", "fraction=0.5"
    used = {digest(f"{severity}{other}") for other in others}
    assert len({unused, digest("training.steps=160"), *used}) == 4
    neutral = (f"{severity}permute=false", f"{severity}fraction=1")
    assert unused == digest(*neutral, "training.steps=null")
    plateau = digest("training.plateau={}")
    assert plateau == digest("training.plateau={follows: selected}")
    assert plateau != digest("training.plateau={follows: total}")


def test_the_number_of_devices_counts_where_each_normalises_its_part_of_a_batch():
    def digest(*overrides):
        return identity.digest_of_settings(config.load("phantom", overrides))

    one, two = "training.devices=[GPU:1]", "training.devices=[GPU:0, GPU:1]"
    assert digest() == digest(one) != digest(two)
    assert digest(two) == digest("training.devices=[CPU:0, CPU:1]")
    together = "model.batch_norm=synchronized"
    assert digest(together) == digest(together, two)


def test_a_new_key_leaves_finished_fits_valid():
    """The stored settings are those of fits that users have finished.

    If this fails for a new key, mark its field with `younger`, or with `NO_RESULT`. If
    the meaning of an old key changed, the changelog says that its fits are void.
    """
    stored = json.loads(Path(__file__).with_name("identity_settings.json").read_text())
    made = config.load("mdmt", ["data_dir=.", "training.plateau={}"])
    assert made.of_result() == stored


def test_keys_that_change_no_result_are_marked():
    made = config.load("mdmt", ["data_dir=.", "training.plateau={}"])
    other = config.load(
        "mdmt",
        [
            *("data_dir=..", "run_dir=elsewhere", "split.seed=3", "card.licence=MIT"),
            *(
                "training.devices=[CPU:0]",
                "training.saliency=3",
                "pipeline.cache=stream",
            ),
            *("training.tensorboard=false", "training.plateau={follows: selected}"),
        ],
    )
    assert other.to_plain() != made.to_plain()
    assert other.of_result() == made.of_result()


def test_weights_of_phantoms_count_by_their_content(tmp_path, monkeypatch):
    """Of fits and of baselines; where the file is does not matter."""
    section = config.schema.BaselineSection(
        task="severity", model="features", backbone="resnet18", weights="phantoms"
    )

    def digests(cache, value):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / cache))
        path = phantom_weights.path_in_cache("resnet18")
        path.parent.mkdir(parents=True)
        arrays = {"conv1/kernel": np.full((7, 7), value, np.float16)}
        half_precision.write(path, arrays, {"backbone": "resnet18", "made_in": cache})
        made = settings("model.weights=phantoms")
        fit = protocol.settings_of(made, "stl_severity", "resnet18")
        return identity.digest_of_settings(fit), identity.digest_of_baseline(
            section, made
        )

    one, same, other = digests("a", 1), digests("b", 1), digests("c", 2)
    assert one == same
    assert one[0] != other[0] and one[1] != other[1]


@pytest.fixture
def two_starts(tmp_path):
    """Two files of weights with different content."""
    paths = [tmp_path / f"{name}.weights.h5" for name in ("first", "second")]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


def digests_of(weights):
    """Of a fit that starts from these weights, and of a baseline of their features."""
    section = config.schema.BaselineSection(
        task="severity", model="features", backbone="resnet18", weights=str(weights)
    )
    made = settings(f"model.weights={weights}")
    fit = protocol.settings_of(made, "stl_severity", "resnet18")
    return identity.digest_of_settings(fit), identity.digest_of_baseline(section, made)


def test_a_file_of_weights_counts_by_its_content_wherever_it_is(two_starts, tmp_path):
    first, second = two_starts
    before, other = digests_of(first), digests_of(second)
    assert before[0] != other[0] and before[1] != other[1]
    moved = tmp_path / "elsewhere.weights.h5"
    moved.write_bytes(first.read_bytes())
    assert digests_of(moved) == before
    first.write_bytes(second.read_bytes())
    assert digests_of(first) == other


def test_an_average_of_files_counts_by_their_content(two_starts):
    first, second = map(str, two_starts)

    def digest(**fractions):
        average = {str(path): fractions[path.stem[0]] for path in map(Path, paths)}
        return identity.digest_of_settings(
            config.load("phantom", [f"model.weights={json.dumps(average)}"])
        )

    paths = first, second
    before = digest(f=0.25, s=0.75)
    assert digest(f=0.75, s=0.25) != before
    contents = [path.read_bytes() for path in two_starts]
    for path, content in zip(two_starts, reversed(contents), strict=True):
        path.write_bytes(content)
    assert digest(f=0.75, s=0.25) == before


@pytest.mark.parametrize("weights", [None, "imagenet", "gone.weights.h5"])
def test_what_is_no_file_counts_by_its_name(weights):
    """As in all benchmarks so far, whose fits stay valid."""
    assert identity.weights_by_content(weights, "resnet18") == {"weights": weights}


def test_weights_of_other_fits_count_by_their_identity(two_starts):
    """Not by the file, which is not there when the grid is planned."""
    digests = {
        identity.digest_of_settings(
            config.load("phantom", [f"model.weights={path}"]), starts=True
        )
        for path in two_starts
    }
    assert len(digests) == 1


def test_weights_of_phantoms_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = settings("model.weights=phantoms")
    fit = protocol.settings_of(made, "stl_severity", "mobilenet_v2")
    with pytest.raises(DataError, match="mdmt_tf.convert mobilenet_v2 --phantoms"):
        identity.digest_of_settings(fit)


@pytest.mark.parametrize(
    "change, is_another",
    [
        ("tasks.severity.cut_points=[5, 10, 15]", True),
        ("tasks.severity.descending=true", True),
        ("tasks.severity.from.brixia=brixia_a", True),
        ("tasks.severity.weight=2", False),
        ("tasks.severity.head=linear", False),
        ("tasks.prognosis.classes=[well, ill]", False),
    ],
)
def test_a_baseline_depends_on_the_labels_of_its_task(change, is_another):
    section = config.schema.BaselineSection(task="severity", model="thumbnail")
    digests = {
        identity.digest_of_baseline(section, made)
        for made in (settings(), settings(change))
    }
    assert len(digests) == 1 + is_another


def test_a_baseline_depends_on_the_weights_of_patients_where_they_count():
    of_fields = config.schema.BaselineSection(task="prognosis", fields={"d": ("f",)})
    of_images = config.schema.BaselineSection(task="prognosis", model="thumbnail")
    by_patient = settings("pipeline.weight_by=patient")
    for section in (of_fields, of_images):
        one, other = (
            identity.digest_of_baseline(section, made)
            for made in (settings(), by_patient)
        )
        assert one != other
