"""`python -m mdmt_tf.doctor`: what is wrong with prepared data, before training."""

from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console
from mdmt_tf.screen.commands import portable

DESCRIPTION = """\
Examine the prepared data of a configuration before training:

- what predicts each label without the anatomy: projection, site, scanner, size
  and border of the image, burned-in marks, mean grey, a 16 x 16 thumbnail;
- images that are there twice, within and across patients, splits and datasets;
- labels and patients of every fold; what so few patients can show;
- outcomes that were known when the image was taken.

  python -m mdmt_tf.doctor --config open_cxr data_dir=DATA
  python -m mdmt_tf.doctor --config my.yaml data_dir=DATA --out checks

Writes findings.json, tables, plots and a page (index.html). The exit status is
3 if there are serious findings, else 0; it is 2 for an error.
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = console.parser("doctor", DESCRIPTION)
    console.add_config_arguments(arguments)
    text = "folder to write to (default: doctor/EXPERIMENT)"
    arguments.add_argument("--out", metavar="DIR", type=Path, help=text)
    arguments.add_argument(
        "--fail-on",
        choices=("serious", "warning", "never"),
        default="serious",
        help="findings that make the exit status 3 (default: %(default)s)",
    )
    options = arguments.parse_args(argv)

    from mdmt_tf import config

    settings = config.load(options.config, options.overrides)
    out = options.out or Path("doctor", settings.experiment)

    console.load_tensorflow()
    from mdmt_tf.data import embedded
    from mdmt_tf.diagnosis.examination import examine
    from mdmt_tf.diagnosis.findings import exit_status
    from mdmt_tf.diagnosis.material import read_material, without_drawn
    from mdmt_tf.reporting.doctor_page import write_doctor
    from mdmt_tf.reporting.doctor_terminal import print_doctor

    settings, left_out = without_drawn(settings)
    if left_out:
        console.write(f"not examined, because drawn: {', '.join(left_out)}\n")
    settings = embedded.provide(settings, console.write, console.progress_bar)
    with console.progress_bar("reading") as progress:
        material = read_material(settings, progress, left_out)
    with console.progress_bar("comparing", "pairs") as progress:
        diagnosis = examine(material, progress)
    words = ["--config", options.config, *options.overrides]
    with console.working("tables, plots ..."):
        report = write_doctor(
            diagnosis,
            out,
            title=settings.experiment,
            command=portable("doctor", *words),
        )
    print_doctor(report)
    return exit_status(diagnosis.findings, options.fail_on)


if __name__ == "__main__":
    console.run(main)
