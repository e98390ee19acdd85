"""Tests mirror the package: `<room>/<module>.py` has `tests/<room>/test_<module>.py`.

Large ones are several: `test_<module>_<concept>.py`. The `__init__.py` of a room is
tested in `tests/<room>/test_<room>.py`, a command in `tests/commands`, the builder of a
dataset in `tests/datasets/test_<dataset>.py`. Tests of no single module lie above the
rooms, and whole runs in `tests/whole`.
"""

import ast
import functools
import re
from pathlib import Path

import pytest
from command_lines import COMMANDS
from source_tree import MODULES, ROOT, imports, module_of, tree

TESTS = ROOT / "tests"
# Modules of no room whose tests are in `tests/commands`.
COMMAND_LINE = {*COMMANDS, "__main__"}

# Below a room and not named after a module of it, with the reason.
OTHERS = {
    "tools/test_scripts.py": "of the shell scripts",
}

# Modules without a test file of their own: the test that they are tested through.
THROUGH = {
    "commands/test_serve.py": ["mdmt_tf.serving.web.server"],
    "serving/web/test_app.py": ["mdmt_tf.serving.web.schema"],
    "cards/test_writing.py": [
        "mdmt_tf.cards.blocks",
        "mdmt_tf.cards.content",
        "mdmt_tf.cards.data_content",
        "mdmt_tf.cards.facts",
        "mdmt_tf.cards.markdown",
        "mdmt_tf.cards.results_content",
        "mdmt_tf.runs.digests",
    ],
    "cards/test_ensemble.py": ["mdmt_tf.cards.ensemble_content"],
    "commands/test_new.py": ["mdmt_tf.planning.terminal"],
    "console/test_arguments.py": ["mdmt_tf.console", "mdmt_tf.console.output"],
    "datasets/_shared/test_declared_tables.py": [
        "mdmt_tf.datasets._shared.declared_joins"
    ],
    "planning/test_draft.py": ["mdmt_tf.planning.writing"],
    "statistics/test_resampling.py": [
        "mdmt_tf.statistics.fold_study",
        "mdmt_tf.statistics.interval",
    ],
    "commands/test_explain.py": [
        "mdmt_tf.saliency.explanation",
        "mdmt_tf.saliency.summary",
    ],
    "commands/test_predict.py": [
        "mdmt_tf.saliency.predicted_files",
        "mdmt_tf.serving.preparation",
    ],
    "config/test_config.py": [
        "mdmt_tf.config.data_sections",
        "mdmt_tf.config.model_section",
        "mdmt_tf.config.phantom_section",
        "mdmt_tf.config.pipeline_section",
        "mdmt_tf.config.schema",
        "mdmt_tf.config.task_rules",
        "mdmt_tf.config.training_section",
    ],
    "config/test_benchmark_sections.py": ["mdmt_tf.config.benchmark_rules"],
    "config/test_config_volumes.py": ["mdmt_tf.config.image_sizes"],
    "config/test_main.py": ["mdmt_tf.config.terminal"],
    "models/weights/test_torch_files.py": ["mdmt_tf.models.weights.torch_pickles"],
    "runs/test_prediction_checks.py": [
        "mdmt_tf.runs.prediction_problems",
        "mdmt_tf.runs.prediction_values",
    ],
    "datasets/_shared/test_declared.py": [
        "mdmt_tf.datasets._shared.declared_plan",
        "mdmt_tf.datasets._shared.declared_warnings",
    ],
    "datasets/_shared/test_radiographs.py": [
        "mdmt_tf.datasets._shared.distributed",
        "mdmt_tf.datasets._shared.image_table",
        "mdmt_tf.datasets._shared.manual_builder",
    ],
    "datasets/test_brixia.py": ["mdmt_tf.datasets._shared.brixia_scores"],
    "experiments/executors/test_fit_process.py": [
        "mdmt_tf.experiments.executors.preloaded",
    ],
    "experiments/test_dry_run.py": ["mdmt_tf.experiments.dry_run_text"],
    "experiments/test_grid.py": ["mdmt_tf.experiments.protocol"],
    "experiments/test_results.py": [
        "mdmt_tf.experiments.cells",
        "mdmt_tf.experiments.settings_file",
    ],
    "metrics/test_formulas.py": ["mdmt_tf.metrics.computation", "mdmt_tf.metrics.rows"],
    # Each backbone against its reference.
    "models/backbones/test_table.py": [
        "mdmt_tf.models.backbones.densenet",
        "mdmt_tf.models.backbones.efficientnet",
        "mdmt_tf.models.backbones.googlenet",
        "mdmt_tf.models.backbones.mobilenet",
        "mdmt_tf.models.backbones.network",
        "mdmt_tf.models.backbones.resnet",
        "mdmt_tf.models.backbones.shufflenet",
    ],
    "pages/test_environment.py": ["mdmt_tf.pages"],
    "phantoms/chest/test_radiograph.py": [
        "mdmt_tf.phantoms.chest.anatomy",
        "mdmt_tf.phantoms.chest.bones",
        "mdmt_tf.phantoms.chest.devices",
        "mdmt_tf.phantoms.chest.lungs",
        "mdmt_tf.phantoms.chest.pixel_grid",
    ],
    "phantoms/head/test_head_ct.py": ["mdmt_tf.phantoms.head.anatomy"],
    "phantoms/test_write.py": [
        "mdmt_tf.phantoms.chest.clinical",
        "mdmt_tf.phantoms.chest.dataset_tables",
        "mdmt_tf.phantoms.chest.radiograph_files",
        "mdmt_tf.phantoms.chest.studies",
    ],
    "reporting/test_latex.py": ["mdmt_tf.reporting.table_files"],
    "reporting/one_run/test_page.py": [
        "mdmt_tf.reporting.one_run.pictures",
        "mdmt_tf.reporting.one_run.plots",
        "mdmt_tf.reporting.one_run.results",
        "mdmt_tf.reporting.one_run.strata",
        "mdmt_tf.reporting.one_run.tables",
        "mdmt_tf.reporting.one_run.terminal",
    ],
    "saliency/test_files.py": ["mdmt_tf.saliency.methods", "mdmt_tf.saliency.samples"],
    "reporting/test_external_page.py": [
        "mdmt_tf.reporting.assessed",
        "mdmt_tf.reporting.assessed_calibration",
        "mdmt_tf.reporting.assessed_plots",
        "mdmt_tf.reporting.assessed_tables",
        "mdmt_tf.reporting.external_plots",
        "mdmt_tf.reporting.external_results",
        "mdmt_tf.reporting.external_tables",
    ],
    "reporting/test_aggregates.py": [
        "mdmt_tf.reporting.groups",
        "mdmt_tf.reporting.headings",
    ],
    "reporting/test_means_table.py": ["mdmt_tf.reporting.correlation_table"],
    "reporting/test_page.py": [
        "mdmt_tf.reporting.report",
        "mdmt_tf.reporting.terminal",
    ],
    "reporting/test_plots.py": [
        "mdmt_tf.reporting.drawing",
        "mdmt_tf.reporting.panels",
    ],
    "reporting/test_doctor_page.py": [
        "mdmt_tf.reporting.doctor_plots",
        "mdmt_tf.reporting.doctor_tables",
        "mdmt_tf.reporting.doctor_terminal",
    ],
    "reporting/test_gain_tables.py": ["mdmt_tf.reporting.gain_plots"],
    "reporting/test_primary_table.py": ["mdmt_tf.reporting.differences"],
    "reporting/test_tables.py": [
        "mdmt_tf.reporting.comparison_table",
        "mdmt_tf.reporting.detailed_tables",
    ],
    "runs/test_evaluation.py": ["mdmt_tf.runs.predictions"],
    "serving/test_evaluation.py": ["mdmt_tf.serving.inputs"],
    "splits/test_split.py": ["mdmt_tf.splits.folds"],
    "studies/test_images.py": ["mdmt_tf.config.study_section"],
    "studies/test_run.py": [
        "mdmt_tf.studies.design",
        "mdmt_tf.studies.page",
        "mdmt_tf.studies.plots",
        "mdmt_tf.studies.simulated",
    ],
    "tasks/test_base.py": [
        "mdmt_tf.tasks",
        "mdmt_tf.tasks.answer",
        "mdmt_tf.tasks.binary",
        "mdmt_tf.tasks.categorical",
        "mdmt_tf.tasks.ordinal",
    ],
    "training/test_dry_run.py": ["mdmt_tf.training.dry_run_text"],
    "training/test_trainer.py": [
        "mdmt_tf.runs.folder",
        "mdmt_tf.runs.manifest",
        "mdmt_tf.training.conclusion",
        "mdmt_tf.training.description",
        "mdmt_tf.training.epochs",
        "mdmt_tf.training.fit",
        "mdmt_tf.training.judging",
        "mdmt_tf.training.tensorboard.of_fit",
        "mdmt_tf.training.tensorboard.saliency",
    ],
    "training/weighting/test_model.py": ["mdmt_tf.training.weighting.base"],
    "training/weighting/test_table.py": [
        "mdmt_tf.training.weighting",
        "mdmt_tf.training.weighting.fixed",
    ],
}
LISTED = [(module, test) for test, named in THROUGH.items() for module in named]


