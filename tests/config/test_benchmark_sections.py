"""The section `benchmark`: what goes together, and every message."""

import pytest

from mdmt_tf import config
from mdmt_tf.config.schema import TrainingSection
from mdmt_tf.errors import ConfigError
from mdmt_tf.experiments import protocol
from mdmt_tf.imaging.preprocess import Preprocessing
from mdmt_tf.models.backbones.table import BACKBONES


def test_the_example_is_right(load_grid):
    assert list(load_grid().benchmark.experiments) == ["a", "b"]


@pytest.mark.parametrize(
    "override, message",
    [
        (
            "backbones=[resnet19]",
            r"backbones.0 = 'resnet19': is not a backbone\. Did you mean",
        ),
        ("backbones=[resnet18, resnet18]", "one of them appears twice"),
        ("weights={resnet34: null}", "weights.resnet34: is none of the backbones"),
        ("seeds=[]", "seeds"),
        (
            "cross_validation.loco={kind: leave_one_site_out}",
            r"loco.leave_out: missing; .*_validation.loco.leave_out=\[aiforcovid\]",
        ),
        (
            "experiments={a: {tasks: [prognoses]}}",
            r"experiments.a.tasks: 'prognoses' is not one of the tasks. Did you mean",
        ),
        (
            "experiments={a: {tasks: [prognosis], start: {c: 1}}}",
            r"a.start: 'c' is not one of the experiments",
        ),
        ("experiments.b.start={a: 0.4}", "the weights sum to 0.4"),
        ("experiments.a.start={b: 1}", "is a cycle: a from b from a"),
        ("experiments.a.start={a: 1}", "is a cycle: a from a"),
        ("candidate=c", r"candidate: 'c' is not one of the experiments"),
        ("experiments.a.match=c", r"a.match: 'c' is not one of the experiments"),
        ("experiments.a.match=a", "a.match = 'a': is the experiment itself"),
        (
            "experiments={a: {tasks: [prognosis]}, b: {tasks: [prognosis], match: a}, "
            "c: {tasks: [prognosis], match: b}}",
            "c.match = 'b': matches 'a' itself, and chains are not followed",
        ),
        (
            "experiments={a: {tasks: [prognosis], match: b}, b: {tasks: [prognosis], "
            "match: a}}",
            "a.match = 'b': matches 'a' itself",
        ),
        # The names of variants are not asked for before `match` is right.
        (
            "experiments.a.match=c benchmark.comparisons=[[a, b]]",
            r"a.match: 'c' is not one of the experiments",
        ),
        (
            "experiments.a.match=a benchmark.comparisons=[[a, b]]",
            "a.match = 'a': is the experiment itself",
        ),
        (
            "experiments.a.match=b benchmark.experiments.b={tasks: [prognosis], match: "
            "a} benchmark.comparisons=[[a, b]]",
            "a.match = 'b': matches 'a' itself",
        ),
        # What b takes from a is that a starts from b.
        (
            "experiments={a: {tasks: [prognosis], start: {b: 1}}, b: {tasks: "
            "[severity], match: a}}",
            "start: is a cycle: b from b",
        ),
        (
            "experiments.a.null=severity",
            "a.null: 'severity' is not a task of this experiment, which trains prog",
        ),
        ("comparisons=[[a, c]]", r"comparisons.0: 'c' is not one of the experiments"),
        ("comparisons=[[a, a]]", "comparisons.0 = .*: compares 'a' with itself"),
        ("comparisons=[[a, b]]", "comparisons.0 = .*: the two have no task in common"),
        (
            "comparisons=[[a, x], [x, a]] benchmark.experiments.x.tasks=[prognosis]",
            "comparisons.1 = .*: these two are compared already",
        ),
        ("comparisons=[[a, a@prognosis=0.5]]", "'a@prognosis=0.5' is not one of the"),
        ("fractions={outcome: [0.5]}", "fractions.outcome: 'outcome' is not one of"),
        ("fractions={prognosis: [50]}", "fractions.prognosis.0 = 50: should be"),
        ("cross_validation.cv.repeats=0", "repeats = 0: should be"),
        ("cross_validation.cv.kind=leave_one_site_out", "validation.cv.leave_out"),
        ("cross_validation={cv: {kind: file}}", "validation.cv.file: missing"),
        ("omit=[weights]", "omit.0 = 'weights': should be 'tensorboard', 'saved_mod"),
        ("executor=ray", "benchmark.address: missing"),
        (
            "baselines={a: {task: prognosis, fields: {aiforcovid: [age]}}}",
            "there is an experiment of this name",
        ),
        (
            "baselines={x: {task: prognosis, fields: {brixia: [sex]}}}",
            "expected fields of each dataset that feeds prognosis: aiforcovid",
        ),
        ("baselines={x: {task: y, fields: {brixia: [sex]}}}", "'y' is not one of"),
    ],
)
def test_what_does_not_go_together(load_grid, override, message):
    first, *others = override.split(" benchmark.")
    with pytest.raises(ConfigError, match=message):
        load_grid(*(f"benchmark.{text}" for text in (first, *others)))


def test_experiments_of_a_file_replace_the_comparisons_of_its_base(tmp_path):
    own = tmp_path / "own.yaml"
    experiments = "{a: {tasks: [prognosis]}}"
    text = f"base: paper\nbenchmark: {{candidate: null, experiments: {experiments}}}"
    own.write_text(text, encoding="utf-8")
    grid = config.load(str(own), ["data_dir=."]).benchmark
    assert grid.comparisons is None and list(grid.experiments) == ["a"]


