"""The page, the tables and the plots of a study, from its results."""

import dataclasses
from pathlib import Path

import pandas as pd

from mdmt_tf.config import Config
from mdmt_tf.metrics.text import NO_NUMBER, shown, shown_alike
from mdmt_tf.pages import render
from mdmt_tf.reporting.blocks import for_page
from mdmt_tf.reporting.drawing import Drawing
from mdmt_tf.reporting.marks import SYNTHETIC
from mdmt_tf.reporting.table_files import (
    Entry,
    Table,
    TableSection,
    numbered,
    write_table,
)
from mdmt_tf.screen.commands import portable
from mdmt_tf.storage import write_bytes, write_text
from mdmt_tf.studies import plots
from mdmt_tf.studies.design import ARMS, CELL, StudyFolder, cells_of
from mdmt_tf.studies.gains import gains_of

_CAVEATS = (
    "The unit of inference is a pair of datasets: each is drawn, and each network "
    "trained, independently. An interval is about the mean gain over such pairs, not "
    "about one of them; the std says how much single pairs differ.",
    "All data are drawn. Real findings, labels and detectors are more varied, and real "
    "networks start from photographs. Signs and orders may carry over, sizes may not.",
    "No interval is adjusted for the number of cells.",
)


@dataclasses.dataclass(frozen=True)
class StudyReport:
    """What was written.

    Attributes:
        status: how many cells are finished.
        tables: the gains of the primary arm, and those of every arm.
        drawings: the plots.
        page: the HTML file.
    """

    status: str
    tables: list[Table]
    drawings: list[Drawing]
    page: Path


def write_report(
    config: Config, folder: StudyFolder, results: pd.DataFrame
) -> StudyReport:
    """Write results.csv, tables, plots and index.html; equal results, equal bytes.

    Args:
        config: with a section `study`.
        folder: of the study.
        results: `design.COLUMNS`, of one mode.
    """
    section = config.study
    write_text(folder.results, results.to_csv(index=False, lineterminator="\n"))
    status = _status(section, results)
    gains = gains_of(results, section.control)
    tables, drawings = [], []
    if not gains.empty:
        tables = [
            _summary(gains, section.primary),
            _primary(gains, section.primary),
            _every(gains, section.control),
        ]
        drawings = list(plots.draw_all(gains, section.primary))
    for name in ("tables", "plots"):
        (folder.path / name).mkdir(exist_ok=True)
    for table in tables:
        write_table(table, folder.path / "tables", f"{SYNTHETIC} {status}")
    for drawing in drawings:
        write_bytes(folder.path / "plots" / f"{drawing.name}.svg", drawing.svg)
        write_bytes(folder.path / "plots" / f"{drawing.name}.png", drawing.png)
    page = folder.path / "index.html"
    text = _page(config, folder, status, tables, drawings)
    write_bytes(page, text.encode("utf-8"))
    return StudyReport(status, tables, drawings, page)


def _page(config, folder, status, tables, drawings) -> str:
    section = config.study
    names = [(table.name, table.title.split(",")[0]) for table in tables]
    intro = [
        "When does a second dataset help? Each cell has a number of patients with an "
        "outcome, a number of images with a severity score in another dataset, a "
        "correlation of the two tasks, and a shift between the datasets. Gain: "
        f"{section.primary} ({ARMS.get(section.primary, '')}) minus {section.control} "
        f"({ARMS.get(section.control, '')}), test AUC.",
    ]
    return render(
        "studies/study.html",
        title=f"{config.experiment}: when a second dataset helps ({section.mode})",
        marks=[SYNTHETIC],
        intro=intro,
        status=status,
        is_complete=status.startswith("All"),
        links=[("plots", "Plots"), *names, ("caveats", "Caveats"), ("again", "Again")],
        tables=list(map(for_page, tables)),
        drawings=drawings,
        caveats=_CAVEATS,
        command=portable("study", "--config", folder.settings),
    )


def _status(section, results: pd.DataFrame) -> str:
    wanted = len(cells_of(section))
    counts = results.groupby(CELL)["dataset"].nunique()
    full = int((counts >= section.datasets).sum())
    if full == wanted:
        return f"All {wanted} cells have {section.datasets} pairs of datasets."
    return (
        f"{full} of {wanted} cells have all {section.datasets} pairs of datasets, "
        f"{len(counts) - full} have some."
    )


def _signed(value: float) -> Entry:
    if pd.isna(value):
        return Entry(NO_NUMBER)
    return Entry(shown("auc", value, "+"), value)


def _range(row) -> Entry:
    if pd.isna(row.low):
        return Entry(NO_NUMBER)
    _, *ends = _gain(row)
    return Entry(" to ".join(ends))