def place(module: str) -> tuple[Path, str]:
    """The folder of a module's tests, and the word after `test_` in their names."""
    _, *folders, name = module.split(".")
    if MODULES[module].name == "__init__.py":
        folders.append(name)
    if name.endswith("_dataset_builder"):
        name = folders.pop()
    if not folders and name in COMMAND_LINE:
        folders.append("commands")
    return TESTS.joinpath(*folders), name.strip("_")


def holds_code(path: Path) -> bool:
    """False for the files that make a folder a package and say what it is."""
    return path.name != "__init__.py" or len(tree(path).body) > 1


@functools.cache
def places() -> dict[str, tuple[Path, str]]:
    """The place of the tests of every module that holds code."""
    return {
        module: place(module)
        for module, path in MODULES.items()
        if holds_code(path) and module != "mdmt_tf"
    }


BELOW_ROOMS = [
    path
    for path in sorted(TESTS.rglob("test_*.py"))
    if path.parent not in (TESTS, TESTS / "whole")
]


def module_tested_in(path: Path) -> str | None:
    """The module after which a test file is named: the longest name that fits."""
    fitting = [
        (len(name), module)
        for module, (folder, name) in places().items()
        if folder == path.parent and f"{path.stem}_".startswith(f"test_{name}_")
    ]
    return max(fitting, default=(0, None))[1]


