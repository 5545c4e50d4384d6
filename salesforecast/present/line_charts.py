"""Lines over time: trend, pacing, forecast and the parts of a series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from salesforecast.present.charts import (
    ACCENT,
    ACTUAL,
    BAND,
    HOVER,
    LIGHT,
    PALE_BAND,
    QUIET,
    TEXT,
    EndLabel,
    Sentences,
    Style,
    alt,
    end_labels,
    finish,
    iso,
    kind,
    limits,
    note_text,
    readable,
    scale,
    texts,
    time_axis,
    tips,
    value_axis,
)
from salesforecast.present.column_charts import event_marks, last_row, numbers, ratio, tell_forecast_end
from salesforecast.present.words import missing

LINE: dict[str, Any] = {"aria": False}


def _line(data: pd.DataFrame, x: Any, name: str, y_scale: Any, **mark: Any) -> Any:
    """Return one line; unknown values leave a gap."""
    return alt.Chart(data[["t", name]]).mark_line(**LINE, **mark).encode(
        x=x, y=alt.Y(f"{name}:Q", axis=None, scale=y_scale)
    )  # fmt: skip


def _outlined(data: pd.DataFrame, x: Any, name: str, y_scale: Any) -> list[Any]:
    """Return a target line: outlined as target bars are, a white line inside a dark one."""
    known = data[data[name].notna()]
    return [
        _line(known, x, name, y_scale, color=ACTUAL, strokeWidth=3.4),
        _line(known, x, name, y_scale, color="#ffffff", strokeWidth=1.4),
    ]


def _area(data: pd.DataFrame, x: Any, low: str, high: str, y_scale: Any, colour: str) -> Any:
    known = data[data[low].notna() & data[high].notna()]
    return alt.Chart(known[["t", low, high]]).mark_area(color=colour, **LINE).encode(
        x=x, y=alt.Y(f"{low}:Q", axis=None, scale=y_scale), y2=alt.Y2(high)
    )  # fmt: skip


def _axis(data: pd.DataFrame, x: Any, low: float, high: float, y_scale: Any, style: Style) -> Any:
    """Return an invisible mark that carries the value axis, so that no data layer has to."""
    axis = value_axis(low, high, style, style.unit_name)
    return alt.Chart(data[["t"]]).mark_point(opacity=0, aria=False).encode(
        x=x, y=alt.YDatum(low, type="quantitative", axis=axis, scale=y_scale)
    )  # fmt: skip


def _hover(data: pd.DataFrame, x: Any, name: str, y_scale: Any, size: int = 60) -> Any:
    """Return invisible points on a line that carry what it shows on hover."""
    known = data[data[name].notna()]
    return alt.Chart(known[["t", name, "tip"]]).mark_point(filled=True, opacity=0, size=size).encode(
        x=x, y=alt.Y(f"{name}:Q", axis=None, scale=y_scale), description=HOVER
    )  # fmt: skip


def _prepared(frame: pd.DataFrame, style: Style, names: Sequence[str], day: str = "period_start") -> pd.DataFrame:
    data = pd.DataFrame({name: numbers(frame, name, style.factor) for name in names})
    data.insert(0, "t", [iso(each) for each in frame[day]])
    data["tip"] = tips(frame, [style.period(each) for each in frame[day]], style, names)
    return data


def _tell_trend(frame: pd.DataFrame, style: Style) -> Sentences:
    row = last_row(frame, "value")
    said: Sentences = []
    facts = frame.attrs
    if facts.get("log") and not missing(facts.get("slope")):
        sure = facts["slope_lo"] > 0 or facts["slope_hi"] < 0
        said.append(
            ("trend.slope" if sure else "trend.flat", {key: facts[key] for key in ("slope", "slope_lo", "slope_hi")})
        )
    if row is not None:
        said.append(("trend.last", {"period": style.period(row["period_start"]), "value": style.prose(row["value"])}))
    unusual = _unusual(frame)
    if unusual.empty:
        return [*said, ("trend.none", {})] if "anomaly" in frame.columns else said
    named = style.words.word("list").join(
        f"{style.period(row.period_start)} {style.prose(row.value)}" for row in unusual.head(5).itertuples()
    )
    return [*said, ("trend.anomalies", {"count": len(unusual), "named": named})]


def _unusual(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["anomaly"].fillna(False).astype(bool)] if "anomaly" in frame.columns else frame.iloc[:0]


@kind(
    "trend", _tell_trend, needs=("period_start", "value"),
    shows=("trend", "expected", "lo", "hi", "anomaly", "event"), scenarios=("actual",),
)  # fmt: skip
def trend(frame: pd.DataFrame, style: Style) -> Any:
    """Draw a series with its trend and the range that was to be expected; unusual periods are ringed and named.

    Columns: period_start, value; optional trend, expected, lo, hi (the expected range), anomaly, event.
    """
    names = ("value", "trend", "expected", "lo", "hi")
    data = _prepared(frame, style, names)
    height, top = (190, 24) if style.narrow else (250, 24)
    low, high = limits(*(data[each] for each in names), room=0.06)
    y_scale, x = scale(low, high, top, height), time_axis(frame["period_start"], style)
    layers = [_axis(data, x, low, high, y_scale, style), _area(data, x, "lo", "hi", y_scale, BAND)]
    if data["lo"].isna().all() and data["expected"].notna().any():
        layers.append(_line(data, x, "expected", y_scale, color=LIGHT, strokeWidth=1.5))
    layers += [
        _line(data, x, "trend", y_scale, color=ACCENT, strokeWidth=1.6),
        _line(data, x, "value", y_scale, color=ACTUAL, strokeWidth=2),
        _hover(data, x, "value", y_scale),
        *_rings(frame, data, x, y_scale, style),
    ]
    if "event" in frame.columns and frame["event"].notna().any():
        layers.append(event_marks(frame, x, style, 8))
    labels = [
        EndLabel(style.say("actual"), _end(data, "value")),
        EndLabel(style.say("trend"), _end(data, "trend"), ACCENT),
    ]
    if data["lo"].isna().all():
        labels.append(EndLabel(style.say("expected"), _end(data, "expected"), QUIET))
    else:
        labels.append(EndLabel(style.say("expected"), _end(data, "hi"), QUIET))
    layers += end_labels(labels, low, high, top, height)
    return finish(layers, style, height)


def _end(data: pd.DataFrame, name: str) -> float:
    known = data[name].dropna()
    return float("nan") if known.empty else float(known.iloc[-1])


def _side(share: float) -> Any:
    """Return how a label is aligned so that it stays inside: at the left and right end it points inwards."""
    return "left" if share < 0.12 else "right" if share > 0.85 else "center"


def _rings(frame: pd.DataFrame, data: pd.DataFrame, x: Any, y_scale: Any, style: Style) -> list[Any]:
    unusual = data.loc[_unusual(frame).index]
    if unusual.empty:
        return []
    expected = unusual["expected"].fillna(unusual["trend"])
    change = unusual["value"] / expected.where(expected > 0) - 1
    marks = unusual.assign(
        colour=[style.colour(0 if missing(each) else each) for each in change],
        shape=["triangle-down" if each < 0 else "triangle-up" for each in change],
        text=[
            style.words.period(frame.loc[index, "period_start"], style.grain)
            if missing(each)
            else f"{style.period(frame.loc[index, 'period_start'])} {style.words.change(each, 0)}"
            for index, each in change.items()
        ],
        below=change.fillna(0) < 0,
    )
    # On a phone only the largest few are named; all are ringed.
    named = marks.loc[change.abs().sort_values(ascending=False).index[: 2 if style.narrow else 6]]
    named = named.assign(side=[_side(index / len(data)) for index in named.index])
    y, colour = alt.Y("value:Q", axis=None, scale=y_scale), alt.Color("colour:N", scale=None, legend=None)
    rings = alt.Chart(marks).mark_point(shape="circle", size=110, strokeWidth=2, filled=False, fill="white", opacity=1)
    layers = [rings.encode(x=x, y=y, stroke=alt.Stroke("colour:N", scale=None, legend=None), description=HOVER)]
    for below, dy in ((False, -14), (True, 15)):
        for side in ("left", "center", "right"):
            part = named[(named["below"] == below) & (named["side"] == side)]
            if not part.empty:
                layers.append(
                    alt.Chart(part).mark_text(dy=dy, align=side).encode(x=x, y=y, text=alt.Text("text:N"), color=colour)
                )
    return layers


def _tell_pacing(frame: pd.DataFrame, style: Style) -> Sentences:
    row = last_row(frame, "actual")
    if row is None:
        return [("pacing.nothing", {})]
    values = {"date": row["date"], "actual": style.prose(row["actual"])}
    said: Sentences = [("pacing.actual", values)]
    if not missing(row.get("target")):
        gap = row["actual"] - row["target"]
        key = "pacing.behind" if gap < 0 else "pacing.ahead"
        said = [(key, {**values, "target": style.prose(row["target"]), "gap": style.prose(abs(gap))})]
    if not missing(row.get("last_year")):
        change = ratio(row["actual"], row["last_year"])
        said.append(("pacing.last_year", {"last_year": style.prose(row["last_year"]), "yoy": change}))
    end = last_row(frame, "target")
    if end is not None:
        said.append(("pacing.end", {"date": end["date"], "target": style.prose(end["target"])}))
    return said


@kind(
    "pacing", _tell_pacing, needs=("date", "actual"), shows=("target", "even", "last_year"),
    scenarios=("actual", "last_year", "target"),
)  # fmt: skip
def pacing(frame: pd.DataFrame, style: Style) -> Any:
    """Draw the cumulative actual against the curves of target and last year, and the day it was read.

    Columns: date (daily), actual (unknown after the as-of day); optional target, last_year.
    """
    names = ("actual", "target", "last_year")
    data = _prepared(frame, style, names, day="date")
    height, top = (190, 24) if style.narrow else (260, 24)
    low, high = limits(*(data[each] for each in names), room=0.04)
    y_scale, x = scale(low, high, top, height), time_axis(frame["date"], style)
    layers = [
        _axis(data, x, low, high, y_scale, style),
        _line(data[data["last_year"].notna()], x, "last_year", y_scale, color=LIGHT, strokeWidth=2.4),
        *_outlined(data, x, "target", y_scale),
        _line(data[data["actual"].notna()], x, "actual", y_scale, color=ACTUAL, strokeWidth=2.8),
        # Each mark tells all three values of its day: one row of them, on the line that reaches it, is enough.
        _hover(data.loc[readable(frame).index].assign(y=_furthest(data, names)), x, "y", y_scale, size=320),
    ]
    labels = [
        EndLabel(_named(data, "target", style), _end(data, "target")),
        EndLabel(_named(data, "last_year", style), _end(data, "last_year"), QUIET),
    ]
    known = data[data["actual"].notna()]
    if not known.empty:
        layers += _as_of(known.iloc[-1:], len(known) / len(data), x, y_scale, style, height, top)
    layers += end_labels(labels, low, high, top, height)
    return finish(layers, style, height)


def _furthest(data: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Return the first of the named values that is known on each day."""
    return data[list(names)].bfill(axis=1).iloc[:, 0]