def _gain(row) -> tuple[str, ...]:
    """A gain in AUC with its interval."""
    return shown_alike("auc", row.gain, row.low, row.high, sign="+")


def _summary(gains: pd.DataFrame, primary: str) -> Table:
    """The gain of the primary arm: a block per number of scores, a column per shift."""
    own = gains[
        (gains["metric"] == "auc") & (gains["arm"] == primary) & (gains["scores"] > 0)
    ]
    shifts = [shift for shift in plots.SHIFTS if shift in set(own["shift"])]
    sections = []
    for scores, rows in own.groupby("scores"):
        entries = []
        for (correlation, outcomes), cells in rows.groupby(["correlation", "outcomes"]):
            by_shift = {row.shift: row for row in cells.itertuples()}
            entries.append(
                (
                    numbered(f"{correlation:g}", correlation),
                    numbered(str(outcomes), outcomes),
                    *(_with_range(by_shift.get(shift)) for shift in shifts),
                )
            )
        headings = ("correlation", "outcomes", *(plots.SHIFTS[s] for s in shifts))
        sections.append(TableSection(f"{scores} scores", headings, entries))
    notes = ["Mean gain in test AUC and its 95 % interval over pairs of datasets."]
    title = f"Gain of {primary}, in short"
    return Table("summary", title, sections, notes, own)


def _with_range(row) -> Entry:
    if row is None or pd.isna(row.gain):
        return Entry(NO_NUMBER)
    if pd.isna(row.low):
        return _signed(row.gain)
    gain, *ends = _gain(row)
    return Entry(f"{gain} ({' to '.join(ends)})", row.gain)


def _primary(gains: pd.DataFrame, primary: str) -> Table:
    """The gain of the primary arm in each cell, beside control and oracle."""
    auc = gains[gains["metric"] == "auc"]
    means = auc.pivot_table(index=CELL, columns="arm", values="mean")
    own = auc[(auc["arm"] == primary) & (auc["scores"] > 0)]
    sections = []
    for shift, rows in own.groupby("shift", sort=False):
        entries = []
        order = ["correlation", "outcomes", "scores"]
        for row in rows.sort_values(order).itertuples():
            others = means.loc[tuple(getattr(row, key) for key in CELL)]
            oracle = others.get("oracle", float("nan"))
            control = others[row.control]
            entries.append(
                (
                    numbered(f"{row.correlation:g}", row.correlation),
                    numbered(str(row.outcomes), row.outcomes),
                    numbered(str(row.scores), row.scores),
                    numbered(str(row.n), row.n),
                    numbered(f"{control:.3f}", control),
                    numbered(f"{oracle:.3f}", oracle),
                    numbered(_gain(row)[0], row.gain),
                    numbered(f"{row.sd:.3f}", row.sd),
                    _range(row),
                )
            )
        headings = ("correlation", "outcomes", "scores", "pairs", "control AUC")
        headings += ("oracle AUC", "gain", "std", "95 % interval")
        sections.append(TableSection(plots.SHIFTS[shift], headings, entries))
    control = own["control"].iloc[0] if len(own) else ""
    notes = [
        f"Gain: {primary} minus {control} in test AUC, mean over pairs of datasets.",
        "std: of the gain between pairs; interval: of the mean, by Student's t.",
        "Oracle: ranks patients by the probability given score and size of the heart.",
    ]
    return Table("gains", f"Gain of {primary}, by cell", sections, notes, gains)


def _every(gains: pd.DataFrame, control: str) -> Table:
    """The gain of each arm with the most scores."""
    auc = gains[gains["metric"] == "auc"]
    most = auc["scores"].max()
    rows = auc[(auc["scores"] == most) & (auc["arm"] != control)]
    arms = [arm for arm in ARMS if arm in set(rows["arm"])]
    sections = []
    for shift, of_shift in rows.groupby("shift", sort=False):
        entries = []
        cells = of_shift.groupby(["correlation", "outcomes"])
        for (correlation, outcomes), own in cells:
            by_arm = own.set_index("arm")["gain"]
            entries.append(
                (
                    numbered(f"{correlation:g}", correlation),
                    numbered(str(outcomes), outcomes),
                    *(_signed(by_arm.get(arm, float("nan"))) for arm in arms),
                )
            )
        headings = ("correlation", "outcomes", *arms)
        sections.append(TableSection(plots.SHIFTS[shift], headings, entries))
    notes = [f"{arm}: {ARMS[arm]}." for arm in (control, *arms) if arm in ARMS]
    title = f"Gain of every arm, over {control} with {most} scores"
    return Table("arms", title, sections, notes, rows)
