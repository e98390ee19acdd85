"""Which text is a date or a time of day, and which only looks like one."""

import datetime

import pytest

from mdmt_tf.datasets._shared.dates import days_of, is_date, is_time


@pytest.mark.parametrize(
    "text",
    [
        *("2020-03-12", "2020/3/12", "2020.03.12", "20200312", "2020-03"),
        *("12.03.2020", "12.3.20", "3/12/2020", "12/3/2020", "12-03-2020"),
        *("12. 03. 2020", "12/31/2020", "31/12/2020", "03/2020", "29.02.2020"),
        *("12 Mar 2020", "12-Mar-20", "12. M\xe4rz 2020", "12 d\xe9cembre 2020"),
        *("March 12, 2020", "Mar 12 2020", "Mar-20", "Mar 2020", "1st May 2020"),
        *("12MAR2020", "12 marzo 2020", "Sept. 3, 2020", "3 ao\xfbt 2020"),
        "2180-07-23",  # moved, as in published data
    ],
)
@pytest.mark.parametrize(
    "time",
    ["", " 14:30", "T14:30:00Z", " 14:30:59.123", " 2:30 PM", ", 14:30", " 00:00:00"]
    + ["T14:30:00+01:00", " 14h30", " 14:30 Uhr"],
)
def test_dates(text, time):
    assert is_date(text + time)


def test_dates_of_spreadsheets():
    for value in (datetime.datetime(2020, 3, 12), datetime.date(2020, 3, 12)):
        assert is_date(str(value))


@pytest.mark.parametrize(
    "text",
    [
        *("0000-00-00", "1900-01-00", "1900-01-01", "1899-12-30", "9999-12-31"),
        *("2020-13-13", "31.02.2020", "2020-00-00", "00.00.2020", "99.99.9999"),
        *("00.00.00", "2020", "12", "1.5", "99999999", "00000000", "12 2020"),
        *("alive 12.03.2020", "alive 12 Mar 2020", "12.03.2020 alive", "Mars 1"),
        *("2020-03-12 25:00", "2020-03-12T", "14:30", "", "nein", "n.a.", "1.2.3.4"),
        *("2020-03-12?", "> 2020-03-12", "2020-03-12 to 2020-03-14"),
    ],
)
def test_no_dates(text):
    assert not is_date(text)


@pytest.mark.parametrize("text", ["14:30", "2:30 pm", "14:30:59", "14h30", "00:01"])
def test_times(text):
    assert is_time(text)


@pytest.mark.parametrize("text", ["00:00", "00:00:00", "24:30", "14:60", "14", "1430"])
def test_no_times(text):
    assert not is_time(text)


@pytest.mark.parametrize(
    "text",
    ["2020-03-12", "12.03.2020", "12.3.20", "12 Mar 2020", "20200312", "13/3/2020"]
    + ["March 12, 2020 14:30", "2020-03-12 00:00:00", "2020-03-12t14:30z"],
)
def test_the_day_of_a_date(text):
    day = datetime.date(2020, 3, 13 if text.startswith("13") else 12)
    assert days_of(text) == {str(day)}


def test_a_day_that_may_be_the_month_is_both():
    assert days_of("3/12/2020") == days_of("12-03-2020") == {"2020-03-12", "2020-12-03"}


@pytest.mark.parametrize("text", ["2020-03", "Mar 2020", "1-2-03", "2020", "P12", ""])
def test_no_day(text):
    assert days_of(text) == set()
