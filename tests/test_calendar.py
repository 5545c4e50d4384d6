"""Chinese dates are those of the State Council's yearly notices (国务院办公厅关于部分节假日安排的通知)."""

import time
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforecast.calendar import Calendar, Period, as_day
from salesforecast.errors import BadValue
from salesforecast.settings import parse_settings

CHINA = Calendar()
APRIL = Calendar(first_month=4)


def works(day, calendar=CHINA):
    return calendar.workdays(day, day) == 1


@pytest.mark.parametrize(
    ("day", "workday"),
    [
        ("2024-02-04", True),  # a Sunday, worked for Spring Festival (国办发明电〔2023〕7号)
        ("2024-02-10", False),  # Spring Festival, a Saturday
        ("2024-02-12", False),  # a Monday in the holiday
        ("2024-02-18", True),  # a Sunday, worked
        ("2024-05-11", True),  # a Saturday, worked for Labour Day
        ("2025-01-26", True),  # a Sunday, worked
        ("2025-10-08", False),  # a Wednesday, National Day and Mid-Autumn together
        ("2026-02-14", True),  # a Saturday, worked (国办发明电〔2025〕7号)
        ("2026-02-23", False),  # a Monday, last day of the nine-day Spring Festival holiday
        ("2026-02-28", True),  # a Saturday, worked
        ("2026-10-10", True),  # a Saturday, worked for National Day
    ],
)
def test_published_chinese_workdays_with_make_up_days(day, workday):
    assert works(day) is workday


def test_workdays_of_a_month_count_make_up_days():
    assert CHINA.workdays("2024-02-01", "2024-02-29") == 18
    assert CHINA.workdays("2026-02-01", "2026-02-28") == 16
    assert CHINA.workdays("2026-10-01", "2026-10-31") == 18


def test_workdays_over_years_are_the_sum_of_their_days():
    frame = CHINA.frame("2023-03-15", "2026-08-20")
    assert CHINA.workdays("2023-03-15", "2026-08-20") == frame["workday"].sum()


def test_workdays_of_nothing_are_none():
    assert CHINA.workdays("2026-02-02", "2026-02-01") == 0


def test_an_unpublished_year_is_estimated_and_says_so():
    frame = CHINA.frame("2028-01-01", "2028-12-31")
    assert frame["estimated"].all()
    assert not works("2028-01-26")  # Spring Festival, a Wednesday
    assert not works("2028-10-03")  # Mid-Autumn and National Day, a Tuesday
    assert works("2028-03-01")
    # 260 weekdays less 13 statutory days off, two of which (Mid-Autumn, National Day) fall together
    assert frame["workday"].sum() == 248
    assert CHINA.estimated_years("2026-01-01", "2028-12-31")[-1] == 2028
    assert CHINA.estimated_years("2004-01-01", "2026-12-31") == ()


def test_estimated_festivals_have_the_names_of_published_ones():
    published = set(CHINA.frame("2020-01-01", "2026-12-31")["holiday"].dropna())
    estimated = set(CHINA.frame("2028-01-01", "2034-12-31")["holiday"].dropna())
    assert estimated <= published


def test_a_make_up_day_is_a_workday_without_a_holiday_name():
    frame = CHINA.frame("2024-02-04", "2024-02-10").set_index("date")
    assert frame["holiday"].isna()["2024-02-04"]
    assert frame["holiday"]["2024-02-10"] == "Spring Festival"


@pytest.mark.parametrize(
    ("year", "day"),
    # Hong Kong Observatory, Gregorian-Lunar calendar conversion tables
    [(2020, "2020-01-25"), (2023, "2023-01-22"), (2024, "2024-02-10"), (2025, "2025-01-29"), (2026, "2026-02-17"),
     (2027, "2027-02-06"), (2028, "2028-01-26"), (2033, "2033-01-31"), (2100, "2100-02-09")],
)  # fmt: skip
def test_spring_festival_is_the_first_day_of_the_lunar_year(year, day):
    assert CHINA.lunar_new_year_date(year) == date.fromisoformat(day)


def test_spring_festival_is_unknown_beyond_the_lunar_tables_and_where_it_does_not_matter():
    assert CHINA.lunar_new_year_date(2101) is None
    assert Calendar("US", lunar_new_year=False).lunar_new_year_date(2026) is None
    assert Calendar("US", lunar_new_year=False).frame("2026-02-01", "2026-02-02")["days_to_festival"].isna().all()


