"""Reading, overriding and checking a configuration; every message."""

import re

import pytest
import yaml

from mdmt_tf import config
from mdmt_tf.config import files
from mdmt_tf.config.schema import ModelSection
from mdmt_tf.errors import ConfigError
from mdmt_tf.models.backbones.table import BACKBONES

MINIMAL = """\
experiment: small
data_dir: .
tasks:
  prognosis:
    kind: categorical
    classes: [mild, severe]
    from: {aiforcovid: prognosis}
  severity: {kind: categorical, cut_points: [5, 9, 14], from: {brixia: brixia_global}}
datasets:
  aiforcovid: {}
  brixia: {}
training:
  epochs: 3
  warmup_epochs: 0
  select_on: {task: prognosis}
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "my.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def minimal(write):
    return write(MINIMAL)


def problems(path, *overrides):
    with pytest.raises(ConfigError) as caught:
        config.load(path, overrides)
    return str(caught.value)


def test_tasks_keep_their_order_and_their_facts(minimal):
    prognosis, severity = config.load(minimal).build_tasks()
    assert (prognosis.name, severity.name) == ("prognosis", "severity")
    assert severity.cut_points == (5.0, 9.0, 14.0)
    assert dict(severity.sources) == {"brixia": "brixia_global"}


def test_numbers_may_be_written_as_people_write_them(minimal):
    loaded = config.load(
        minimal, ["training.learning_rate=1e-3", "training.epochs=1e1"]
    )
    assert loaded.training.learning_rate == 0.001
    assert loaded.training.epochs == 10


def test_a_task_is_trained_if_fractions_leave_it_labels(minimal):
    def trained(*overrides):
        return config.load(minimal, list(overrides)).trained_tasks

    assert trained() == ("prognosis", "severity")
    for key in ("tasks.severity", "datasets.brixia"):
        assert trained(f"{key}.fraction=0") == ("prognosis",)
        assert trained(f"{key}.fraction=0.1") == ("prognosis", "severity")


def test_with_heads_of_the_start_an_untrained_task_may_have_learned(minimal):
    settings = ["tasks.severity.fraction=0", "model.weights=run.weights.h5"]
    for start_heads, taught in (
        (False, ["prognosis"]),
        (True, ["prognosis", "severity"]),
    ):
        loaded = config.load(minimal, [*settings, f"model.start_heads={start_heads}"])
        assert list(loaded.taught_tasks) == taught
        assert loaded.trained_tasks == ("prognosis",)


def test_resolved_settings_survive_a_round_trip(minimal, tmp_path):
    loaded = config.load(minimal, ["pipeline.augmentation=null", "seed=7"])
    path = tmp_path / "resolved.yaml"
    files.write(loaded.to_plain(), path, "a comment")
    assert config.load(str(path)) == loaded
    assert yaml.safe_load(path.read_text())["pipeline"]["augmentation"] is None


def test_stored_settings_are_read_when_their_files_are_gone(minimal, tmp_path):
    loaded = config.load(minimal)
    gone = {"data_dir": str(tmp_path / "gone")}
    lists = {"split": {"kind": "file", "file": str(tmp_path / "gone.json")}}
    path = tmp_path / "config.yaml"
    files.write(loaded.to_plain() | gone | lists, path)
    with pytest.raises(ConfigError, match="2 problems"):
        config.load(str(path))
    stored = config.load_stored(path)
    assert stored.data_dir == gone["data_dir"]
    assert stored.split.file == lists["split"]["file"]
    assert stored.build_tasks() == loaded.build_tasks()
    # A folder that YAML would read as a number.
    assert config.load_stored(path, "007").data_dir == "007"
    files.write(loaded.to_plain() | gone | {"seed": -1}, path)
    with pytest.raises(ConfigError, match=r"1 problem in [^\n]*\n[^\n]*seed = -1"):
        config.load_stored(path)


def test_all_problems_are_reported_at_once(minimal):
    text = problems(
        minimal,
        "training.epochs=many",
        "model.backbone=resnet81",
        "split.fold=5",
        "tasks.severity.from={}",
        "sed=1",
    )
    assert "6 problems" in text  # brixia now feeds nothing, too
    for part in ("training.epochs", "resnet81", "split.fold", "severity.from", "sed"):
        assert part in text
    assert "datasets.brixia: feeds no task" in text


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ["modle.heads=linear"],
            r"modle: unknown key. Did you mean 'model'\? Allowed: .*",
        ),
        (
            ["training.optimiser=adam"],
            r"training.optimiser: unknown key. Did you mean 'training.optimizer'\?",
        ),
        (
            ["pipeline.augmentation.shift=1"],
            r"shift: unknown key. Did you mean 'pipeline.augmentation.shift_prob",
        ),
        (["training.epochs=many"], r"training.epochs = 'many': .*valid integer"),
        (["training.epochs=2.5"], r"training.epochs = 2.5: .*valid integer"),
        (["training.batch_size=1"], r"batch_size = 1: .*greater than or equal to 2"),
        (["training.learning_rate=.nan"], r"learning_rate = nan: "),
        (
            ["split.kind=random"],
            r"split.kind = 'random': should be 'kfold', 'leave_one",
        ),
        (["split.fold=5"], r"split.fold = 5: there is no such fold.*0 to 4"),
        (
            ["split.fold=15", "split.repeats=3"],
            r"split.folds = 5 and split.repeats = 3 they are 0 to 14",
        ),
        (
            ["split.repeats=2", "split.kind=leave_one_site_out"],
            r"split.repeats = 2: only kfold can be repeated",
        ),
        (
            ["training.epochs=4", "training.warmup_epochs=0", "training.steps=10"],
            r"training.steps = 10: .* multiple of training.epochs = 4, .* 8 or 12",
        ),
        (
            ["tasks.prognosis.fraction=0", "tasks.severity.fraction=0"],
            r"tasks.severity.fraction = 0: no task has labels to train with",
        ),
        (
            ["tasks.prognosis.fraction=0"],
            r"training.select_on.task = 'prognosis': .* not trained, .* severity",
        ),
        (["split.kind=file"], r"split.file: missing; split.kind = file needs"),
        (["split.file=none.json"], r"split.file = 'none.json': no such file"),
        (["split.file=none.json"], r"is not read with split.kind = 'kfold'"),
        (["split.kind=leave_one_site_out"], r"split.leave_out: .*leave_out=\[aifor"),
        (
            ["split.kind=leave_one_site_out", "datasets.aiforcovid.auxiliary=true"],
            r"split.leave_out: .*split.leave_out=\[brixia\]",
        ),
        (
            [
                "datasets.brixia={auxiliary: true, patients: ward}",
                "datasets.aiforcovid.patients=ward",
            ],
            r"datasets.brixia.patients = 'ward': the patients of aiforcovid, too, but",
        ),
        (
            ["split.kind=leave_one_site_out", "split.leave_out=[brixa]"],
            r"leave_out: 'brixa' is not one of the datasets. Did you mean 'brixia'\?",
        ),
        (
            ["model.backbone=resnet81"],
            r"'resnet81': is not a backbone. Did you .*18'\?",
        ),
        (["model.weights=a.pth"], r"weights = 'a.pth': expected null .*path of"),
        (
            ["model.freeze=half"],
            r"freeze = 'half': should be 'none', 'stem' or 'all'; or .* valid number",
        ),
        (["model.freeze=1.5"], r"freeze = 1.5: .*; or should be less than 1"),
        (["model.freeze=stem"], r"freeze = 'stem': would keep random values"),
        (
            ["model.batch_norm=all"],
            r"'all': should be 'local', 'synchronized' or 'per_dataset'",
        ),
        (
            ["model.batch_norm=per_dataset", "model.unseen_dataset=brixi"],
            r"unseen_dataset: 'brixi' is not one of the datasets",
        ),
        (
            ["model.unseen_dataset=brixia"],
            r"is for model.batch_norm = per_dataset. Received: local",
        ),
        (["data_dir=null"], r"data_dir: missing. Expected the folder"),
        (["data_dir=/no/such"], r"data_dir = '/no/such': no such folder.*prepare"),
        (["phantoms={hannover_patients: 9}"], r"aiforcovid: no phantoms of it are req"),
        (
            ["phantoms={brixia_patients: 9}", "data_dir=null"],
            r"aiforcovid: no phantoms of it are requested.*or data_dir=PATH",
        ),
        (
            ["phantoms={brixia_patients: 9}"],
            r"datasets.brixia.auxiliary: expected true, .*synthetic and aiforcovid not",
        ),
        (
            ["datasets.brixia.data_dir=/no/such"],
            r"datasets.brixia.data_dir = '/no/such': no such folder",
        ),
        (
            ["phantoms={brixia_patients: 9}", "datasets.brixia.config=lungs"],
            r"brixia.config: expected lungs_SIZE, .*received 'lungs'",
        ),
        (
            ["phantoms={without: [projections], shortcut: 0.5}"],
            r"phantoms.shortcut = 0.5: .* to 'projections', which .* or set shortcut=0",
        ),
        (
            ["phantoms={without: [ribs, heart_size], correlation: 0.9}"],
            r"phantoms.correlation = 0.9: .* to 'heart_size', .* or set correlation=1",
        ),
        (
            [
                "phantoms={without: [heart_size]}",
                "study={mode: images, shifts: [none], scores: [9], correlations: [1]}",
                "study.correlations=[0.5, 1]",
            ],
            r"study.correlations = \[0.5, 1.0\]: .* to 'heart_size', .*=\[1\]",
        ),
        (
            ["model.start_heads=true"],
            r"start_heads = true: model.weights = None has no heads.*phantoms",
        ),
        (
            ["tasks.severity.mirror=zone"],
            r"severity.mirror = 'zone': is not one of the tasks.*flip_probability=0",
        ),
        (
            ["tasks.severity.mirror=prognosis"],
            r"mirror = 'prognosis': expected tasks.prognosis.mirror = 'severity', too",
        ),
        (
            ["tasks.severity.mirror=prognosis", "tasks.prognosis.mirror=severity"],
            r"whose targets can be exchanged. Received: different classes, cut_points",
        ),
        (
            [
                "tasks.severity.mirror=severity",
                "pipeline.augmentation.layers=[{layer: RandomFlip}]",
            ],
            r"layers.0 = RandomFlip: does not say which images it flips.*'severity'",
        ),
        (
            [
                "tasks.severity.mirror=severity",
                "pipeline.augmentation.layers=[{layer: Pipeline, arguments: {layers: "
                "[{layer: RandomFlip}]}}]",
            ],
            r"layers.0 = Pipeline: does not say which images it flips.*'severity'",
        ),
        (
            [
                "tasks.severity.mirror=severity",
                "pipeline.augmentation.layers=[{layer: keras_cv.RandomApply, "
                "arguments: {layer: {layer: keras_cv.RandomFlip, arguments: {}}}}]",
            ],
            r"layers.0 = keras_cv.RandomApply: does not say which images it flips",
        ),
        (["tasks.severity.from={}"], r"severity.from: no dataset feeds this task"),
        (["tasks.severity.from={brixa: x}"], r"from.brixa: is not one of the datasets"),
        (["datasets.hannover={}"], r"datasets.hannover: feeds no task"),
        (["tasks.severity.cut_points=[5, 5]"], r"cut_points = \[5.0, 5.0\]: .*ascend"),
        (["tasks.prognosis.classes=[a, a]"], r"classes = .*a name appears twice"),
        (["tasks.prognosis.classes=[a]"], r"prognosis: needs `classes`"),
        (["tasks.severity.classes=[a, b]"], r"3 cut points make 4 classes, but 2"),
        (["tasks.severity.kind=binary"], r"a binary task has 2 classes, this one 4"),
        (["tasks.severity.kind=regression"], r"a regression has no classes"),
        (["tasks.severity.class_weights=[1, 2]"], r"expected 4 numbers"),
        (["tasks.severity.class_weights=even"], r"'even': should be 'balanced'"),
        (["tasks.Prognosis={}"], r"tasks.Prognosis: a name should be lower-case"),
        (
            ["training.select_on.task=prognosys"],
            r"'prognosys': is not one of the tasks",
        ),
        (["training.select_on.metric=aucc"], r"'aucc': unknown.*Did you mean 'auc'\?"),
        (
            ["training.warmup_epochs=3"],
            r"warmup_epochs = 3: no epoch is selected .*set training.warmup_epochs=0\.",
        ),
        (["training.devices=[TPU:0]"], r"training.devices.0 = 'TPU:0': "),
        (
            ["pipeline.augmentation.layers=MixUp"],
            r"augmentation.layers = 'MixUp': should be a list\.",
        ),
        (
            ["pipeline.augmentation.layers=[{layer: MixUp, arguments: 3}]"],
            r"layers.0.arguments = 3: should be a mapping\.",
        ),
        (
            ["pipeline.augmentation.layers=[{layer: A, arguments: {a: [1, .nan]}}]"],
            r"layers.0.arguments.a = \[1, nan\]: should consist of finite numbers,",
        ),
        (["training.epochs"], r"'training.epochs': expected key.path=value"),
        (["=3"], r"'=3': expected key.path=value"),
        (
            ["training.epochs.x=3"],
            r"training.epochs is 3, which has no keys of its own",
        ),
    ],
)
def test_each_problem_says_what_and_where(minimal, overrides, expected):
    assert re.search(expected, problems(minimal, *overrides))


def test_no_task_takes_the_field_of_another_that_is_read_alike(minimal):
    zones = [
        f"tasks.{side}={{kind: regression, from: {{brixia: {field}}}}}"
        for side, field in (("left", "Right"), ("right", "left"))
    ]
    expected = "tasks.left.from.brixia: 'Right' is the field of left, and has the name"
    assert re.search(expected, problems(minimal, *zones))
    config.load(minimal, zones[:1])


@pytest.mark.parametrize(
    "own",
    [
        {"cut_points": [5]},
        {"descending": True},
        {"permute": True},
        {"fraction": 0.5},
        {"from": {"brixia": "brixia_global", "aiforcovid": "age"}},
    ],
)
def test_tasks_whose_targets_are_made_otherwise_are_not_mirrored(minimal, own):
    one = yaml.safe_load(MINIMAL)["tasks"]["severity"]
    (key,) = own

    def overrides(**changed):
        other = one | {"mirror": "severity"} | changed
        return (
            "tasks.severity.mirror=other",
            f"tasks.other={other}",
            "tasks.prognosis.from={aiforcovid: x, brixia: x}",
        )

    config.load(minimal, overrides())
    expected = f"mirror = 'other': .* Received: different {key}\\. Give both"
    assert re.search(expected, problems(minimal, *overrides(**own)))


def test_ingredients_that_nothing_depends_on_can_be_left_out(write):
    path = write("base: phantom\nphantoms: {without: [projections, heart_size]}\n")
    study = "{mode: %s, shifts: [none], scores: [9], correlations: [%s]}"
    config.load(path, ["phantoms.shift=none", "phantoms.label_noise=0.1"])
    config.load(path, [f"study={study % ('images', 1)}"])
    # Runs of earlier versions stay readable.
    config.load_stored(path, overrides=["phantoms.shortcut=0.5"])
    # Simulated features are no pictures.
    config.load(path, [f"study={study % ('features', 0.5)}"])


def test_imagenet_weights_are_asked_for_by_name(minimal):
    settings = config.load(minimal, ["model.weights=imagenet", "model.freeze=0.5"])
    assert settings.model.weights == "imagenet"
    assert settings.model.freeze == 0.5


def test_imagenet_weights_that_nobody_has_published(minimal, tiny_backbone):
    text = problems(minimal, "model.backbone=tiny", "model.weights=imagenet")
    assert (
        "model.weights = 'imagenet': tiny has no published weights. Expected null"
        in text
    )


def test_a_problem_of_the_file_names_its_line(write):
    path = write(MINIMAL.replace("epochs: 3\n", "epochs: -3\n", 1))
    assert f"{path}:13: training.epochs = -3" in problems(path)


def test_a_problem_of_an_override_names_the_command_line(minimal):
    assert "command line: training.epochs = 0" in problems(minimal, "training.epochs=0")


def test_a_missing_section_is_named(write):
    path = write(MINIMAL.split("training:")[0])
    assert "training: missing; it has no default." in problems(path)


def test_a_wrong_task_does_not_accuse_the_dataset_it_may_feed(minimal):
    text = problems(minimal, "tasks.severity.kind=categoricl")
    assert "1 problem in" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: [1\n", r"my.yaml:\d+: not valid YAML"),
        ("seed: 1\nseed: 2\n", r"my.yaml:2: key seed appears a second time.*my.yaml:1"),
        ("- 1\n", r"expected `key: value` lines"),
    ],
)
def test_unreadable_files_say_where(write, text, expected):
    path = write(text)
    with pytest.raises(ConfigError, match=expected):
        config.load(path)


def test_a_binary_file_is_no_configuration(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read as a UTF-8 text file"):
        config.load(str(path))


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError, match=r"phantm: no such .*Did you mean 'phantom'"):
        config.load("phantm")


def test_the_default_backbone_exists():
    assert ModelSection().backbone in BACKBONES