def _named(data: pd.DataFrame, name: str, style: Style) -> str:
    """Return the name of a line and, where there is room, its last value."""
    return style.say(name) if style.narrow else f"{style.say(name)} {_short(data, name)}"


def _short(data: pd.DataFrame, name: str) -> str:
    return texts([_end(data, name)], 0)[0] if data[name].abs().max() >= 10 else texts([_end(data, name)], 1)[0]


def _as_of(row: pd.DataFrame, share: float, x: Any, y_scale: Any, style: Style, height: int, top: int) -> list[Any]:
    """Return the mark of the day until which the actual is known."""
    day = iso(row["t"].iloc[0])
    text = f"{style.say('as_of')} {style.words.short_date(day)} · {_short(row, 'actual')}"
    row = row.assign(text=text)
    side: Any = "left" if share < 0.5 else "right"
    at = alt.Y("actual:Q", axis=None, scale=y_scale)
    return [
        alt.Chart(row)
        .mark_rule(color=ACCENT, strokeWidth=1)
        .encode(x=x, y=alt.YValue(top - 6), y2=alt.Y2Value(height)),
        alt.Chart(row).mark_point(filled=True, size=50, color=ACTUAL, opacity=1, aria=False).encode(x=x, y=at),
        alt.Chart(row).mark_text(align=side, dx=5 if side == "left" else -5, fontWeight="bold", color=ACCENT).encode(
            x=x, y=alt.YValue(top - 12), text=alt.Text("text:N")
        ),
    ]  # fmt: skip