def test_days_to_festival_count_down_and_on():
    frame = CHINA.frame("2026-01-01", "2026-12-31").set_index("date")["days_to_festival"]
    assert frame["2026-02-07"] == 10
    assert frame["2026-02-17"] == 0
    assert frame["2026-02-20"] == -3
    assert frame["2026-12-31"] == 37  # towards 2027-02-06


def test_other_countries_have_their_own_holidays_and_weekends():
    america, arabia = Calendar("US"), Calendar("SA")
    assert not works("2026-07-03", america)  # Independence Day observed
    assert not works("2026-06-05", arabia)  # a Friday
    assert works("2026-06-07", arabia)  # a Sunday
    assert america.estimated_years("2020-01-01", "2030-12-31") == ()


def test_an_unknown_country_is_refused_with_the_nearest_code():
    with pytest.raises(BadValue, match="Did you mean 'US'"):
        Calendar("USA")


@pytest.mark.parametrize("month", [0, 13])
def test_a_fiscal_year_starts_in_one_of_twelve_months(month):
    with pytest.raises(BadValue, match="1 to 12"):
        Calendar(first_month=month)


def test_a_calendar_comes_from_settings():
    settings = parse_settings(
        {"fiscal": {"year_start_month": 4}, "calendar": {"country": "IN", "lunar_new_year": False}}
    )
    assert Calendar.of(settings) == Calendar("IN", 4, False)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-10-31", "2026-10-31", "2026-10-31"),
        ("2026-W47", "2026-11-16", "2026-11-22"),
        ("2026-W53", "2026-12-28", "2027-01-03"),
        ("2026-W01", "2025-12-29", "2026-01-04"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-Q4", "2026-10-01", "2026-12-31"),
        ("2026", "2026-01-01", "2026-12-31"),
        (" 2026q4 ", "2026-10-01", "2026-12-31"),
        ("2026-05-ytd", "2026-01-01", "2026-05-31"),
        ("2026-05-rolling12", "2025-06-01", "2026-05-31"),
    ],
)
def test_periods_are_read(text, start, end):
    period = CHINA.parse(text)
    assert (str(period.start), str(period.end)) == (start, end)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2027", "2026-04-01", "2027-03-31"),
        ("2027-Q1", "2026-04-01", "2026-06-30"),
        ("2027-Q4", "2027-01-01", "2027-03-31"),
        ("2026-04", "2026-04-01", "2026-04-30"),  # months are those of the wall calendar
    ],
)
def test_a_fiscal_year_from_april_is_named_after_the_year_it_ends_in(text, start, end):
    period = APRIL.parse(text)
    assert (str(period.start), str(period.end)) == (start, end)


@pytest.mark.parametrize(
    "text",
    ["2026-13", "2026-02-30", "2025-W53", "2026-W00", "2026-Q5", "26-10", "October", "", "0000", "9999", "2026/10",
     "2026-10-rolling0", "x-ytd"],
)  # fmt: skip
def test_what_is_no_period_is_refused_with_examples(text):
    with pytest.raises(BadValue):
        CHINA.parse(text)


@given(
    day=st.dates(date(1995, 1, 1), date(2099, 12, 31)),
    grain=st.sampled_from(["day", "week", "month", "quarter", "year"]),
    first_month=st.integers(1, 12),
)
def test_a_period_contains_its_day_reads_back_and_touches_its_neighbours(day, grain, first_month):
    calendar = Calendar(first_month=first_month)
    period = calendar.period(day, grain)
    assert day in period
    assert calendar.parse(period.id) == period
    assert (period.start - calendar.previous(period).end).days == 1
    assert calendar.shift(calendar.shift(period, 5), -5) == period


@pytest.mark.parametrize(
    ("text", "previous", "last_year"),
    [
        ("2026-01", "2025-12", "2025-01"),
        ("2026-Q1", "2025-Q4", "2025-Q1"),
        ("2026", "2025", "2025"),
        ("2027-W01", "2026-W53", "2026-W01"),
        ("2026-W53", "2026-W52", "2025-W52"),
        ("2024-02-29", "2024-02-28", "2023-02-28"),
        ("2026-03-01", "2026-02-28", "2025-03-01"),
        ("2026-10-ytd", "2026-09-ytd", "2025-10-ytd"),
        ("2024-02-rolling12", "2024-01-rolling12", "2023-02-rolling12"),
    ],
)
def test_comparison_periods(text, previous, last_year):
    period = CHINA.parse(text)
    assert CHINA.previous(period).id == previous
    assert CHINA.last_year(period).id == last_year


