"""Tables as Markdown and LaTeX."""

import re

import pandas as pd

from mdmt_tf.reporting.table_files import (
    Entry,
    Table,
    TableSection,
    latex,
    markdown,
    tex_escape,
)


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
    for name in ("table_1", "table_2", "table_s1", "runs"):
        text = (report.folder / "tables" / f"{name}.tex").read_text()
        lines = [line for line in text.splitlines() if not line.startswith("%")]
        bare = re.sub(r"\\[{}]", "", "\n".join(lines))
        assert bare.count("{") == bare.count("}")
        opened = re.findall(r"\\begin\{(\w+)\}", bare)
        assert opened == re.findall(r"\\end\{(\w+)\}", bare)
        columns = None
        for line in lines:
            if found := re.match(r"\\begin\{\w+\}\{@\{\}([lr]+)@", line):
                columns = len(found[1])
            elif line.endswith(r"\\"):
                assert len(re.findall(r"(?<!\\)&", line)) == columns - 1


def test_letters_that_latex_lacks():
    assert tex_escape("naïve\n 中") == "na?ve ?"
