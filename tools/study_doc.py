"""Copy tables and plots of a finished study into `docs/results/when_it_helps.md`.

    python tools/study_doc.py studies/when_it_helps-features

A block of the page begins with `<!-- table: NAME -->` and ends with `<!-- end -->`.
NAME is a table of the study: `summary`, `gains` or `arms`.
"""

import argparse
import re
import shutil
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"
_BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, tables: Path) -> str:
    """The page with the tables of the folder `tables` in its blocks."""
    return _BLOCK.sub(lambda m: m[1] + table_of(tables / f"{m[2]}.md") + m[3], page)


def table_of(path: Path) -> str:
    """Blocks and status of a Markdown table, without its title and notes.

    Headings are made bold paragraphs, so that the page keeps its own headings.
    """
    lines = path.read_text(encoding="utf-8").splitlines()[2:]
    kept = [line for line in lines if not line.startswith("- ")]
    text = "\n".join(re.sub(r"^#+ (.*)", r"**\1**", line) for line in kept)
    return f"\n{text.strip()}\n\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the study")
    parser.add_argument(
        "--page", type=Path, default=DOCS / "results" / "when_it_helps.md"
    )
    options = parser.parse_args()
    page = options.page.read_text(encoding="utf-8")
    options.page.write_text(filled(page, options.folder / "tables"), encoding="utf-8")
    for plot in ("gains", "arms"):
        for form in ("svg", "png"):
            source = options.folder / "plots" / f"{plot}.{form}"
            shutil.copyfile(
                source, options.page.with_name(f"when_it_helps_{source.name}")
            )


if __name__ == "__main__":
    main()
