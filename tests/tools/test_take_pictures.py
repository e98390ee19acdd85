"""The pictures of the documentation: small, of every screen, from phantoms."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
import take_pictures
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"
TAKEN = sorted(take_pictures.PICTURES.glob("*"))
ALL = 1_500_000  # bytes of all pictures


def png(pixels):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def test_the_pictures_are_small():
    sizes = {path.name: path.stat().st_size for path in TAKEN}
    assert sizes and max(sizes.values()) < take_pictures.MOST
    assert sum(sizes.values()) < ALL


def test_every_picture_is_taken_by_the_tool_and_shown():
    source = Path(take_pictures.__file__).read_text(encoding="utf-8")
    shown = (DOCS / "screens.md").read_text(encoding="utf-8")
    assert {path.name for path in TAKEN} == set(
        re.findall(r"\]\(pictures/([^)]+)\)", shown)
    )
    for path in TAKEN:
        assert f'"{path.stem}"' in source or f'"{path.name}"' in source


def test_a_picture_has_as_many_colours_as_fit():
    steps = np.arange(256, dtype=np.uint8)
    plain = np.repeat(steps[np.newaxis, :, np.newaxis], 64, axis=0).repeat(3, axis=2)
    made = Image.open(io.BytesIO(take_pictures.small(png(plain))))
    assert made.size == (256, 64)
    np.testing.assert_array_equal(np.asarray(made.convert("RGB")), plain)
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="a picture of .* bytes; at most 150000"):
        take_pictures.small(png(noise))


def test_a_terminal_shows_what_its_reader_saw():
    shown = "epoch 1\repoch 2\r\n\x1b[31mred\x1b[0m <b>\r\nlast\r\n\r\n"
    page = take_pictures.terminal_page("$ train", shown, first=2)
    text = re.sub(r"<[^>]+>", "", page.partition("<pre")[2])
    assert "$ train" in text and "epoch 2" in text and "red &lt;b&gt;" in text
    assert "last" not in text and "epoch 1" not in text
    assert re.search(r"<span style=\"color: #[0-9a-f]+[^>]*>red</span>", page)
