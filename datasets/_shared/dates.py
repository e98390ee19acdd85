"""Dates and times of day, as people and programs write them."""

import datetime
import re
from collections.abc import Iterator

# How names of months begin in English, German, French, Italian, Spanish, Portuguese,
# Dutch, and the number of the month.
_MONTHS = (
    ("jan", "gen", "ene"),
    ("feb", "fev", "f\xe9v"),
    ("mar", "mrz", "m\xe4r", "maa", "mrt"),
    ("apr", "abr", "avr"),
    ("may", "mai", "mag", "mei"),
    ("jun", "juin", "giu"),
    ("jul", "juil", "lug"),
    ("aug", "ago", "ao\xfb", "aou"),
    ("sep", "set"),
    ("oct", "okt", "ott", "out"),
    ("nov",),
    ("dec", "dez", "dic", "d\xe9c"),
)
_NUMBER_OF = {start: n for n, starts in enumerate(_MONTHS, 1) for start in starts}
_MONTH = rf"(?P<month>(?:{'|'.join(_NUMBER_OF)})[^\W\d_]{{0,7}})\.?"
_YEAR = r"(?P<year>\d{4}|'?\d{2})"
_DATES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<year>\d{4})(?P<sign>[-/.])(?P<one>\d{1,2})(?:(?P=sign)(?P<two>\d{1,2}))?",
        r"(?P<year>\d{4})(?P<one>\d{2})(?P<two>\d{2})",
        r"(?P<one>\d{1,2})(?P<sign>[-/.]) ?(?P<two>\d{1,2})(?P=sign) ?"
        r"(?P<year>\d{4}|\d{2})",
        r"(?P<one>\d{1,2})[-/.](?P<year>\d{4})",
        rf"(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\.?)?[-/ ]?{_MONTH},?[-/ ]?{_YEAR}",
        rf"{_MONTH} ?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? ?{_YEAR}",
    )
]
_TIME = re.compile(
    r"(?P<hour>\d{1,2})[:h](?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"(?: ?[ap]\.?m\.?| ?uhr| ?h)?(?: ?(?:z|utc|[-+]\d{2}:?\d{2}))?",
    re.IGNORECASE,
)
# What is before and after is no date: tables write 1900-01-00 or 9999-12-31 for none.
# Published data may have their dates moved by two centuries.
_YEARS = range(1901, 2300)


def is_date(text: str) -> bool:
    """Whether a text is a date that exists, with or without a time of day.

    The order of day and month does not matter, and the day may be missing.

    Example:
        >>> is_date("2020-03-12T14:30Z"), is_date("12.03.20"), is_date("March 2020")
        (True, True, True)
        >>> is_date("0000-00-00"), is_date("9999-12-31"), is_date("2020")
        (False, False, False)
    """
    return any(_exists(**match.groupdict()) for match in _days_in(text))


def days_of(text: str) -> set[str]:
    """The days that a date may be, with or without a time of day, as 2020-03-12.

    Two where day and month may be either. None for other text, and for 1-2-03, which
    may be a name.

    Example:
        >>> days_of("12.03.2020 14:30"), sorted(days_of("3/12/20")), days_of("2020-03")
        ({'2020-03-12'}, ['2020-03-12', '2020-12-03'], set())
    """
    found = set()
    for match in _days_in(text):
        fields = match.groupdict()
        year, sign = fields["year"].lstrip("'"), fields.get("sign")
        before = match.string[: match.start("year")]
        if len(year) == 2 and (sign == "-" or before[-1:].isdigit()):
            continue  # Mar 2020 has no day
        if "month" in fields:
            orders = [(_month_of(fields["month"]), fields["day"])]
        else:
            one, two = fields["one"], fields.get("two")
            orders = [(one, two), (two, one)]  # month and day
        known = [
            f"{_year_of(year)}-{int(month):02d}-{int(day):02d}"
            for month, day in orders
            if month and day and _is_day_of(_year_of(year), int(month), int(day))
        ]
        if not before:
            known = known[:1]
        elif sign == ".":
            known = known[-1:]
        found.update(known)
    return found


def is_time(text: str) -> bool:
    """Whether a text is a time of day; midnight alone is how programs write none.

    Example:
        >>> is_time("14:30"), is_time("2:30 pm"), is_time("00:00:00"), is_time("25:00")
        (True, True, False, False)
    """
    return _is_hour(text) and bool(re.search("[1-9]", text))


def _days_in(text: str) -> Iterator[re.Match]:
    """How a text, or what is before a time of day in it, may be a date."""
    days = [text]
    # At each blank, because a date may have some.
    for match in re.finditer(r"(?<=\d)(?:[,:]? |[Tt])(?=\d)", text):
        if _is_hour(text[match.end() :]):
            days.append(text[: match.start()])
    for day in days:
        yield from filter(None, (pattern.fullmatch(day) for pattern in _DATES))


def _exists(
    year: str,
    one: str | None = None,
    two: str | None = None,
    day: str | None = None,
    month: str | None = None,
    sign: str | None = None,
) -> bool:
    number = _year_of(year)
    if number not in _YEARS:
        return False
    if month is not None:
        return _is_day_of(number, _month_of(month), int(day or 1))
    one, two = int(one), int(two or 1)
    return _is_day_of(number, one, two) or _is_day_of(number, two, one)


def _year_of(text: str) -> int:
    year = text.lstrip("'")
    return int(year) + (2000 if len(year) == 2 else 0)


def _month_of(name: str) -> int:
    start = next(s for s in _NUMBER_OF if name.casefold().startswith(s))
    return _NUMBER_OF[start]


def _is_day_of(year: int, month: int, day: int) -> bool:
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def _is_hour(text: str) -> bool:
    match = _TIME.fullmatch(text)
    if match is None:
        return False
    return (
        int(match["hour"]) < 24
        and int(match["minute"]) < 60
        and int(match["second"] or 0) < 60
    )
