"""What all charts share: the style, the theme, the IBCS marks, the time axis, and the registry of chart kinds.

A chart receives a finished frame and a `Style` and returns an Altair chart; it computes positions and the
difference of two numbers it shows, nothing else. The signs always mean the same: actual solid dark, the year
before solid light, target outlined, forecast hatched, an interval a pale band with its name on it.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from salesforecast.errors import BadValue
from salesforecast.present.labels import label
from salesforecast.present.style import Style
from salesforecast.present.words import digits, missing


@contextmanager
def _without_uri_grammar() -> Iterator[None]:
    """Let altair import without jsonschema's grammar of web addresses: 1.5 s for a check no chart needs."""
    absent = "rfc3987_syntax" not in sys.modules
    if absent:
        sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            del sys.modules["rfc3987_syntax"]


with _without_uri_grammar():
    import altair as alt

FONTS = "PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif"
ACTUAL, LIGHT, BAND, PALE_BAND = "#404040", "#bdbdbd", "#d6e2ee", "#e9f0f7"
HATCH = "#8e8e8f"  # a placeholder: svg.py replaces this fill by a hatch pattern
ACCENT, TEXT, QUIET, RULE = "#0b5cad", "#262626", "#595959", "#e3e3e3"
TIP = "tip:"  # marks whose description starts so keep it, as data-tip
SIZE = 12
HOVER = alt.Description("tip:N")
QUARTER_DAYS = 92
STRIDES = {"month": (1, 2, 3, 6, 12, 24), "quarter": (1, 2, 4, 8), "week": (1, 2, 4, 8, 13, 26, 52)}


Sentences = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Kind:
    """A kind of chart: how it is drawn, what its frame must and may have, and the sentences that tell it.

    `ratio` is the column of a kind that always shows the same ratio, whatever the measure.
    """

    name: str
    draw: Callable[[pd.DataFrame, Style], Any]
    tell: Callable[[pd.DataFrame, Style], Sentences]
    needs: tuple[str, ...]
    shows: tuple[str, ...]
    scenarios: tuple[str, ...] = ()
    ratio: str = ""


KINDS: dict[str, Kind] = {}


def kind(
    name: str,
    tell: Callable[[pd.DataFrame, Style], Sentences],
    needs: Sequence[str],
    shows: Sequence[str] = (),
    scenarios: Sequence[str] = (),
    ratio: str = "",
) -> Callable[[Callable], Callable]:
    """Register the decorated function `(frame, style) -> chart` as a kind of chart.

    `needs` and `shows` are the columns it must and may have, in the order of its data table; `scenarios` are those
    whose sign its title line explains.
    """

    def register(draw: Callable) -> Callable:
        KINDS[name] = Kind(name, draw, tell, tuple(needs), tuple(shows), tuple(scenarios), ratio)
        return draw

    return register


ALIASES = {
    "ds": "period_start", "y": "actual", "mean": "forecast", "expected_lo": "lo", "expected_hi": "hi",
}  # fmt: skip


