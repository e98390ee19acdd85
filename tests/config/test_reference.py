"""The reference page of all keys."""

import re
from pathlib import Path

from mdmt_tf.config import reference
from mdmt_tf.config.keys import all_keys

PAGE = Path(__file__).resolve().parents[2] / "docs/configuration.md"


def test_the_page_is_current():
    """Else run `python -m mdmt_tf.config keys --markdown > docs/configuration.md`."""
    assert PAGE.read_text(encoding="utf-8") == reference.markdown()


def test_every_section_has_a_heading_and_every_key_a_row():
    text = reference.markdown()
    found, same = set(), {}
    # What is below a repeated section is not repeated, either.
    below = re.compile(r"whole\.tasks\.NAME\.|cross_validation\.NAME\.whole\.")
    for block in text.split("\n## ")[1:]:
        heading, _, rest = block.partition("\n")
        section = "" if heading == "Top level" else f"{heading.strip('`')}."
        rows = re.findall(r"^\| `(\w+)` \|", rest, re.MULTILINE)
        if other := re.search(r"The keys of `(.*)`\.", rest):
            same[section] = f"{other[1]}."
            rows = [k.removeprefix(same[section]) for k in found]
            rows = [k for k in rows if "." not in k]
        found |= {f"{section}{row}" for row in rows}
    assert {k.full for k in all_keys() if not below.search(k.full)} <= found
    assert same["benchmark.cross_validation.NAME."] == "split."


def test_rows_have_four_cells():
    for line in reference.markdown().splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5, line