def _tell_forecast(frame: pd.DataFrame, style: Style) -> Sentences:
    said = tell_forecast_end(frame, style)
    row = last_row(frame, "actual")
    if row is not None:
        said.append(
            ("columns.last", {"period": style.period(row["period_start"]), "actual": style.prose(row["actual"])})
        )
    return said


@kind(
    "forecast", _tell_forecast, needs=("period_start", "forecast"),
    shows=("actual", "lo_80", "hi_80", "lo_95", "hi_95", "target"), scenarios=("actual", "forecast", "target"),
)  # fmt: skip
def forecast(frame: pd.DataFrame, style: Style) -> Any:
    """Draw history and forecast as one line, solid then dashed, with the 80 % and 95 % intervals as pale bands.

    Columns: period_start, forecast; optional actual, lo_80, hi_80, lo_95, hi_95, target.
    """
    names = ("actual", "forecast", "lo_80", "hi_80", "lo_95", "hi_95", "target")
    data = _prepared(frame, style, names)
    known = data.index[data["actual"].notna() & data["forecast"].isna()]
    if len(known) and data["forecast"].notna().any():  # the fan opens at the last known value
        last = known[-1]
        for name in names[1:6]:
            if data[name].notna().any():
                data.loc[last, name] = data.loc[last, "actual"]
    height, top = (200, 24) if style.narrow else (270, 24)
    low, high = limits(*(data[each] for each in names), room=0.04)
    y_scale, x = scale(low, high, top, height), time_axis(frame["period_start"], style)
    layers = [
        _axis(data, x, low, high, y_scale, style),
        _area(data, x, "lo_95", "hi_95", y_scale, PALE_BAND),
        _area(data, x, "lo_80", "hi_80", y_scale, BAND),
        *_outlined(data, x, "target", y_scale),
        _line(data, x, "actual", y_scale, color=ACTUAL, strokeWidth=2.2),
        _line(data[data["forecast"].notna()], x, "forecast", y_scale, color=ACTUAL, strokeWidth=2.2, strokeDash=[5, 3]),
        *(_hover(data, x, name, y_scale) for name in ("actual", "forecast")),
    ]
    labels = [
        EndLabel(_named(data, "forecast", style), _end(data, "forecast")),
        EndLabel("80%", _end(data, "hi_80"), QUIET),
        EndLabel("95%", _end(data, "hi_95"), QUIET),
        EndLabel(style.say("target"), _end(data, "target")),
    ]
    layers += end_labels(labels, low, high, top, height)
    return finish(layers, style, height)


