"""Each kind of chart: IBCS signs, words, hostile text, odd frames, and the same bytes every time."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from salesforecast.errors import BadValue, UnknownName
from salesforecast.present import svg
from salesforecast.present.charts import (
    HATCH,
    KINDS,
    Style,
    normalise,
    notable,
    readable,
    round_ticks,
    tick_labels,
    time_axis,
)  # fmt: skip
from salesforecast.present.drawings import bullet, spark
from salesforecast.present.figures import find_kind, tell
from salesforecast.present.words import Words

ZH = Style(Words("zh"))
NARROW = Style(Words("en", factor=1_000), width=340)
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&{value:money}"


def months(count, start="2026-01-01"):
    return pd.date_range(start, periods=count, freq="MS")


def frames(count=4):
    """One frame for each kind of chart, `count` rows long."""
    days, up = months(count), np.linspace(2e6, 4e6, count)
    half = np.where(np.arange(count) < max(count // 2, 1), up, np.nan)
    rest = np.where(np.isnan(half), up, np.nan)
    return {
        "columns": pd.DataFrame({
            "period_start": days, "actual": half, "last_year": up * 0.9, "target": up * 1.1,
            "forecast": rest, "lo_80": rest * 0.8, "hi_80": rest * 1.2, "event": ["春节"] + [None] * (count - 1),
        }),
        "trend": pd.DataFrame({
            "period_start": days, "value": up, "trend": up, "expected": up, "lo": up * 0.9, "hi": up * 1.1,
            "anomaly": [True] + [False] * (count - 1),
        }),
        "bars": pd.DataFrame({"region": [f"区{each}" for each in range(count)], "value": up, "last_year": up * 1.1}),
        "attainment": pd.DataFrame({
            "scope_id": [f"区{each}" for each in range(count)], "actual": up, "target": up * 1.2,
            "attainment": 1 / 1.2, "time_progress": 0.9,
        }),
        "pacing": pd.DataFrame({
            "date": pd.date_range("2026-10-01", periods=count), "actual": half, "target": up, "last_year": up * 0.8,
        }),
        "forecast": pd.DataFrame({
            "period_start": days, "actual": half, "forecast": rest, "lo_80": rest * 0.9, "hi_80": rest * 1.1,
            "lo_95": rest * 0.8, "hi_95": rest * 1.2, "target": up,
        }),
        "accuracy": pd.DataFrame({"model": [f"m{each}" for each in range(count)], "wape": up / 2e7}),
        "said": pd.DataFrame({
            "period_start": days, "actual": up, "forecast": up * 1.3, "lo_80": up * 1.1, "hi_80": up * 1.5,
        }),
        "bars_ahead": pd.DataFrame({
            "region": [f"区{each}" for each in range(count)], "forecast": up, "lo_80": up * 0.9, "hi_80": up * 1.1,
            "last_year": up * 0.95,
        }),
        "weights": pd.DataFrame({"model": [f"m{each}" for each in range(count)], "weight": up / up.sum()}),
        "fva": pd.DataFrame({
            "step": (["naive", "model", "rep", "manager"] * 8)[:count], "wape": up / 2e7,
            "fva": [np.nan, *[0.02] * (count - 1)], "verdict": [None, *["adds"] * (count - 1)],
        }),
        "stl": pd.DataFrame({"period_start": days, "trend": up, "seasonal": up * 0.1, "remainder": -up * 0.05}),
    }  # fmt: skip


def spec_of(name, frame, style=ZH, validate=False):
    chart = find_kind(name)
    return chart.draw(normalise(chart, frame), style).to_dict(validate=validate)


def svg_of(name, frame, style=ZH):
    return svg.render(spec_of(name, frame, style), "alt")


def test_every_kind_has_a_frame_here():
    find_kind("columns")
    assert set(frames()) == set(KINDS)


@pytest.mark.parametrize("name", sorted(frames()))
@pytest.mark.parametrize("style", [ZH, NARROW], ids=["wide", "narrow"])
def test_each_kind_is_a_valid_specification_of_the_given_width(name, style):
    spec = spec_of(name, frames()[name], style, validate=True)
    root = ElementTree.fromstring(svg.render(spec, "alt"))
    assert abs(float(root.get("width")) - style.width) <= 30


@pytest.mark.parametrize("name", sorted(frames()))
def test_each_kind_draws_one_row_and_says_it(name):
    frame = frames(1)[name]
    assert "<path" in svg_of(name, frame)
    assert tell(find_kind(name), normalise(find_kind(name), frame), ZH, "销售额")


@pytest.mark.parametrize("name", sorted(frames()))
@pytest.mark.parametrize("change", ["unknown", "negative", "zero", "huge"])
def test_each_kind_draws_unknown_negative_zero_and_huge_values(name, change):
    frame = frames(5)[name]
    numbers = frame.select_dtypes("number").columns
    factor = {"unknown": np.nan, "negative": -1.0, "zero": 0.0, "huge": 1e9}[change]
    frame[numbers] = frame[numbers] * factor
    assert svg_of(name, frame, NARROW).startswith("<svg")
    assert tell(find_kind(name), normalise(find_kind(name), frame), NARROW, "Sales")


def test_actual_is_solid_target_outlined_forecast_hatched_and_the_interval_pale():
    drawing = svg_of("columns", frames()["columns"])
    pattern = re.search(r'<pattern id="([^"]+)"', drawing)[1]
    assert drawing.count(f'fill="url(#{pattern})"') == 2  # two forecast periods
    assert HATCH not in drawing
    assert len(re.findall(r'fill="none" stroke="#404040" stroke-width="1.2"', drawing)) == 4  # four targets
    assert 'fill="#404040"' in drawing and 'fill="#d6e2ee"' in drawing and ">80%<" in drawing


def test_a_period_in_progress_is_solid_as_far_as_it_got_and_hatched_to_its_end():
    frame = pd.DataFrame({
        "period_start": months(2), "actual": [3e6, 1e6], "forecast": [np.nan, 2.5e6], "partial": [False, True],
    })  # fmt: skip
    rows = next(iter(spec_of("columns", frame)["datasets"].values()))
    assert [(row["solid"], row["hatched"], row["from"]) for row in rows] == [(300, None, 0), (100, 250, 100)]
    rows = next(iter(spec_of("columns", frame.drop(columns="forecast"))["datasets"].values()))
    assert [(row["solid"], row["hatched"]) for row in rows] == [(300, None), (None, 100)]


def test_a_forecast_stands_hatched_beside_its_outcome_and_a_miss_of_the_interval_is_ringed():
    frame = pd.DataFrame({
        "period_start": months(2), "actual": [1e6, 1.6e6], "forecast": [1.1e6, 1.1e6], "lo_80": 0.9e6, "hi_80": 1.3e6,
    })  # fmt: skip
    drawing = svg_of("said", frame)
    assert len(re.findall(r'fill="url\(#[^"]+\)"', drawing)) == 2 and drawing.count('fill="#d6e2ee"') == 2
    assert ">+10%<" in drawing and ">−31%<" in drawing
    assert len(re.findall(r'A10[^"]*" stroke="#404040"', drawing)) == 1
    said = tell(find_kind("said"), frame, ZH, "销售额")
    assert said[0] == "可对照的 2 期中，1 期的实际落在当时说的 80% 区间内。"


def test_a_stair_goes_down_by_what_each_step_gains_and_chance_is_grey():
    frame = pd.DataFrame({
        "step": ["naive", "model", "manager"], "wape": [0.2, 0.12, 0.13], "fva": [np.nan, 0.08, -0.01],
        "verdict": [None, "adds", "even"],
    })  # fmt: skip
    drawing = svg_of("fva", frame)
    assert ">▼ 8.0<" in drawing and ">▲ 1.0<" in drawing and ">照抄去年<" in drawing
    assert f'fill="{ZH.good}"' in drawing and f'fill="{ZH.bad}"' not in drawing
    assert "模型比上一步少错 8.0 个百分点。" in tell(find_kind("fva"), frame, ZH, "")


def test_red_up_swaps_the_colours_and_less_can_be_better():
    assert (ZH.colour(0.1), ZH.colour(-0.1)) == (ZH.good, ZH.bad)
    red = Style(Words("zh"), red_up=True)
    assert (red.colour(0.1), red.colour(-0.1)) == (ZH.bad, ZH.good)
    assert Style(Words("zh"), higher_is_better=False).colour(0.1) == ZH.bad


def test_bars_are_sorted_the_total_is_not_a_bar_and_the_rest_is_counted():
    frame = pd.DataFrame({"region": [f"r{each}" for each in range(40)] + ["*"], "value": [*range(40), 780]})
    drawing = svg_of("bars", frame, Style(Words("en", factor=1)))
    assert re.findall(r">(r\d+)<", drawing)[:15] == [f"r{each}" for each in range(39, 24, -1)]
    assert "and 25 more" in drawing
    said = tell(find_kind("bars"), frame, Style(Words("en", factor=1)), "Sales")
    assert said[0] == "Largest of 40: r39 with CNY 39." and said[-1] == "25 more are not drawn."


@pytest.mark.parametrize("name", ["bars", "attainment", "accuracy"])
def test_hostile_member_names_stay_text(name):
    frame = frames(2)[name]
    column = {"bars": "region", "attainment": "scope_id", "accuracy": "model"}[name]
    frame[column] = [HOSTILE, "javascript:alert(1)"]
    drawing = svg.render(spec_of(name, frame), HOSTILE)
    root = ElementTree.fromstring(drawing)
    assert {each.tag.rpartition("}")[2] for each in root.iter()} <= {
        "svg", "title", "g", "path", "line", "text", "tspan", "rect", "defs", "pattern", "clipPath", "circle",
    }  # fmt: skip
    assert "<script" not in drawing and "<img" not in drawing
    assert root.find("{*}title").text == HOSTILE


@pytest.mark.parametrize("name", sorted(frames()))
def test_a_drawing_has_no_style_handler_reference_or_machine_text(name):
    drawing = svg_of(name, frames(6)[name])
    assert not re.search(r'\sstyle=|\son\w+=|href|font-family="[^"]*"[^>]*<g font-family|foreignObject|data:', drawing)
    assert 'role="img"' in drawing and "<title>alt</title>" in drawing and 'data-tip="' in drawing
    assert "tip:" not in drawing and "aria-label" not in drawing


def test_the_same_chart_gives_the_same_bytes_whatever_was_drawn_before():
    frame = frames()["columns"]
    first = svg_of("columns", frame)
    svg_of("stl", frames()["stl"])
    assert svg_of("columns", frame.copy()) == first


def test_ids_differ_between_charts():
    one, two = (svg_of(name, frames()[name]) for name in ("columns", "forecast"))
    ids = [set(re.findall(r'id="([^"]+)"', each)) for each in (one, two)]
    assert ids[0] and not ids[0] & ids[1]
    assert set(re.findall(r"url\(#([^)]+)\)", one)) <= ids[0]


def test_ids_that_depend_on_the_history_of_the_process_are_made_ordinal():
    drawn = (
        '<svg xmlns="http://www.w3.org/2000/svg"><defs><clipPath id="clip{0}"><rect width="1"/></clipPath></defs>'
        '<g clip-path="url(#clip{0})"><path d="M0,0.123456"/></g></svg>'
    )
    assert svg.clean(drawn.format(7), "a", "p") == svg.clean(drawn.format(41), "a", "p")
    assert 'clip-path="url(#p-0)"' in svg.clean(drawn.format(7), "a", "p")


def test_missing_columns_and_empty_frames_say_what_is_needed():
    with pytest.raises(BadValue, match="needs the columns period_start, actual; missing: actual"):
        normalise(find_kind("columns"), pd.DataFrame({"period_start": months(1)}))
    with pytest.raises(BadValue, match="at least one row"):
        normalise(find_kind("bars"), pd.DataFrame({"region": [], "value": []}))
    with pytest.raises(UnknownName, match="Did you mean 'trend'"):
        find_kind("trends")


def test_panels_forecasts_and_series_are_understood_by_their_own_column_names():
    panel = pd.DataFrame({"ds": months(2), "y": [1.0, np.nan], "mean": [np.nan, 2.0]})
    assert list(normalise(find_kind("forecast"), panel)) == ["period_start", "actual", "forecast"]
    series = pd.DataFrame({"period_start": months(2), "value": [1.0, 2.0], "complete": [True, False]})
    assert normalise(find_kind("columns"), series)["partial"].tolist() == [False, True]


def test_a_phone_shows_fewer_ticks_and_january_is_among_them():
    days = months(18, "2025-11-01")
    assert len(tick_labels(days, ZH)) == 18
    narrow = tick_labels(days, NARROW)
    assert list(narrow) == ["2026-01-01", "2026-04-01", "2026-07-01", "2026-10-01", "2027-01-01", "2027-04-01"]
    assert narrow["2027-01-01"] == ["Jan", "2027"]


def test_a_year_of_days_has_ticks_at_the_months():
    days = pd.date_range("2026-01-01", "2026-12-31")
    ticks = tick_labels(days, Style(Words("zh"), grain="day"))
    assert len(ticks) == 12 and list(ticks)[1] == "2026-02-01"


def test_no_data_text_enters_an_expression():
    axis = time_axis([HOSTILE[:10], "2026-01-01"][1:], ZH).to_dict()
    assert axis["axis"]["labelExpr"].startswith('({"2026-01-01"')


def test_round_ticks_and_notable_labels():
    assert round_ticks(-120, 260) == [-100.0, 0.0, 100.0, 200.0]
    assert notable([5, np.nan, 1, 9, 2], step=30, need=30) == [True, False, True, True, True]


def test_a_sparkline_leaves_gaps_and_a_bullet_is_cut_at_150_percent():
    drawing = spark([1.0, None, 3.0, 2.0], HOSTILE)
    assert drawing.count("M") == 2 and "<script" not in drawing
    assert "circle" not in spark([None], "none")
    widths = [float(each) for each in re.findall(r'width="([\d.]+)"', bullet(9.0))]
    assert max(widths) <= 64


def test_a_year_of_days_is_read_by_the_week_and_on_its_as_of_day():
    days = pd.date_range("2026-01-01", "2026-12-31")
    actual = np.where(days <= "2026-10-30", np.arange(365) * 1e5, np.nan)
    year = pd.DataFrame({"date": days, "actual": actual, "target": np.arange(365) * 1.1e5})
    read = readable(year)["date"].dt.strftime("%m-%d").tolist()
    assert read[:2] == ["01-04", "01-11"] and "10-30" in read and read[-1] == "12-31" and len(read) == 54
    drawing = svg_of("pacing", year)
    assert drawing.count("data-tip=") == 54  # 52 Sundays, the as-of day, the last day
    assert drawing.count("L") > 3 * 300  # the lines keep every day
    assert len(readable(year.head(92))) == 92


def test_coordinates_have_at_most_one_decimal():
    drawing = svg_of("trend", frames(30)["trend"])
    placed = re.findall(r' (?:d|transform|x1|x2|y1|y2|x|y)="([^"]*)"', drawing)
    assert placed and not [each for each in placed if re.search(r"\.\d\d", each)]