def test_year_to_date_starts_with_the_fiscal_year():
    assert str(APRIL.year_to_date(APRIL.parse("2027-03")).start) == "2026-04-01"
    assert str(APRIL.year_to_date(APRIL.parse("2026-04")).start) == "2026-04-01"


def test_rolling_months_end_with_the_period_whatever_its_grain():
    week = CHINA.rolling(CHINA.parse("2026-W46"))
    assert (str(week.start), str(week.end)) == ("2025-11-16", "2026-11-15")
    assert str(CHINA.rolling(CHINA.parse("2024-02"), months=3).start) == "2023-12-01"


def test_periods_cover_a_span():
    weeks = CHINA.periods("2026-12-20", "2027-01-05", "week")
    assert [each.id for each in weeks] == ["2026-W51", "2026-W52", "2026-W53", "2027-W01"]
    assert [each.id for each in APRIL.periods("2026-03-31", "2026-04-01", "year")] == ["2026", "2027"]
    assert CHINA.periods("2026-02-01", "2026-01-01", "month") == []


def test_the_frame_names_the_periods_of_each_day():
    day = APRIL.frame("2026-12-31", "2027-01-01").iloc[1]
    assert (day["week"], day["month"], day["quarter"], day["year"]) == ("2026-W53", "2027-01", "2027-Q4", "2027")
    assert [str(day[f"{grain}_start"].date()) for grain in ("week", "month", "quarter", "year")] == [
        "2026-12-28", "2027-01-01", "2027-01-01", "2026-04-01",
    ]  # fmt: skip


def test_the_frame_of_no_days_is_empty_with_the_same_columns():
    empty = CHINA.frame("2026-01-02", "2026-01-01")
    assert empty.empty
    assert empty.dtypes.equals(CHINA.frame("2026-01-01", "2026-01-01").dtypes)


def test_a_changed_frame_does_not_change_the_next_one():
    frame = CHINA.frame("2026-01-01", "2026-01-05")
    frame["workday"] = True
    assert not CHINA.frame("2026-01-01", "2026-01-05")["workday"].all()


def test_ten_years_of_days_are_quick():
    CHINA.frame("2026-01-01", "2026-01-01")  # the libraries are imported
    start = time.perf_counter()
    frame = Calendar(first_month=2).frame("2014-01-01", "2023-12-31")
    assert len(frame) == 3652
    assert time.perf_counter() - start < 0.3


def test_same_progress_matches_workdays_not_dates():
    november, october = CHINA.parse("2026-11"), CHINA.parse("2026-10")
    # by Friday 6 November 5 workdays have passed; October's fifth is Tuesday the 13th: 8, 9, 10 (make-up), 12, 13
    assert str(CHINA.same_progress(november, "2026-11-06", october)) == "2026-10-13"


def test_same_progress_gives_a_weekend_where_the_base_has_one():
    november, last_year = CHINA.parse("2026-11"), CHINA.parse("2025-11")
    # Sunday 15 November 2026: 10 workdays and a weekend; the 10th of November 2025 is Friday the 14th
    assert str(CHINA.same_progress(november, "2026-11-15", last_year)) == "2025-11-16"
    assert str(CHINA.same_progress(november, "2026-11-14", last_year)) == "2025-11-15"
    assert str(CHINA.same_progress(november, "2026-11-13", last_year)) == "2025-11-14"


def test_same_progress_ends_with_the_base():
    november, october = CHINA.parse("2026-11"), CHINA.parse("2026-10")
    assert CHINA.same_progress(november, "2026-12-15", october) == october.end  # the period is over
    assert CHINA.same_progress(november, "2026-11-27", october) == october.end  # 20 workdays; October has 18
    with pytest.raises(BadValue, match="before the period"):
        CHINA.same_progress(november, "2026-10-31", october)


@pytest.mark.parametrize(
    "value",
    ["2026-10-31", date(2026, 10, 31), datetime(2026, 10, 31, 23, 59), pd.Timestamp("2026-10-31 08:00"),
     np.datetime64("2026-10-31"), "2026-10-31T08:00:00"],
)  # fmt: skip
def test_days_are_accepted_in_many_forms(value):
    assert as_day(value) == date(2026, 10, 31)
    assert value in Period("month", date(2026, 10, 1), date(2026, 10, 31), "2026-10")


@pytest.mark.parametrize("value", ["2026", "31.10.2026", None, pd.NaT])
def test_what_is_no_day_is_refused(value):
    with pytest.raises(BadValue, match="2026-10-31"):
        as_day(value)