def _tell_stl(frame: pd.DataFrame, style: Style) -> Sentences:
    known = frame[frame["seasonal"].notna()]
    if known.empty:
        return [("stl.nothing", {})]
    top, low = known.loc[known["seasonal"].idxmax()], known.loc[known["seasonal"].idxmin()]
    return [("stl.season", {
        "high_period": style.period(top["period_start"]), "high": style.prose(top["seasonal"]),
        "low_period": style.period(low["period_start"]), "low": style.prose(low["seasonal"]),
    })]  # fmt: skip


@kind("stl", _tell_stl, needs=("period_start", "trend", "seasonal", "remainder"), shows=("calendar", "value"))
def stl(frame: pd.DataFrame, style: Style) -> Any:
    """Draw trend, season, calendar and remainder of a series one below the other, all on one scale.

    Columns: period_start, trend, seasonal, remainder; optional calendar, drawn where there is any.
    """
    names: tuple[str, ...] = ("trend", "seasonal", "remainder")
    data = _prepared(frame, style, (*names, "calendar"))
    if data["calendar"].abs().sum() > 0:
        names = ("trend", "seasonal", "calendar", "remainder")
    x = time_axis(frame["period_start"], style)
    total, gap = (340 if style.narrow else 390) + 50 * (len(names) - 3), 38
    ranges = [limits(data[each]) for each in names]
    # One unit is equally high in all three: that is what makes them comparable.
    pixels = (total - gap * 3) / sum(high - low for low, high in ranges)
    layers, row = [], 0.0
    for name, (low, high) in zip(names, ranges, strict=True):
        top = row + gap
        row = top + max((high - low) * pixels, 12)
        y_scale = scale(low, high, top, row)
        layers += [
            note_text(style.say(f"part_{name}"), 0, top - 25, color=QUIET),
            alt.Chart(data[["t"]].iloc[:1])
            .mark_rule(color="#c9c9c9")
            .encode(y=alt.YDatum(0, scale=y_scale, axis=None)),
            _line(data, x, name, y_scale, color=ACTUAL, strokeWidth=1.8),
            _hover(data, x, name, y_scale),
            *_extremes(data, name, x, y_scale),
        ]
    return finish(layers, style, round(row) + 18)


def _extremes(data: pd.DataFrame, name: str, x: Any, y_scale: Any) -> list[Any]:
    """Return figures at the highest and the lowest point of a line that has no axis."""
    known = data[data[name].notna()]
    if known.empty:
        return []
    high, low = known.loc[[known[name].idxmax()]], known.loc[[known[name].idxmin()]]
    # The lowest point is named below the line, unless the line is all above zero: then there is room above it too.
    below = 14 if float(low[name].iloc[0]) < 0 else -8
    return [
        alt.Chart(row[["t", name]].assign(text=texts(row[name])))
        .mark_text(dy=dy, color=TEXT, fontSize=11)
        .encode(x=x, y=alt.Y(f"{name}:Q", axis=None, scale=y_scale), text=alt.Text("text:N"))
        for row, dy in ((high, -8), (low, below))
    ]
