"""`python -m mdmt_tf.explain`: where in the images the answers of a run come from."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mdmt_tf import console

DESCRIPTION = """\
Saliency maps of a finished run, for each task: Grad-CAM, guided
backpropagation, guided Grad-CAM. Of some images of its test part, of those
named, or of files that are not part of its data. Pictures; of volumes also
NIfTI files on the voxels of the original; and saliency.csv.

  python -m mdmt_tf.explain RUN_DIR --most 4 --sanity
  python -m mdmt_tf.explain RUN_DIR scan.nii.gz --tasks severity --out maps
"""


def main(argv: Sequence[str] | None = None) -> int:
    arguments = console.parser("explain", DESCRIPTION)
    add = arguments.add_argument
    add("run_dir", metavar="RUN_DIR", help="folder of the run")
    add("files", nargs="*", metavar="FILE", help="NIfTI files, or radiographs")
    add("--out", metavar="DIR", help="where to write (default: RUN_DIR/saliency)")
    add(
        "--part",
        choices=("train", "validation", "test"),
        default="test",
        help="side of the split to take images from (default: test)",
    )
    add(
        "--most",
        type=_positive,
        default=8,
        metavar="N",
        help="at most so many images, spread over the part (default: 8)",
    )
    for name, what in (
        ("images", "images to explain instead, of any part"),
        ("tasks", "tasks to explain (default: all)"),
        ("methods", "grad_cam, guided_backpropagation, guided_grad_cam"),
    ):
        add(
            f"--{name}",
            type=_words,
            default=[],
            metavar=f"{name[:-1].upper()},...",
            help=what if name != "methods" else f"{what} (default: all possible)",
        )
    add(
        "--layer",
        metavar="NAME",
        help="of the backbone, whose map Grad-CAM takes (default: the last map of at "
        "least 2 positions along each axis and 4 along the longest)",
    )
    add(
        "--sanity",
        action="store_true",
        help="compare with maps of randomised weights, too (sanity.csv)",
    )
    add(
        "--masks",
        metavar="DIR",
        type=Path,
        help="folder of IMAGE_lesion.nii.gz: how much of a map lies in the lesion",
    )
    add("--preprocessing", metavar="NAME", help="preprocessing of the FILEs")
    add(
        "--data-dir",
        metavar="DIR",
        help="where the prepared data are now (default: where they were in training)",
    )
    options = arguments.parse_intermixed_args(argv)
    if options.files and options.images:
        arguments.error("give FILEs or --images, not both")

    from mdmt_tf.runs.folder import RunFolder

    run = RunFolder.open(options.run_dir)
    run.require_finished()

    console.load_tensorflow()
    from mdmt_tf import config as configuration
    from mdmt_tf.data.inputs import check_same_data, open_inputs
    from mdmt_tf.saliency import explanation
    from mdmt_tf.training import description, trainer

    # Files need no prepared data: any folder that exists will do.
    data_dir = run.path if options.files else options.data_dir
    place = [] if data_dir is None else [f"data_dir={data_dir}"]
    config = configuration.load(str(run.config), place)
    manifest = run.read_json(run.manifest)
    if options.files:
        samples = explanation.of_files(config, options.files, options.preprocessing)
        note = f"model trained on {description.data_note(manifest)}"
    else:
        inputs = open_inputs(config, run.split)
        check_same_data(inputs, manifest, run.path)
        samples = explanation.of_part(
            inputs, options.part, options.most, options.images
        )
        note = description.data_note(manifest)
    model = trainer.build(config, config.build_tasks())
    model.load_weights(run.best_weights)
    folder = Path(options.out) if options.out else run.path / "saliency"
    with console.progress_bar("explaining") as progress:
        rows, checked = explanation.explain_run(
            config,
            model,
            samples,
            folder,
            tasks=options.tasks,
            methods=options.methods or None,
            layer=options.layer,
            masks=options.masks,
            with_sanity=options.sanity,
            note=note,
            progress=progress,
        )
    print_rows(rows, note)
    if options.masks:
        print_shares(rows)
    if checked:
        print_sanity(checked)
    print(f"\n{len(rows)} maps of {len(samples.ids)} images: {folder}")
    return 0


def print_rows(rows: Sequence, note: str) -> None:
    """What was explained: a line for each image and task."""
    table = _table(note, "image", "task", "explained", "predicted", "true")
    seen = set()
    for row in rows:
        if (row.image_id, row.task) not in seen:
            seen.add((row.image_id, row.task))
            chance = "" if row.probability is None else f" {row.probability:.2f}"
            table.add_row(
                row.image_id,
                row.task,
                row.class_explained,
                row.predicted + chance,
                row.true_class or "-",
            )
    _print(table)


def print_shares(rows: Sequence) -> None:
    """Share of the saliency in the lesion, mean over the images that have a mask.

    By chance it would be the lesion's share of the tissue; see `saliency.lesions`.
    """
    from mdmt_tf.saliency.files import TITLES

    groups = defaultdict(list)
    for row in rows:
        if row.share_inside is not None and row.share_inside == row.share_inside:
            groups[row.task, row.method].append(row)
    table = _table(
        "share of the saliency inside the lesion, means over images",
        *("task", "method", ">n", ">inside", ">by chance", ">enrichment"),
    )
    for (task, method), members in groups.items():
        numbers = [
            _mean([getattr(row, name) for row in members])
            for name in ("share_inside", "lesion_share", "enrichment")
        ]
        table.add_row(
            *(task, TITLES[method], str(len(members))),
            *(f"{numbers[0]:.1%}", f"{numbers[1]:.1%}", f"{numbers[2]:.2f}"),
        )
    _print(table)


def print_sanity(rows: Sequence) -> None:
    """Rank correlation with the trained model's maps: a line for each stage."""
    from mdmt_tf.saliency.files import TITLES

    methods = list(dict.fromkeys(row.method for row in rows))
    table = _table(
        "rank correlation with the maps of the trained model",
        *("task", "random weights", *(f">{TITLES[method]}" for method in methods)),
    )
    values = {(row.task, row.stage, row.method): row.correlation for row in rows}
    for task, stage in dict.fromkeys((row.task, row.stage) for row in rows):
        table.add_row(
            task,
            stage,
            *(_number(values[task, stage, method]) for method in methods),
        )
    _print(table)


def _table(title: str, *headings: str):
    """A `rich` table; headings that begin with > are those of numbers."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for heading in headings:
        right = heading.startswith(">")
        table.add_column(heading.lstrip(">"), justify="right" if right else "left")
    return table


def _print(table) -> None:
    from rich.console import Console

    Console(highlight=False).print(table)


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.2f}"


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else float("nan")


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    console.run(main)
