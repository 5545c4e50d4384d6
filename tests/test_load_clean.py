import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesforecast import engine
from salesforecast.engine import literal
from salesforecast.errors import AmbiguousMapping, BadInput
from salesforecast.load import clean


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with engine.connect(tmp_path_factory.mktemp("clean") / "s.duckdb", write=True) as opened:
        yield opened


def column(store, values):
    rows = ", ".join(f"({literal(value)})" for value in values)
    store.execute(f"CREATE OR REPLACE TEMP TABLE cells AS SELECT * FROM (VALUES {rows}) AS t(c0)")


def read(store, values, kind="money", **options):
    column(store, values)
    return [row[0] for row in store.rows(f"SELECT {clean.number('c0', kind, **options)} FROM cells")]


def dates(store, values, **options):
    column(store, values)
    found = clean.profile_dates(store, "cells", "c0", label="column c0", **options)
    result = [row[0] for row in store.rows(f"SELECT {clean.date('c0', found)} FROM cells")]
    return [value and (value.date() if value.time() == dt.time() else value) for value in result]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("¥1,234.50", "1234.5"), ("￥12", "12"), ("$ 5", "5"), ("１２３．５", "123.5"), ("1.2万", "12000"),
        ("3.5亿", "350000000"), ("(1,234)", "-1234"), ("-5", "-5"), ("12-", "-12"), ("1,23,456.00", "123456"),
        ("1234元", "1234"), ("RMB 7", "7"), ("1e3", "1000"), (" 8 ", "8"), ("-¥3", "-3"), ("(1.5万)", "-15000"),
        ("HK$ 7.5", "7.5"), ("US$1,234.50", "1234.5"), ("(€5)", "-5"), ("1\u202f234.50", "1234.5"), ("−5", "-5"),
        ("1'234.50", "1234.5"), ("3w", "30000"), ("3.2k", "3200"), ("1.5M", "1500000"), ("2 million", "2000000"),
        ("1.2bn", "1200000000"), ("1.5千万", "15000000"), ("2万元", "20000"), ("1,234.5-", "-1234.5"), ("+8", "8"),
    ],
)  # fmt: skip
def test_amounts_are_read_as_people_write_them(store, text, value):
    assert read(store, [text]) == [Decimal(value)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "--",
        "—",
        "待定",
        "1,2",
        "1.2.3",
        "12.5%",
        "inf",
        "nan",
        "1e308",
        "=1+1",
        "0x10",
        "无",
        "NaN",
        "#REF!",
        "壹万",
        "1.21143E+15",
        "5 6 7箱",
        "-1e400",
        "∞",
    ],
)
def test_what_is_no_amount_is_empty(store, text):
    assert read(store, [text]) == [None]


def test_percent_is_a_fraction_in_columns_that_are_not_money(store):
    assert read(store, ["12.5%", "１０％", "0.3"], "number") == [0.125, 0.1, 0.3]


def test_decimal_commas_hold_for_a_column_that_only_they_explain(store):
    column(store, ["1.234,56", "7,5", "1.000"])
    found = clean.profile_numbers(store, "cells", {"amount": ("c0", "money")})["amount"]
    assert found.european
    assert read(store, ["1.234,56", "7,5", "1.000"], european=True) == [
        Decimal("1234.56"),
        Decimal("7.5"),
        Decimal(1000),
    ]


def test_thousands_with_points_elsewhere_are_not_european(store):
    column(store, ["1,234", "7.25"])
    assert not clean.profile_numbers(store, "cells", {"amount": ("c0", "money")})["amount"].european


