"""Tables in LaTeX and Markdown: any text, and no wider than a page."""

import re

import pandas as pd
import pytest

from mdmt_tf.reporting.latex import latex, tex_escape
from mdmt_tf.reporting.table_files import Entry, Table, TableSection, markdown


def test_markdown_and_latex_print_any_text_as_it_stands():
    odd = r"50% of $x_1$ & <b>|\x{}#~^ ±"
    table = Table(
        "odd",
        odd,
        [TableSection(odd, ("a_b", "n (%)"), [(Entry(odd), Entry("1 ± 2", 1.0))])],
        [odd],
        pd.DataFrame(),
    )
    text = latex(table, odd)
    assert text.count(r"\begin{tabular}{@{}lr@{}}") == 1
    assert (
        r"50\% of \$x\_1\$ \& \textless{}b\textgreater{}\textbar{}\textbackslash{}x\{\}"
        r"\#\textasciitilde{}\textasciicircum{} $\pm$ & 1 $\pm$ 2 \\"
    ) in text
    assert text.isascii()
    body = [line for line in markdown(table, odd).splitlines() if line[:1] == "|"]
    # As many unescaped bars in every row.
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in body} == {3}
    assert "<b>" not in markdown(table, odd)


def test_latex_is_balanced(report):
    for name in ("primary", "table_1", "table_2", "table_s1", "runs"):
        text = (report.folder / "tables" / f"{name}.tex").read_text()
        lines = [line for line in text.splitlines() if not line.startswith("%")]
        bare = re.sub(r"\\[{}]", "", "\n".join(lines))
        assert bare.count("{") == bare.count("}")
        opened = re.findall(r"\\begin\{(\w+)\}", bare)
        assert opened == re.findall(r"\\end\{(\w+)\}", bare)
        columns = None
        for line in lines:
            if found := re.match(r"\\begin\{\w+\}\{@\{\}(.*)@", line):
                columns = len(re.sub(r"p\{[\d.]+em\}", "p", found[1]))
            elif line.endswith(r"\\"):
                assert len(re.findall(r"(?<!\\)&", line)) == columns - 1


@pytest.mark.parametrize(
    "text, expected",
    [
        ("naïve\n 中", r"na\"{i}ve ?"),
        ("Łódź", r"?\'{o}d\'{z}"),
        ("Groß–Çanak ≥ 5²", r"Gro\ss{}--\c{C}anak $\geq$ 5$^2$"),
        # A bracket after \\ would be taken for its argument.
        ("[1] a^b", r"{[}1{]} a\textasciicircum{}b"),
    ],
)
def test_letters_that_ascii_lacks(text, expected):
    assert tex_escape(text) == expected


def wide(columns: int, letters: int, keys: int = 2) -> Table:
    names = [f"{index:0{letters}d}" for index in range(columns)]
    rows = [tuple(Entry(name) for name in names)]
    section = TableSection("wide", tuple(names), rows, keys=keys)
    return Table("wide", "Wide", [section], [], pd.DataFrame())


def headings_of(text: str) -> list[list[str]]:
    """The headings of each block."""
    return [row[:-3].split(" & ") for row in re.findall(r"toprule\n(.*)", text)]


def test_what_is_wider_than_a_page_is_in_blocks_that_repeat_the_names():
    # 20 columns of 10 letters, 2 between: 9 of them fit into 112 letters.
    found = headings_of(latex(wide(20, 10), ""))
    assert [len(own) for own in found] == [9, 9, 6]
    assert all(own[:2] == ["0000000000", "0000000001"] for own in found)
    others = [name for own in found for name in own[2:]]
    assert others == [f"{index:010d}" for index in range(2, 20)]


def test_a_column_that_fits_nowhere_has_a_block_of_its_own():
    assert [len(own) for own in headings_of(latex(wide(4, 60, keys=3), ""))] == [4]
    found = headings_of(latex(wide(4, 60, keys=2), ""))
    assert [len(own) for own in found] == [3, 3]


def test_long_texts_are_broken_and_small_tables_are_not_small_print():
    assert r"\footnotesize" in latex(wide(3, 10), "")
    assert r"\tiny" in latex(wide(9, 10), "")
    assert r"{@{}p{18.0em}p{18.0em}@{}}" in latex(wide(2, 60), "")
    assert r"{@{}ll@{}}" in latex(wide(2, 40), "")
