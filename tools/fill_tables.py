"""Fill the tables of a page in docs/ from CSV files of a report.

    python tools/fill_tables.py docs/results/README.md

A table stands between two comments, and is made from a file beside the page:

    <!-- table: open_cxr/table_1.csv task=prognosis figures=accuracy,auc -->
    ...
    <!-- end -->

A file with a column `difference` (primary.csv, baselines.csv) gives a row for each
pair, with interval; one with a column `stratum` (within_strata.csv) the AUC of all
pairs and of those of one value; one with a column `mean` (table_1.csv) a row for each
experiment. Other words `column=value` or `column=a,b` choose rows; `of=a,b` chooses
experiments or candidates. With `columns=a,b`, any file gives these columns as they
stand.
"""

import argparse
import re
from pathlib import Path

import pandas as pd

from mdmt_tf.metrics.table import METRICS

BLOCK = re.compile(r"(<!-- table: (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(page: Path) -> str:
    """The text of a page with its tables made anew."""
    return BLOCK.sub(
        lambda found: f"{found[1]}\n{_table(page.parent, found[2])}\n\n{found[3]}",
        page.read_text(encoding="utf-8"),
    )


def _table(folder: Path, words: str) -> str:
    name, *options = words.split()
    chosen = dict(option.split("=", 1) for option in options)
    columns = chosen.pop("columns", None)
    kind = None if columns is None else str  # 0.70 stays 0.70
    rows = pd.read_csv(folder / name, keep_default_na=False, na_values=[""], dtype=kind)
    figures = chosen.pop("figures", "auc").split(",")
    of = chosen.pop("of", "").split(",")
    for column, value in chosen.items():
        rows = rows[rows[column].astype(str).isin(value.split(","))]
    if columns is not None:
        return _as_it_stands(rows, columns.split(","))
    key = "candidate" if "candidate" in rows else "experiment"
    if of != [""]:
        rows = rows[rows[key].isin(of)]
    if missing := set(figures) - set(rows.get("figure", figures)):
        raise SystemExit(f"{name}: no row has {words}: {', '.join(sorted(missing))}")
    if "difference" in rows:
        return _differences(rows, figures)
    if "stratum" in rows:
        return _strata(rows)
    return _means(rows, figures)


def _as_it_stands(rows: pd.DataFrame, columns: list[str]) -> str:
    lines = [[column.replace("_", " ") for column in columns]]
    for row in rows[columns].itertuples(index=False):
        lines.append(["" if pd.isna(value) else value for value in row])
    return _markdown(lines)


def _means(rows: pd.DataFrame, figures: list[str]) -> str:
    lines = [["experiment", *map(_title, figures), "steps", "images seen"]]
    for name, own in rows.groupby("experiment", sort=False):
        of = own.set_index("figure")
        values = [f"{of.loc[figure, 'mean']:.3f}" for figure in figures]
        effort = [_whole(own[column].iloc[0]) for column in ("steps", "images_seen")]
        lines.append([name, *values, *effort])
    return _markdown(lines)


def _differences(rows: pd.DataFrame, figures: list[str]) -> str:
    lines = [["candidate - other", *map(_title, figures)]]
    for names, own in rows.groupby(["candidate", "other"], sort=False):
        of = own.set_index("figure")
        lines.append([" - ".join(names), *(_interval(of.loc[f]) for f in figures)])
    return _markdown(lines)


def _strata(rows: pd.DataFrame) -> str:
    lines = [["experiment", "AUC", "within strata", "pairs"]]
    for row in rows[rows["stratum"].isna()].itertuples():
        text = f"{row.auc:.3f} "
        known = not pd.isna(row.low)
        text += f"[{row.low:.2f}, {row.high:.2f}]" if known else "(no interval)"
        pairs = _whole(row.pairs)
        lines.append([row.experiment, f"{row.overall:.3f}", text, pairs])
    return _markdown(lines)


def _interval(row: pd.Series) -> str:
    if pd.isna(row["difference"]):
        return "not estimable"
    value = f"{row['difference']:+.3f} "
    if pd.isna(row["low"]):
        return value + "(no interval)"
    return f"{value}[{row['low']:+.3f}, {row['high']:+.3f}]"


def _whole(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.0f}"


def _title(figure: str) -> str:
    return METRICS[figure].title


def _markdown(lines: list[list[str]]) -> str:
    rows = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([rows[0], "|" + "---|" * len(lines[0]), *rows[1:]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="+", type=Path)
    for page in parser.parse_args().pages:
        page.write_text(fill(page), encoding="utf-8")


if __name__ == "__main__":
    main()