def normalise(chart: Kind, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame under the column names of the kind, with a plain index.

    `ds, y, mean` of panels and forecasts are `period_start, actual, forecast`; `value` serves as `actual`; a
    `kind` or `complete` column becomes `partial`. Raises `BadValue` naming columns that are missing or a frame
    without rows.
    """
    names = {old: new for old, new in ALIASES.items() if old in frame.columns and new not in frame.columns}
    if "actual" in chart.needs + chart.shows and "value" in frame.columns and "actual" not in frame.columns:
        names["value"] = "actual"
    result = frame.reset_index(drop=True).rename(columns=names)
    if "partial" not in result.columns:
        if "complete" in result.columns:
            result["partial"] = ~result["complete"].astype(bool)
        elif "kind" in result.columns:
            result["partial"] = result["kind"] == "partial"
    absent = [each for each in chart.needs if each not in result.columns]
    if absent:
        raise BadValue(
            f"A {chart.name!r} chart needs the columns {', '.join(chart.needs)}; missing: {', '.join(absent)}."
        )
    if result.empty:
        raise BadValue(f"A {chart.name!r} chart needs at least one row; the frame has none.")
    return result


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that hover marks and data table give: all, or the week ends of more than a quarter of days.

    The last known value of every column stays among them: the as-of day and the end of a target.

    >>> year = pd.DataFrame({"date": pd.date_range("2026-01-01", "2026-12-31"), "actual": 1.0})
    >>> readable(year)["date"].dt.strftime("%m-%d").tolist()[-2:], len(readable(year)), len(readable(year[:92]))
    (['12-27', '12-31'], 53, 92)
    """
    if "date" not in frame.columns or len(frame) <= QUARTER_DAYS:
        return frame
    ends = [frame[name].last_valid_index() for name in frame.columns]
    return frame[(pd.DatetimeIndex(frame["date"]).day_of_week == 6) | frame.index.isin(ends)]


def finish(
    layers: Sequence[Any], style: Style, height: int, padding: dict[str, int] | None = None, shared: str = "x"
) -> Any:
    """Layer the marks over each other, apply the theme, and fit them to the width of the style.

    The `shared` direction is that of time or members; the other one has a scale for each panel.
    """
    sides = {"left": 2, "right": 4, "top": 4, "bottom": 2, **(padding or {})}
    across: dict[str, Any] = {"x": "independent", "y": "independent", shared: "shared"}
    # One call: each method of an Altair chart copies all its layers again.
    return alt.layer(
        *layers,
        width=style.width,
        height=height,
        padding=sides,
        resolve=alt.Resolve(scale=alt.ScaleResolveMap(**across)),
        config=theme(),
    )


def theme() -> Any:
    """Return the theme: system fonts, no frame, no background, thin rules, text of 12 px."""
    quiet: dict[str, Any] = {"labelColor": TEXT, "labelFontSize": SIZE, "titleColor": QUIET, "titleFontSize": SIZE}
    return alt.Config(
        font=FONTS,
        background="transparent",
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        axis=alt.AxisConfig(
            **quiet, domainColor="#8c8c8c", grid=False, ticks=False, titleFontWeight="normal", labelPadding=6
        ),
        view=alt.ViewConfig(stroke=None),
        text=alt.MarkConfig(fontSize=SIZE, color=TEXT, aria=False),
        rule=alt.MarkConfig(color="#8c8c8c", aria=False),
    )


def scale(low: float, high: float, top: float, bottom: float) -> Any:
    """Return the scale of one panel: values low to high on pixel rows bottom to top."""
    return alt.Scale(domain=[low, high], range=[bottom, top], zero=False, nice=False)


def limits(*series: Any, room: float = 0.0) -> tuple[float, float]:
    """Return the lowest and highest value over the given columns, zero included, plus relative room on top."""
    values = [float(each) for one in series for each in one if not missing(each)]
    low, high = min([0.0, *values]), max([0.0, *values])
    if low == high:
        high = low + 1
    span = high - low
    return low - (room * span if low < 0 else 0), high + room * span


def round_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return round values that divide low to high into about `count` steps.

    >>> round_ticks(0, 1730)
    [0.0, 500.0, 1000.0, 1500.0]
    """
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(each * step, 10) for each in range(first, math.floor(high / step + 1e-9) + 1)]


def value_axis(low: float, high: float, style: Style, title: str = "") -> Any:
    """Return a value axis with light grid lines; its title lies on top, because rotated Chinese is hard to read."""
    ticks = round_ticks(low, high)
    whole = all(float(each).is_integer() for each in ticks)
    return alt.Axis(
        values=ticks,
        format=",.0f" if whole else ",.1f" if all(float(10 * each).is_integer() for each in ticks) else ",.2f",
        grid=True, gridColor=RULE, domain=False, title=title or None,
        titleAngle=0, titleAlign="left", titleAnchor="end", titleY=-6, titleX=0, titleBaseline="bottom",
    )  # fmt: skip


def places(values: Sequence[Any]) -> int:
    """Return how many decimals drawn values need: none once the largest has three digits.

    >>> places([1234.5, 20.0]), places([12.0, 3.4])
    (0, 1)
    """
    known = [abs(float(each)) for each in values if not missing(each)]
    return 0 if not known or max(known) >= 100 or all(each.is_integer() for each in known) else 1


def texts(values: Sequence[Any], decimals: int | None = None) -> list[str]:
    """Return drawn values as labels, all with the same number of decimals; unknown ones are empty."""
    decimals = places(values) if decimals is None else decimals
    return ["" if missing(each) else digits(float(each), decimals) for each in values]


def iso(day: Any) -> str:
    """Return a day as the category of a time axis."""
    return str(day)[:10]


def time_axis(days: Sequence[Any], style: Style) -> Any:
    """Return the x encoding of a time axis: months under the columns, the year where it changes.

    Periods stand side by side as categories, so that a column is as wide as its month, whatever its days.
    """
    names = [iso(each) for each in days]
    ticks = tick_labels(days, style)
    # The words are ours (month names), the keys are ISO dates: no data text enters this expression.
    expression = f"({json.dumps(ticks, ensure_ascii=False)})[datum.value]"
    axis = alt.Axis(
        values=list(ticks), labelExpr=expression, labelAngle=0, labelOverlap=False, title=None, labelLineHeight=15
    )
    padding: dict[str, Any] = {"paddingInner": 0, "paddingOuter": 0.05}
    return alt.X("t:O", sort=None, axis=axis, scale=alt.Scale(domain=names, type="band", **padding))


def tick_labels(days: Sequence[Any], style: Style) -> dict[str, list[str]]:
    """Return ISO day → label lines for the periods that get a tick, as many as the width holds.

    >>> days = pd.date_range("2025-11-01", periods=3, freq="MS")
    >>> from salesforecast.present.words import Words
    >>> tick_labels(days, Style(Words("zh")))
    {'2025-11-01': ['11月', '2025年'], '2025-12-01': ['12月', ''], '2026-01-01': ['1月', '2026年']}
    """
    dates = [date.fromisoformat(iso(each)) for each in days]
    chosen = _chosen(dates, style)
    result: dict[str, list[str]] = {}
    before: Any = None
    for day in chosen:
        first, second, group = _tick(day, style, months=_long(dates, style))
        result[day.isoformat()] = [first, second if group != before else ""]
        before = group
    # Two years side by side would touch: the one that only begins the axis gives way.
    near = [lines for lines in list(result.values())[:2] if lines[1]]
    if len(near) == 2 and style.width / len(dates) * (dates.index(chosen[1]) - dates.index(chosen[0])) < 46:
        near[0][1] = ""
    return result


def _long(dates: list[date], style: Style) -> bool:
    return style.grain == "day" and len(dates) > 62


def _chosen(dates: list[date], style: Style) -> list[date]:
    step = (style.width - 40) / max(len(dates), 1)
    if _long(dates, style):
        firsts = [each for each in dates if each.day == 1] or dates[:1]
        every = next((n for n in (1, 2, 3, 6, 12) if style.width / len(firsts) * n >= 44), 12)
        return firsts[::every]
    need = 40 if style.grain in ("week", "quarter", "year") else 22 if style.grain == "day" else 36
    strides = STRIDES.get(style.grain, (1, 2, 5, 10, 15, 31))
    every = next((each for each in strides if step * each >= need), strides[-1])
    if style.grain == "month":  # January is always among them
        return [each for each in dates if (each.month - 1 + 12 * each.year) % every == 0] or dates[-1:]
    return dates[::-1][::every][::-1]


def _tick(day: date, style: Style, months: bool) -> tuple[str, str, Any]:
    """Return the two label lines of a day and the group (year or month) that the second line names.

    `months`: the days that get a tick are the first ones of months, and stand for them.
    """
    zh, words = style.words.language == "zh", style.words
    year = f"{day.year}年" if zh else f"{day.year}"
    if style.grain == "day" and not months:
        month = f"{day.month}月" if zh else f"{day:%b}"
        return str(day.day), month, (day.year, day.month)
    if style.grain == "week":
        week = day.isocalendar()
        return (f"{week.week}周" if zh else f"W{week.week}"), (f"{week.year}年" if zh else f"{week.year}"), week.year
    if style.grain == "quarter":
        name = words.period(day, "quarter")
        fiscal = words.period(day, "year")
        return name.replace(fiscal, "").strip(), fiscal, fiscal
    if style.grain == "year":
        return words.period(day, "year"), "", None
    return (f"{day.month}月" if zh else f"{day:%b}"), year, day.year


def notable(values: Sequence[Any], step: float, need: float) -> list[bool]:
    """Say which labels to draw: all where there is room, else the last, the highest and the lowest.

    >>> notable([3, 9, 1, 5], step=10, need=30)
    [False, False, False, True]
    >>> notable([3, 9, 1, 5], step=40, need=30)
    [True, True, True, True]
    """
    known = [index for index, each in enumerate(values) if not missing(each)]
    if step >= need:
        return [index in known for index in range(len(values))]
    kept: list[int] = []
    candidates = known[-1:] + sorted(known, key=lambda index: float(values[index]))[::-1][:1]
    candidates += sorted(known, key=lambda index: float(values[index]))[:1]
    for index in candidates:
        if all(abs(index - other) * step >= need for other in kept):
            kept.append(index)
    return [index in kept for index in range(len(values))]


def note_text(text: str, x: Any, y: float, **mark: Any) -> Any:
    """Return one piece of text at a fixed pixel place (`x` may be an expression such as `width`)."""
    at = alt.XValue(alt.ExprRef(x)) if isinstance(x, str) else alt.XValue(x)
    return alt.Chart(alt.InlineData([{"text": text}])).mark_text(**{"align": "left", **mark}).encode(
        text=alt.Text("text:N"), x=at, y=alt.YValue(y)
    )  # fmt: skip


@dataclass(frozen=True)
class EndLabel:
    """A name for a line, written where the line ends."""

    text: str
    value: float
    colour: str = TEXT


def end_labels(labels: Sequence[EndLabel], low: float, high: float, top: float, bottom: float) -> list[Any]:
    """Return the names of lines at the right edge, pushed apart so that none covers another."""
    at = [
        (bottom - (each.value - low) / (high - low) * (bottom - top), each)
        for each in labels
        if not missing(each.value)
    ]
    at.sort(key=lambda pair: pair[0])
    rows: list[float] = []
    for y, _ in at:
        rows.append(max(y, rows[-1] + 15) if rows else y)
    if rows and rows[-1] > bottom:
        for index in range(len(rows) - 1, -1, -1):
            limit = bottom if index == len(rows) - 1 else rows[index + 1] - 15
            rows[index] = min(rows[index], limit)
    return [
        note_text(each.text, "width", y, dx=6, color=each.colour, baseline="middle")
        for y, (_, each) in zip(rows, at, strict=True)
    ]


def tips(frame: pd.DataFrame, head: Sequence[str], style: Style, columns: Sequence[str]) -> list[str]:
    """Return what each mark shows on hover: the head, then each known value with its name and unit."""
    language = style.words.language
    found = []
    for index, first in enumerate(head):
        parts = [first]
        for name in columns:
            if name in frame.columns and not missing(frame[name].iloc[index]):
                parts.append(f"{label('column', name, language)} {style.prose(frame[name].iloc[index])}")
        found.append(TIP + " · ".join(parts))
    return found