@given(cents=st.integers(-(10**12), 10**12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_way_to_write_an_amount_gives_the_amount(store, cents):
    value = Decimal(cents) / 100
    plain, grouped = f"{value:.2f}", f"{abs(value):,.2f}"
    signed = [f"({grouped})", f"{grouped}-", f"-￥{grouped}"] if value < 0 else [grouped, f"¥{grouped}", f"{grouped}元"]
    assert set(read(store, [plain, *signed])) == {value}


@given(day=st.dates(dt.date(1990, 1, 1), dt.date(2068, 12, 31)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_year_first_way_to_write_a_day_gives_the_day(store, day):
    written = [
        day.isoformat(), f"{day:%Y/%m/%d}", f"{day.year}/{day.month}/{day.day}",
        f"{day.year}年{day.month}月{day.day}日",
        f"{day:%Y.%m.%d}", f"{day:%Y%m%d}", f"{day.isoformat()} 00:00:00", str((day - dt.date(1899, 12, 30)).days),
    ]  # fmt: skip
    assert set(dates(store, written)) == {day}


@given(days=st.lists(st.dates(dt.date(1990, 1, 1), dt.date(2060, 12, 31)), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_day_or_month_first_is_never_guessed(store, days):
    for form in ("%d/%m/%Y", "%m/%d/%Y"):
        if any(day.day > 12 for day in days):
            assert dates(store, [f"{day:{form}}" for day in days]) == days
        else:
            with pytest.raises(AmbiguousMapping, match="date_format"):
                dates(store, [f"{day:{form}}" for day in days])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["13-01-2026", "01-02-2026"], [dt.date(2026, 1, 13), dt.date(2026, 2, 1)]),
        (["1/13/2026 9:05", "2/1/2026 14:00"], [dt.datetime(2026, 1, 13, 9, 5), dt.datetime(2026, 2, 1, 14)]),
        (["21/01/19", "03/02/20"], [dt.date(2019, 1, 21), dt.date(2020, 2, 3)]),
        (["31/12/69", "31/12/68"], [dt.date(1969, 12, 31), dt.date(2068, 12, 31)]),
        (["05.01.2026"], [dt.date(2026, 1, 5)]),
        (["5-Jan-26", "17-Feb-26"], [dt.date(2026, 1, 5), dt.date(2026, 2, 17)]),
        (["Jan 5, 2026"], [dt.date(2026, 1, 5)]),
        (["1/13/2026 9:05 PM"], [dt.datetime(2026, 1, 13, 21, 5)]),
        (["2026-01-05T16:30:00Z"], [dt.datetime(2026, 1, 5, 16, 30)]),
        (["2026-01-05T08:00:00+08:00"], [dt.date(2026, 1, 5)]),
        (["2026-02-30", "2026-02-28"], [None, dt.date(2026, 2, 28)]),
        (["2026/2/30"], [None]),
        (["45292"], [dt.date(2024, 1, 1)]),
        (["45292.604166667", "45293"], [dt.datetime(2024, 1, 1, 14, 30), dt.date(2024, 1, 2)]),
        (["1767571200", "1767606300"], [dt.date(2026, 1, 5), dt.datetime(2026, 1, 5, 9, 45)]),
        (["1767571200000"], [dt.date(2026, 1, 5)]),
        (["2026年1月5日9时30分"], [dt.datetime(2026, 1, 5, 9, 30)]),
        (
            ["2026-01-05 08:00:00+08", "2026-01-05 08:00:00-03:30"],
            [dt.date(2026, 1, 5), dt.datetime(2026, 1, 5, 11, 30)],
        ),
        (["2026-01-05", "infinity", "epoch"], [dt.date(2026, 1, 5), None, None]),
        (["无", "#N/A", "2026/1/5"], [None, None, dt.date(2026, 1, 5)]),
        (["２０２６－０１－０５"], [dt.date(2026, 1, 5)]),
    ],
)
def test_dates_are_read_as_the_column_writes_them(store, values, expected):
    assert dates(store, values) == expected


def test_a_column_that_mixes_day_first_and_month_first_is_refused(store):
    with pytest.raises(BadInput, match="mixes"):
        dates(store, ["13/01/2026", "01/13/2026"])


def test_date_format_settles_an_ambiguous_column(store):
    assert dates(store, ["01/02/2026"], order="dmy") == [dt.date(2026, 2, 1)]
    assert dates(store, ["01/02/2026"], order="mdy") == [dt.date(2026, 1, 2)]
    assert dates(store, ["01/02/2026"], order="%m/%d/%Y") == [dt.date(2026, 1, 2)]


@pytest.mark.parametrize("text", ["Apr-18", "2018-04", "2018年4月", "201804", "April 2018"])
def test_a_month_is_its_first_day_and_never_a_day_of_it(store, text):
    assert dates(store, [text], period=True) == [dt.date(2018, 4, 1)]


def test_flags_and_codes(store):
    column(store, ["是", "否", "Y", "0", "也许", ""])
    assert [row[0] for row in store.rows(f"SELECT {clean.flag('c0')} FROM cells")] == [
        True,
        False,
        True,
        False,
        None,
        None,
    ]
    column(store, ["赢单", " Won ", "Closed Won", "?"])
    codes = {"赢单": "won", "won": "won", "closedwon": "won"}
    assert [row[0] for row in store.rows(f"SELECT {clean.code('c0', codes)} FROM cells")] == ["won", "won", "won", None]


def test_ids_keep_their_zeros_and_blanks_are_null(store):
    column(store, [" 007 ", "\u3000", "--", "1234567890123456789"])
    assert [row[0] for row in store.rows(f"SELECT {clean.text('c0')} FROM cells")] == [
        "007",
        None,
        None,
        "1234567890123456789",
    ]


@pytest.mark.parametrize("word", clean.BLANKS)
def test_a_word_for_nothing_is_nothing(store, word):
    column(store, [word, f" {word}\t"])
    assert store.rows(f"SELECT {clean.text('c0')}, {clean.filled('c0')} FROM cells") == [(None, False)] * 2
    assert store.rows(f"SELECT {clean.text('c0', tidy=True)} FROM cells LIMIT 1") == [(None,)]


@given(word=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=10))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_other_text_stays_as_it_is(store, word):
    bare = word.strip(clean.SPACES)
    column(store, [word])
    assert store.rows(f"SELECT {clean.text('c0')} FROM cells") == [(None if bare in clean.BLANKS else bare,)]


@given(word=st.text(max_size=12))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_a_reader(store, word):
    column(store, [word.replace("\0", "")])
    for sql in (clean.number("c0", "money"), clean.number("c0", "integer"), clean.number("c0", european=True),
                clean.flag("c0"), clean.damaged("c0"), clean.quarter_start("c0")):  # fmt: skip
        assert len(store.rows(f"SELECT {sql} FROM cells")) == 1
    try:
        dates(store, [word.replace("\0", "")], period=True)
    except BadInput as error:
        assert "\n" not in str(error)


@given(
    at=st.datetimes(dt.datetime(2001, 9, 10), dt.datetime(2099, 12, 31)).map(lambda each: each.replace(microsecond=0))
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_moment_since_1970_is_read_from_seconds_and_milliseconds(store, at):
    seconds = int(at.replace(tzinfo=dt.UTC).timestamp())
    wanted = at.date() if at.time() == dt.time() else at
    assert dates(store, [str(seconds)]) == dates(store, [str(seconds * 1000)]) == [wanted]


def test_ids_that_a_spreadsheet_has_damaged_are_found(store):
    column(store, ["1.21143E+15", "1e+18", "1.2345678901234568e+18", "E+1", "A+B", "1211430000000000", "+86 21"])
    assert [row[0] for row in store.rows(f"SELECT {clean.damaged('c0')} FROM cells")] == [True] * 3 + [False] * 4


def test_the_years_1_and_9999_mean_nothing_where_a_date_may_be_missing(store):
    column(store, ["0001-01-01", "9999-12-31", "2026-01-05"])
    found = clean.profile_dates(store, "cells", "c0", label="column c0")
    sql = clean.without_placeholders(clean.date("c0", found))
    assert [row[0] for row in store.rows(f"SELECT {sql} FROM cells")] == [None, None, dt.datetime(2026, 1, 5)]
