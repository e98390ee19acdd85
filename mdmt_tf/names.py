"""Names of images, patients and sites: which spellings stand for the same thing.

People and programs write one name in many ways. They are told apart in four steps:

`clean`       what cannot be seen does not count: the Unicode form, invisible
              characters, kinds of blanks and hyphens, width of digits
`plain_id`    and 12.0 is 12, as programs write numbers in columns with gaps
`folded`      and neither case, the number of blanks nor the kind of dash counts
`likeness`    and neither blanks nor leading zeros; such names are only *like* each
              other, which is worth a warning

`Names` finds things by name: in its exact spelling if there is one, or else in the next
looser one, with or without the suffix of an image file and the folders of a path.
"""

import bisect
import functools
import itertools
import re
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from mdmt_tf.errors import nearest
from mdmt_tf.imaging.image_files import image_stem
from mdmt_tf.invisible import INVISIBLE

Thing = TypeVar("Thing", bound=Hashable)

_BREAKS = str.maketrans({"\u2010": "-", "\u2011": "-", "\u3000": " "})
_DASHES = str.maketrans(dict.fromkeys("\u2012\u2013\u2014\u2015\u2212", "-"))
_MOST_HINTS = 5
_NUMBER = re.compile(r"([0-9]+)[.,]0+")
# 1.2E+11 or 1.2E11; but 1E5 may be a name.
_SCIENTIFIC = re.compile(r"[0-9]([.,][0-9]+[Ee]\+?|[Ee]\+)[0-9]+")

# What to do about a name for which `is_rewritten` is true.
REWRITTEN = (
    "It seems to be a number that a spreadsheet program has rewritten; keep the column "
    "as text."
)