def test_backbones_of_a_file_keep_their_own_weights_of_its_base(tmp_path):
    own = tmp_path / "own.yaml"
    for chosen, kept in (("resnet18", {"resnet18": None}), ("resnet34", {})):
        text = f"base: open_cxr\nbenchmark: {{backbones: [{chosen}]}}"
        own.write_text(text, encoding="utf-8")
        assert config.load(str(own), ["data_dir=."]).benchmark.weights == kept
    # In one file, it is a slip.
    text = (
        "base: open_cxr\nbenchmark: {backbones: [resnet34], weights: {resnet18: null}}"
    )
    own.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="none of the backbones: resnet34. Leave it"):
        config.load(str(own), ["data_dir=."])
    changes = ["benchmark.backbones=[resnet34]", "benchmark.weights={}"]
    assert config.load("open_cxr", ["data_dir=.", *changes]).benchmark.weights == {}


@pytest.mark.parametrize("weights", ["{a.weights.h5: 0.5}", "{a.pth: 1.0}"])
def test_wrong_averages_of_weights(load_grid, weights):
    with pytest.raises(ConfigError, match="weights sum to 0.5|expected null"):
        load_grid(f"model.weights={weights}")


# The rows of the table in section 1 of the facts about the paper, and of its code.
PAPER = {
    "epochs": 300,
    "batch_size": 128,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "weight_decay": 1e-4,
    "warmup_epochs": 40,
    "patience": 40,
    "plateau": None,
}


def test_the_settings_of_the_paper(tmp_path):
    paper = config.load("paper", [f"data_dir={tmp_path}"])
    for key, value in PAPER.items():
        assert getattr(paper.training, key) == value, key
    assert paper.image_size == 256 and paper.model.weights == "imagenet"
    select = paper.training.select_on
    assert (select.task, select.metric) == ("prognosis", "loss")
    benchmark = paper.benchmark
    images = {name for name, row in BACKBONES.items() if row.dimensions == 2}
    others = {"tf_efficientnet_lite0", "resnext50_32x4d"}
    assert set(benchmark.backbones) <= images - others
    assert len(benchmark.backbones) == len(set(benchmark.backbones)) == 18
    mdmt = benchmark.experiments["mdmt"]
    assert mdmt.start == {"stl_prognosis": 0.5, "stl_severity": 0.5}
    assert benchmark.experiments["ft"].start == {"stl_severity": 1.0}


def test_the_settings_of_the_published_code(tmp_path):
    """Each is named in the comments of the file, with the row of what it stands for."""
    paper, code = (
        config.load(name, [f"data_dir={tmp_path}"]) for name in ("paper", "paper_code")
    )
    assert code.training.patience == 65 and code.training.weight_decay == 1e-5
    plateau = code.training.plateau
    assert (plateau.factor, plateau.patience, plateau.min_learning_rate) == (
        0.65,
        15,
        1e-8,
    )
    assert plateau.follows == "total"
    changed = {"patience", "weight_decay", "plateau", "select_on"}
    for key in set(TrainingSection.model_fields) - changed:
        assert getattr(paper.training, key) == getattr(code.training, key), key
    assert code.tasks["severity"].cut_points == (5, 10, 15)
    augmentation = code.pipeline.augmentation.model_dump()
    probabilities = {k: v for k, v in augmentation.items() if k.endswith("probability")}
    assert probabilities.pop("noise_probability") == 0
    assert set(probabilities.values()) == {0.5}
    assert augmentation["rotation_degrees"] == 10
    for section in (code.split, code.benchmark.cross_validation["cv"]):
        assert (section.kind, section.validation) == ("kfold", "previous_fold")
    for dataset in code.datasets.values():
        recipe = Preprocessing.parse(dataset.config)
        assert (recipe.clip_percentiles, recipe.growth_percent) == ((2, 98), 5)
    assert code.benchmark.backbones == paper.benchmark.backbones


def test_the_losses_and_heads_of_the_published_code(tmp_path):
    code = config.load("paper_code", [f"data_dir={tmp_path}"])
    made = {
        name: protocol.settings_of(code, name, "resnet18")
        for name in ("stl_prognosis", "stl_severity", "ft", "mdmt")
    }
    losses = {
        name: {task: section.loss for task, section in of.tasks.items()}
        for name, of in made.items()
    }
    assert losses == {
        "stl_prognosis": {"prognosis": "bce"},
        "stl_severity": {"severity": None},
        "ft": {"prognosis": "bce"},
        "mdmt": {"prognosis": "raw_mse", "severity": None},
    }
    heads = {
        name: {task: of.tasks[task].head or of.model.heads for task in of.tasks}
        for name, of in made.items()
    }
    assert heads == {
        "stl_prognosis": {"prognosis": "linear"},
        "stl_severity": {"severity": "linear"},
        "ft": {"prognosis": "linear"},
        "mdmt": {"prognosis": "mlp", "severity": "relu_linear"},
    }
    factors = {name: of.training.plateau.factor for name, of in made.items()}
    assert factors == {
        "stl_prognosis": 0.75,
        "stl_severity": 0.65,
        "ft": 0.75,
        "mdmt": 0.65,
    }
    selected = {name: of.training.select_on.metric for name, of in made.items()}
    assert selected == dict.fromkeys(made, "loss") | {"mdmt": "brier"}
