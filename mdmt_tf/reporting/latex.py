"""Tables in LaTeX, as wide as a page: what does not fit goes into blocks of columns."""

import unicodedata
from collections.abc import Sequence

from mdmt_tf.pages.environment import numeric_columns
from mdmt_tf.reporting.blocks import column_blocks, widths_of

# LaTeX breaks a table with more rows over pages.
_LONG = 40
# Letters in a line of a page, in \footnotesize and in \tiny, and between two columns.
_NORMAL, _SMALL, _BETWEEN = 76, 112, 2
# Texts with more letters than the first are broken into lines of the second.
_LONG_TEXT, _TEXT_WIDTH = 48, 36

_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "–": "--",
    "−": "$-$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "²": "$^2$",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "‘": "`",
    "’": "'",
    "[": "{[}",
    "]": "{]}",
    "ß": r"\ss{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "æ": r"\ae{}",
    "µ": r"$\mu$",
}
# Combining accents -> what puts them on a letter.
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0308": '"',
    "\u030a": "r",
    "\u030c": "v",
    "\u0327": "c",
}


def tex_escape(text: str) -> str:
    """Escape text for LaTeX; characters that it cannot print become `?`."""
    return "".join(map(_escaped, " ".join(str(text).split())))


def _escaped(mark: str) -> str:
    if mark in _TEX:
        return _TEX[mark]
    if mark.isascii():
        return mark
    letter, *accents = unicodedata.normalize("NFD", mark)
    if letter.isascii() and len(accents) == 1 and accents[0] in _ACCENTS:
        return f"\\{_ACCENTS[accents[0]]}{{{letter}}}"
    return "?"


def latex(table, status: str) -> str:
    """A `table_files.Table` for \\input in a document with booktabs and longtable."""
    lines = [
        f"% {tex_escape(table.title)}",
        f"% {tex_escape(status)}",
        "% Needs: \\usepackage[T1]{fontenc} \\usepackage{booktabs,longtable}",
    ]
    if table.sentences:
        lead = (rf"\par\noindent {tex_escape(text)}" for text in table.sentences)
        lines += ["", *lead]
    for section in table.sections:
        widths = widths_of(section, _letters)
        for block in column_blocks(widths, section.keys, _SMALL, _BETWEEN):
            lines += _block(section, block)
    if table.notes:
        notes = " ".join(tex_escape(note) for note in table.notes)
        lines += ["", rf"\par\noindent{{\footnotesize {notes}}}\par"]
    return "\n".join(lines) + "\n"


def _letters(text: str) -> int:
    return min(len(text), _LONG_TEXT)


def _total(widths: Sequence[int], columns: Sequence[int]) -> int:
    return sum(widths[index] + _BETWEEN for index in columns)


def _block(section, columns: Sequence[int]) -> list[str]:
    """The lines of some columns of a section."""
    numeric = numeric_columns(section.rows, len(section.headings))
    widths = widths_of(section, _letters)
    size = r"\footnotesize" if _total(widths, columns) <= _NORMAL else r"\tiny"
    kinds = "".join(
        "r"
        if numeric[index]
        else rf"p{{{_TEXT_WIDTH / 2}em}}"
        if widths[index] == _LONG_TEXT
        else "l"
        for index in columns
    )
    long = len(section.rows) > _LONG
    environment = "longtable" if long else "tabular"
    return [
        "",
        rf"\par\noindent\textbf{{{tex_escape(section.title)}}}\par\nopagebreak",
        rf"{{{size}\setlength{{\tabcolsep}}{{3pt}}",
        rf"\begin{{{environment}}}{{@{{}}{kinds}@{{}}}}",
        r"\toprule",
        _row([section.headings[index] for index in columns]),
        r"\midrule" + (r"\endhead" if long else ""),
        *(_row([row[index].text for index in columns]) for row in section.rows),
        r"\bottomrule",
        rf"\end{{{environment}}}}}\par",
    ]


def _row(cells: Sequence[str]) -> str:
    return " & ".join(tex_escape(cell) for cell in cells) + r" \\"