def clean(text: str) -> str:
    """A name without differences that cannot be seen.

    Example:
        >>> clean("\\u200bP\\u00a01\\u2011\\uff12 ")
        'P 1-2'
        >>> clean("Mu\\u0308ller") == "M\\xfcller"
        True
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    text = unicodedata.normalize("NFC", text).translate(_BREAKS)
    kept = []
    for character in text:
        if "\uff01" <= character <= "\uffee" and character not in INVISIBLE:
            kept.append(unicodedata.normalize("NFKC", character))
        elif character.isspace():
            kept.append(" ")
        elif character not in INVISIBLE:
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def plain_id(text: str) -> str:
    """A clean name, in which a number has no decimals: 12.0 is 12, but 012 stays.

    Example:
        >>> plain_id("12.0"), plain_id("012"), plain_id("1.20"), plain_id("S1.0")
        ('12', '012', '1.20', 'S1.0')
    """
    text = clean(text)
    match = _NUMBER.fullmatch(text)
    return match[1] if match else text


def is_rewritten(text: str) -> bool:
    """Whether a name is a number as programs show long ones, without its last digits.

    Different names then look the same.

    Example:
        >>> is_rewritten("1.23457E+11"), is_rewritten("1E+20"), is_rewritten("1E5")
        (True, True, False)
    """
    return bool(_SCIENTIFIC.fullmatch(clean(text)))


def folded(text: str) -> str:
    """The same text for spellings that differ in case, blanks in a row, or dashes.

    Example:
        >>> folded("CARESTREAM  Health") == folded("Carestream health")
        True
    """
    text = re.sub(" +", " ", clean(text))
    if text.isascii():
        return text.casefold()
    return unicodedata.normalize("NFC", text.translate(_DASHES).casefold())


def folded_site(text: str) -> str:
    """The same text for all spellings of a site: without case and blanks.

    Example:
        >>> folded_site("Agfa - Gevaert"), folded_site("1.0")
        ('agfa-gevaert', '1')
    """
    return folded(plain_id(text)).replace(" ", "")


def likeness(text: str) -> str:
    """The same text for names that may be slips of each other.

    Example:
        >>> likeness("P 012"), likeness("p12"), likeness("P120")
        ('p12', 'p12', 'p120')
    """
    text = folded_site(unicodedata.normalize("NFKC", text))
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def last_part(text: str) -> str:
    """The name at the end of a path, with either kind of slash.

    Example:
        >>> last_part("dicom_clean\\\\103.dcm"), last_part("a/b.png"), last_part("c")
        ('103.dcm', 'b.png', 'c')
    """
    return clean(_parts(text)[-1])


def image_id(text: str) -> str:
    """The id of an image that a cell names: without folders and suffix.

    Example:
        >>> image_id("dicom_clean/102.dcm"), image_id("101.0"), image_id("a1")
        ('102', '101', 'a1')
    """
    return plain_id(image_stem(last_part(text)))


def _parts(text: str) -> list[str]:
    """The parts of a path; at least one."""
    parts = [part for part in text.replace("\\", "/").split("/") if part.strip(" .")]
    return parts or [text]


class Names(Generic[Thing]):
    """Things that are found by names, such as image files or rows about images.

    Example:
        >>> names = Names([("x/a1.PNG", 1), ("y/a1.png", 2), ("B_12.dcm", 3)])
        >>> names.find("y/a1"), names.find("a1.PNG"), names.find("a1")
        ([2], [1], [1, 2])
        >>> names.find("b_12"), names.find("b"), names.find_spellings("y/a1.png")
        ([3], [], [1, 2])
    """

    def __init__(
        self, named: Iterable[tuple[str, Thing]], *, folders_count: bool = True
    ):
        """
        Args:
            named: names or paths, and the things.
            folders_count: whether a name with other folders names another thing.
                Otherwise, folders only choose among several things of a name.
        """
        self._folders_count = folders_count
        self._levels: list[dict[str, _Group[Thing]]] = [{} for _ in _keys("")]
        self._names: list[str] = []
        self._paths: list[str] = []
        self._hints = 0
        for name, thing in named:
            *folders, last = _parts(name)
            self._names.append(clean(last))
            self._paths.append(name)
            inner = _inner(folders)
            for level, key in zip(self._levels, _keys(last), strict=True):
                level.setdefault(key, _Group()).add(inner, thing)

    def find(self, name: str) -> list[Thing]:
        """All things of a name, in the spelling that is nearest to it.

        Several are of one spelling, so that the name does not tell which is meant.
        """
        *folders, last = _parts(name)
        inner = _inner(folders)
        for level, key in zip(self._levels, _keys(last), strict=True):
            if (group := level.get(key)) is not None:
                if agreeing := group.agreeing(inner):
                    return agreeing
                if not self._folders_count:
                    return group.all()
        return []

    def find_spellings(self, name: str) -> list[Thing]:
        """All things of a name in any spelling, whatever their folders."""
        *_, last = _parts(name)
        group = self._levels[-1].get(_keys(last)[-1])
        return [] if group is None else group.all()

    def in_folder(self, name: str) -> list[str]:
        """The names in folders of a name, such as those of one exam.

        Example:
            >>> names = Names((n, n) for n in ["P3/A7/1.png", "P3/A7/2.png", "A7.png"])
            >>> names.in_folder("a7"), names.in_folder("P2/A7"), names.in_folder("P")
            (['P3/A7/1.png', 'P3/A7/2.png'], [], [])
        """
        wanted = _inner(_parts(name))
        return [
            path
            for inner, path in self._in_folders.get(wanted[0], ())
            if any(
                inner[start : start + len(wanted)] == wanted
                for start in range(len(inner))
            )
        ]

    @functools.cached_property
    def _in_folders(self) -> dict[str, list[tuple[tuple[str, ...], str]]]:
        """Folder -> the folders and the path of each name in it."""
        found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for path in self._paths:
            inner = _inner(_parts(path)[:-1])
            for folder in set(inner):
                found.setdefault(folder, []).append((inner, path))
        return found

    def beginning_with(self, name: str) -> list[str]:
        """The names that go on after a name with no letter and no number.

        Example:
            >>> names = Names((n, n) for n in ["A7_1.png", "x/a7-2.png", "A70.png"])
            >>> names.beginning_with("A7")
            ['A7_1.png', 'x/a7-2.png']
        """
        start, found = folded(last_part(name)), []
        first = bisect.bisect_left(self._sorted, (start,))
        for text, path in itertools.islice(self._sorted, first, None):
            if not text.startswith(start):
                break
            if text[len(start) :] and not text[len(start)].isalnum():
                found.append(path)
        return sorted(found)

    @functools.cached_property
    def _sorted(self) -> list[tuple[str, str]]:
        pairs = zip(self._names, self._paths, strict=True)
        return sorted((folded(image_stem(name)), path) for name, path in pairs)

    def nearest(self, name: str) -> str:
        """ " Did you mean ...?" for the nearest name, or the empty string.

        Only a few times, because it is slow among many names.
        """
        return self.slip(name) or (
            nearest(last_part(name), self._names) if self._hints <= _MOST_HINTS else ""
        )

    def slip(self, name: str) -> str:
        """Likewise for a name that differs in blanks, zeros and the like at most.

        Or what a spreadsheet program has made of it.
        """
        last = last_part(name)
        if is_rewritten(last):
            return f" {REWRITTEN}"
        self._hints += 1
        if self._hints > _MOST_HINTS:
            return ""
        key = likeness(image_stem(last))
        like = [own for own in self._names if likeness(image_stem(own)) == key]
        if not like:
            return ""
        zeros = any(image_stem(own).startswith("0") for own in like)
        why = " Spreadsheet programs drop leading zeros." if zeros else ""
        return f" Did you mean {like[0]!r}?{why}"


def _keys(last: str) -> tuple[str, ...]:
    """The spellings of a name, from the exact one to the loosest."""
    last = clean(last)
    stem = image_stem(last)
    return last, folded(last), stem, folded(stem), folded(plain_id(stem))


def _inner(folders: Sequence[str]) -> tuple[str, ...]:
    """Folders as they are compared, the innermost first."""
    return _inner_of(tuple(folders))


@functools.lru_cache(maxsize=4096)
def _inner_of(folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(folded, reversed(folders)))


class _Group(Generic[Thing]):
    """The things of one name, which may be in different folders."""

    __slots__ = ("_end", "_things", "_whole")

    def __init__(self):
        self._things: list[tuple[tuple[str, ...], Thing]] = []
        # Folders -> the things in exactly these, and those in these or folders above;
        # made when they are needed, because most groups are of one thing.
        self._whole: dict[tuple[str, ...], list[Thing]] | None = None
        self._end: dict[tuple[str, ...], list[Thing]] = {}

    def add(self, inner: tuple[str, ...], thing: Thing) -> None:
        self._things.append((inner, thing))

    def all(self) -> list[Thing]:
        return list(dict.fromkeys(thing for _, thing in self._things))

    def agreeing(self, inner: tuple[str, ...]) -> list[Thing]:
        """The things whose folders are the same as far as both have them.

        Only those of which all are the same, if there are some.
        """
        if not inner:
            return self.all()
        if self._whole is None:
            self._whole = {}
            for own, thing in self._things:
                self._whole.setdefault(own, []).append(thing)
                for depth in range(len(own) + 1):
                    self._end.setdefault(own[:depth], []).append(thing)
        found = self._whole.get(inner)
        if not found:
            found = list(self._end.get(inner, ()))
            for depth in range(len(inner)):
                found += self._whole.get(inner[:depth], ())
        return list(dict.fromkeys(found))
