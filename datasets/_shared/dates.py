"""Dates and times of day, as people and programs write them."""

import datetime
import re

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
    if _is_day(text):
        return True
    # At each blank, because a date may have some.
    for match in re.finditer(r"(?<=\d)(?:[,:]? |T)(?=\d)", text):
        if _is_day(text[: match.start()]) and _is_hour(text[match.end() :]):
            return True
    return False


def is_time(text: str) -> bool:
    """Whether a text is a time of day; midnight alone is how programs write none.

    Example:
        >>> is_time("14:30"), is_time("2:30 pm"), is_time("00:00:00"), is_time("25:00")
        (True, True, False, False)
    """
    return _is_hour(text) and bool(re.search("[1-9]", text))


def _is_day(text: str) -> bool:
    return any(
        _exists(**match.groupdict())
        for pattern in _DATES
        if (match := pattern.fullmatch(text))
    )


def _exists(
    year: str,
    one: str | None = None,
    two: str | None = None,
    day: str | None = None,
    month: str | None = None,
    sign: str | None = None,
) -> bool:
    year = year.lstrip("'")
    number = int(year) + (2000 if len(year) == 2 else 0)
    if number not in _YEARS:
        return False
    if month is not None:
        start = next(s for s in _NUMBER_OF if month.casefold().startswith(s))
        return _is_day_of(number, _NUMBER_OF[start], int(day or 1))
    one, two = int(one), int(two or 1)
    return _is_day_of(number, one, two) or _is_day_of(number, two, one)


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
