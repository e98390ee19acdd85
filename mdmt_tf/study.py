"""`python -m mdmt_tf.study`: when does a second dataset help?"""

from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console

DESCRIPTION = """\
Measure the gain by a second dataset over many independent synthetic datasets.

  python -m mdmt_tf.study --config when_it_helps
  python -m mdmt_tf.study --config when_it_helps datasets=40 processes=2
  python -m mdmt_tf.study --config when_it_helps mode=images

A cell is a number of outcomes, a number of scores, a correlation of the two
tasks and a shift between the datasets. A second start continues: finished
cells are kept. The folder is run_dir, or studies/<experiment>-<mode>. Keys of
the sections `study` and `benchmark` can be given without their names.
"""

# Keys of the executor, which are those of a benchmark.
_OF_BENCHMARK = ("executor", "address", "processes", "cores_per_fit", "backbones")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = console.parser("study", DESCRIPTION)
    console.add_config_arguments(arguments, default=None)
    report_help = "compute nothing; write tables and plots of what is finished"
    arguments.add_argument("--report", action="store_true", help=report_help)
    options = arguments.parse_args(argv)

    from mdmt_tf import config
    from mdmt_tf.config.schema import StudySection
    from mdmt_tf.errors import ConfigError

    own = StudySection.model_fields
    overrides = []
    for text in options.overrides:
        first = text.partition("=")[0].split(".")[0].strip()
        below = "study." if first in own else ""
        below = "benchmark." if first in _OF_BENCHMARK else below
        overrides.append(f"{below}{text}")
    settings = config.load(options.config, overrides)
    if settings.study is None:
        raise ConfigError(
            f"{options.config}: has no section `study`, so there is nothing to study. "
            "--config when_it_helps has one."
        )
    # Imported late: it takes a second, and a wrong key should be reported at once.
    from mdmt_tf.studies.design import StudyFolder
    from mdmt_tf.studies.run import run_study

    name = f"{settings.experiment}-{settings.study.mode}"
    path = Path(settings.run_dir or f"studies/{name}")
    path.mkdir(parents=True, exist_ok=True)
    report = run_study(
        settings, StudyFolder(path), console.write, only_report=options.report
    )
    print(f"{report.status}\ntables:  {path / 'tables'}\nplots:   {path / 'plots'}")
    print(f"page:    {report.page}")
    return 0 if report.status.startswith("All") else 1


if __name__ == "__main__":
    console.run(main)