@functools.cache
def named_in(path: Path) -> set[str]:
    """Modules that a file imports, or names in a text as those it runs or loads."""
    package = ".".join(path.relative_to(ROOT).parts[:-1])
    found = {module_of(name) for _, name in imports(path)}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            # In a script that the test runs, too.
            found.update(map(module_of, re.findall(r"mdmt_tf(?:\.\w+)+", text)))
            # In a table: "module:function" of the same package.
            found.add(f"{package}.{text.partition(':')[0]}")
            # A dataset, which is found by its name.
            found.add(f"mdmt_tf.datasets.{text}.{text}_dataset_builder")
    return (found & set(MODULES)) - {"mdmt_tf"}


def uses(test: Path, module: str) -> bool:
    """Whether a test imports a module, at most through two others."""
    reached = named_in(test)
    for _ in range(2):
        reached = reached.union(*(named_in(MODULES[name]) for name in reached))
    return module in reached


@pytest.mark.parametrize("path", BELOW_ROOMS, ids=lambda p: str(p.relative_to(TESTS)))
def test_a_test_file_is_named_after_a_module_of_its_room_and_uses_it(path):
    name = path.relative_to(TESTS).as_posix()
    if name in OTHERS:
        return
    if path.parent == TESTS / "tools":
        assert (ROOT / "tools" / path.name.removeprefix("test_")).is_file()
        return
    module = module_tested_in(path)
    assert module, f"{name}: no module of this room has its name"
    assert uses(path, module), f"{name}: does not use {module}"


def test_every_module_has_a_test_file():
    found = {module_tested_in(path) for path in TESTS.rglob("test_*.py")}
    without = set(places()) - found
    listed = {module for module, _ in LISTED}
    assert without - listed == set(), (
        "add their tests, or say in THROUGH where they are"
    )
    assert listed - without == set(), "they have tests of their own, or are gone"


@pytest.mark.parametrize(("module", "test"), LISTED)
def test_what_is_tested_through_another_is_used_there(module, test):
    assert uses(TESTS / test, module)


def test_names_are_told_apart():
    tables = TESTS / "reporting/test_latex.py"
    assert module_tested_in(tables) == "mdmt_tf.reporting.latex"
    part = TESTS / "imaging/test_volume_files.py"
    assert module_tested_in(part) == "mdmt_tf.imaging.volume"
    assert module_tested_in(TESTS / "imaging/test_volumes.py") is None
    assert module_tested_in(TESTS / "metrics/test_volume.py") is None
    assert not uses(TESTS / "imaging/test_volume.py", "mdmt_tf.training.trainer")


def test_exceptions_are_there():
    assert all((TESTS / name).is_file() for name in OTHERS)
