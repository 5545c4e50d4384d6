"""Figures and sentences as a reader of either language expects them; label files as a whole."""

import tomllib
from datetime import date
from string import Formatter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforecast.errors import BadValue, UnknownName
from salesforecast.present import labels
from salesforecast.present.words import DASH, FORMATS, MINUS, Words
from salesforecast.schema import TABLES
from salesforecast.settings import parse_settings

ZH, EN = Words("zh"), Words("en", factor=1_000)
ENTRIES = [
    (path.name, name, entry)
    for path in sorted(labels.FOLDER.glob("*.toml"))
    for name, entry in labels._flatten(tomllib.loads(path.read_text(encoding="utf-8")))
]


def fields(template):
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_every_label_has_both_languages_with_the_same_fields():
    for file, name, entry in ENTRIES:
        assert entry.get("zh") and entry.get("en"), f"{file} [{name}]"
        if not name.startswith("word.to_date"):
            assert fields(entry["zh"]) == fields(entry["en"]), f"{file} [{name}]"


def test_no_label_is_given_twice():
    names = [name for _, name, _ in ENTRIES]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_every_format_in_a_label_exists():
    for file, name, entry in ENTRIES:
        for language in ("zh", "en"):
            used = {form for _, field, form, _ in Formatter().parse(entry[language]) if field and form}
            assert used <= set(FORMATS), f"{file} [{name}]"


def test_every_column_has_a_format_that_tables_know():
    from salesforecast.present import tables

    assert {entry["format"] for entry in labels.entries("column").values()} <= set(tables.FORMATS)


def test_an_unknown_label_names_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'attainment'"):
        labels.label("section", "attainmen", "zh")


def test_chinese_labels_have_chinese_punctuation():
    assert labels.full_width("目标 {target:money},达成 (约) 1,234") == "目标 {target:money}，达成 （约） 1,234"


@pytest.mark.parametrize(
    ("value", "zh", "en"),
    [
        (12_340_000, "1,234 万元", "CNY 12.3M"),
        (-12_340_000, f"{MINUS}1,234 万元", f"{MINUS}CNY 12.3M"),
        (123_400_000, "1.23 亿元", "CNY 123M"),
        (856_000, "85.6 万元", "CNY 856K"),
        (16_428, "16,428 元", "CNY 16.4K"),
        (930, "930 元", "CNY 930"),
        (0, "0 元", "CNY 0"),
        (None, "暂无数据", "no data"),
        (float("nan"), "暂无数据", "no data"),
        (pd.NA, "暂无数据", "no data"),
    ],
)
def test_money_in_prose_is_short_and_carries_its_unit(value, zh, en):
    assert (ZH.money(value), EN.money(value)) == (zh, en)


def test_the_unit_of_the_settings_wins():
    words = Words.of(parse_settings({"currency": {"display": "亿元", "decimals": 2}}), "zh", typical=5_000)
    assert (words.money(12_340_000), words.cell(12_340_000), words.unit) == ("0.12 亿元", "0.12", "亿元")


def test_other_currencies_have_their_own_name():
    dollars = parse_settings({"currency": {"base": "USD"}})
    assert Words.of(dollars, "zh").money(12_340_000) == "1,234 万美元"
    assert Words.of(dollars, "en").money(12_340_000) == "USD 12.3M"


@pytest.mark.parametrize(
    ("typical", "zh", "en"),
    [
        (8_000, "元", "CNY"),
        (500_000, "万元", "CNY K"),
        (5e7, "万元", "CNY M"),
        (2e10, "亿元", "CNY M"),
        (None, "万元", "CNY K"),
    ],
)
def test_the_unit_fits_the_size_of_the_company(typical, zh, en):
    settings = parse_settings({})
    assert (Words.of(settings, "zh", typical).unit, Words.of(settings, "en", typical).unit) == (zh, en)


def test_changes_have_signs_and_a_real_minus():
    assert [ZH.change(each) for each in (0.123, -0.123, 0.0, -0.0001)] == ["+12.3%", f"{MINUS}12.3%", "0.0%", "0.0%"]
    assert (ZH.points(-0.05), EN.points(0.032)) == (f"{MINUS}5.0 个百分点", "+3.2 pp")


@pytest.mark.parametrize(
    ("period", "zh", "en"),
    [
        ("2026-10", "2026年10月", "Oct 2026"),
        ("2026-Q4", "2026年四季度", "Q4 2026"),
        ("2026", "2026年", "2026"),
        ("2026-W47", "2026年第47周", "W47 2026"),
        ("2026-10-31", "2026年10月31日", "31 Oct 2026"),
        ("2026-10-ytd", "2026年累计至10月", "2026 to Oct"),
        ("2026-01~02", "2026年1–2月", "Jan–Feb 2026"),
        (None, "暂无数据", "no data"),
    ],
)
def test_periods_have_names(period, zh, en):
    assert (ZH.period(period), EN.period(period)) == (zh, en)


def test_fiscal_quarters_and_years_are_named_after_the_year_they_end_in():
    april = Words("en", first_month=4)
    assert [april.period(date(2026, 4, 1), grain) for grain in ("month", "quarter", "year")] == [
        "Apr 2026", "Q1 FY2027", "FY2027",
    ]  # fmt: skip


def test_a_sentence_without_its_value_is_an_error_but_an_unknown_value_is_a_word():
    with pytest.raises(BadValue, match="needs a value 'yoy'"):
        ZH.sentence("同比 {yoy:pct}", {"value": 1})
    assert ZH.sentence("同比 {yoy:signed_pct}", {"yoy": None}) == "同比 暂无数据"


def test_an_unknown_format_is_an_error():
    with pytest.raises(UnknownName, match="Did you mean 'money'"):
        ZH.sentence("{value:mony}", {"value": 1})


NUMBERS = st.one_of(st.none(), st.floats(), st.integers(-(10**18), 10**18), st.just(pd.NA), st.just(pd.NaT))


@given(value=NUMBERS, words=st.sampled_from([ZH, EN, Words("zh", factor=1), Words("en", "JPY", 1_000_000, 0, True)]))
def test_no_number_breaks_a_format_and_no_hyphen_stands_for_a_minus(value, words):
    for form in ("money", "signed_money", "pct", "signed_pct", "points", "int", "signed_int", "number"):
        text = words.format(value, form)
        assert text and "-" not in text and "nan" not in text.lower()
    assert words.cell(value) == DASH or "-" not in words.cell(value)


@given(text=st.text())
def test_no_text_breaks_a_sentence(text):
    assert ZH.sentence("<{who}>", {"who": text}) == f"<{text or '暂无数据'}>"


def test_every_row_rule_has_words():
    rules = {rule.name for table in TABLES.values() for rule in table.rules}
    rules |= {"unknown_code", "unreadable", "required", "duplicate_key", "ragged"}
    assert [name for name in sorted(rules) if not labels.has_label("rule", name)] == []
