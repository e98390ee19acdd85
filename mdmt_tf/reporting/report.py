"""Tables, plots and a page, made from a benchmark folder alone."""

import dataclasses
import os
from pathlib import Path

from mdmt_tf.errors import DataError
from mdmt_tf.experiments.results import Results
from mdmt_tf.metrics.text import plural
from mdmt_tf.reporting.aggregates import Aggregates
from mdmt_tf.reporting.marks import warnings_of
from mdmt_tf.reporting.page import build_page
from mdmt_tf.reporting.plots import draw_all
from mdmt_tf.reporting.table_files import Table, write_table
from mdmt_tf.reporting.tables import build_tables
from mdmt_tf.statistics.interval import RESAMPLES
from mdmt_tf.storage import write_bytes


@dataclasses.dataclass(frozen=True)
class Report:
    """A written report.

    Attributes:
        results: the results that it was made from.
        status: a sentence on the finished, failed and missing cells.
        tables: in the order of the page.
        folder: holds `tables/`, `plots/` and `index.html`.
    """

    results: Results
    status: str
    tables: list[Table]
    folder: Path

    def table(self, name: str) -> Table:
        """The table with a name."""
        return next(table for table in self.tables if table.name == name)

    @property
    def page(self) -> Path:
        return self.folder / "index.html"


def write_report(
    folder: str | os.PathLike,
    out: str | os.PathLike | None = None,
    *,
    resamples: int = RESAMPLES,
    split: str = "test",
) -> Report:
    """Write `tables/`, `plots/` and `index.html`; equal inputs give equal bytes.

    Args:
        folder: of a benchmark, which may still be running.
        out: folder to write to; None: `folder`, or `validation/` in it.
        resamples: number of bootstrap resamples; 0: no intervals.
        split: the split to judge by. With validation no test row is read.
    Raises: DataError when it is not a benchmark folder or a file is damaged.
    """
    results = Results.read(folder, split)
    aggregates = Aggregates(results, resamples)
    if out is None:
        # A report on the test split stays as it is.
        out = folder if split == "test" else Path(folder) / split
    out = Path(out)
    status = describe(results)
    in_files = " ".join([*warnings_of(results), status])
    tables = build_tables(aggregates)
    drawings = list(draw_all(aggregates))
    page = build_page(aggregates, tables, drawings, status)
    try:
        for name in ("tables", "plots"):
            (out / name).mkdir(parents=True, exist_ok=True)
        for table in tables:
            write_table(table, out / "tables", in_files)
        for drawing in drawings:
            stem = out / "plots" / drawing.name
            write_bytes(stem.with_name(f"{drawing.name}.svg"), drawing.svg)
            write_bytes(stem.with_name(f"{drawing.name}.png"), drawing.png)
        write_bytes(out / "index.html", page.encode("utf-8"))
    except OSError as error:
        raise DataError(
            f"{error.filename or out}: cannot be written: {error.strerror}."
        ) from error
    return Report(results, status, tables, out)


def describe(results: Results) -> str:
    """The finished, failed and missing cells, and the effect on the tables."""
    counts = results.counts()
    text = (
        f"{counts['finished']} of {plural(len(results.cells), 'cell')} of the grid are "
        "finished, "
        f"{counts['failed']} failed, {counts['missing']} are missing."
    )
    if counts["finished"] < len(results.cells):
        text += (
            " Where a mean would leave out folds or backbones, the tables say how many "
            "there are instead."
        )
    return text
