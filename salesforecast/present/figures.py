"""A chart as a figure of the page: message, title line, two static drawings and the data behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from salesforecast.errors import BadValue, lookup
from salesforecast.present import (  # noqa: F401  (register kinds)
    column_charts,
    forecast_charts,
    line_charts,
    structure_charts,
    svg,
)
from salesforecast.present.charts import KINDS, Kind, Style, iso, normalise, readable
from salesforecast.present.drawings import swatch
from salesforecast.present.labels import label
from salesforecast.present.structure_charts import member_column
from salesforecast.present.tables import Look, plain, table
from salesforecast.present.words import missing

if TYPE_CHECKING:
    import pandas as pd

WIDE, NARROW = 920, 340
VEGALITE = "application/vnd.vegalite.v6+json"


def figure(
    name: str,
    frame: pd.DataFrame,
    look: Look,
    who: str,
    what: str,
    message: str | None = None,
    title: str | None = None,
    alt: str | None = None,
) -> dict[str, Any]:
    """Return the mime bundle of a chart: html, plain text, Vega-Lite and SVG.

    `who` and `what` begin the title line, which ends with the periods of the frame. Message and alternative text are
    made from the frame unless given. Raises `BadValue` for an empty alternative text: a chart that cannot be
    told in words is not published.
    """
    chart = find_kind(name)
    frame = normalise(chart, frame)
    style = replace(look.style, grain=look.style.grain or _grain(frame))
    if chart.ratio:
        style, what = replace(style, unit="ratio"), label("column", chart.ratio, style.words.language)
    look = replace(look, style=style)
    told = tell(chart, frame, style, what)
    message = told[0] if message is None else message
    heading = title or _title(frame, style, who, what)
    words = style.words.language
    if alt is None:
        colon, space = ("：", "") if words == "zh" else (": ", " ")
        alt = label("chart", f"{name}.name", words) + colon + space.join(told)
    if not alt.strip():
        raise BadValue(
            f"The {name!r} chart has no alternative text. Give alt='what the chart shows, with its figures'."
        )
    wide, narrow = (replace(style, width=width) for width in (WIDE, NARROW))
    spec, small = ({**specification(chart, frame, each), "description": alt} for each in (wide, narrow))
    drawing, phone = svg.render(spec, alt), svg.render(small, alt)
    shown = _data_columns(chart, frame)
    read = readable(frame)
    data = table(read, look, heading, shown)
    html = (
        f'<figure class="sf-chart sf-chart-{name}"><figcaption>'
        f'<p class="sf-message">{escape(message)}</p>'
        f'<p class="sf-title">{escape(heading)}{_keys(chart, frame, style)}</p></figcaption>'
        f'<div class="sf-wide">{drawing}</div><div class="sf-narrow" hidden>{phone}</div>'
        f'<details class="sf-data"><summary>{escape(style.say("data"))}</summary>{data}</details></figure>'
    )
    text = "\n".join([message, plain(read, look, heading, shown), alt])
    return {"text/html": html, "text/plain": text, VEGALITE: spec, "image/svg+xml": drawing}


def specification(chart: Kind, frame: pd.DataFrame, style: Style) -> dict[str, Any]:
    """Return the Vega-Lite specification of a chart.

    Altair's validation is off: it costs a third of the time, and the tests validate every kind.
    """
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):
        return chart.draw(frame, style).to_dict(validate=False)


def find_kind(name: str) -> Kind:
    """Return a registered kind of chart; `UnknownName` with the nearest one.

    >>> find_kind("column")
    Traceback (most recent call last):
    salesforecast.errors.UnknownName: No kind of chart named 'column'. Did you mean 'columns'?...
    """
    return lookup(KINDS, name, "kind of chart")


def tell(chart: Kind, frame: pd.DataFrame, style: Style, what: str) -> list[str]:
    """Return the sentences that tell a chart, the most important one first."""
    found = []
    for key, values in chart.tell(frame, style):
        template = label("chart", key, style.words.language)
        found.append(style.words.sentence(template, {"measure": what, **values}))
    return found or [style.say("nothing")]


def _title(frame: pd.DataFrame, style: Style, who: str, what: str) -> str:
    unit = style.unit_name
    parts = [who, f"{what} {unit}".strip()]
    day = next((each for each in ("period_start", "date") if each in frame.columns), None)
    if day:
        parts.append(style.words.span(frame[day].iloc[0], frame[day].iloc[-1], style.grain))
    return " · ".join(each for each in parts if each)


def _keys(chart: Kind, frame: pd.DataFrame, style: Style) -> str:
    """Return the signs of the scenarios that the chart shows, each with its name."""
    shown = [each for each in chart.scenarios if _known(frame, each)]
    if "lo_80" in frame.columns and _known(frame, "lo_80"):
        shown.append("interval")
    if not shown:
        return ""
    keys = "".join(f'<span class="sf-key">{swatch(each)} {escape(style.say(each))}</span>' for each in shown)
    return f' <span class="sf-keys">{keys}</span>'


def _known(frame: pd.DataFrame, scenario: str) -> bool:
    if scenario == "time_progress" and scenario in frame.columns:  # a finished period has no tick
        return any(not missing(each) and each < 1 for each in frame[scenario])
    column = "value" if scenario == "actual" and "actual" not in frame.columns else scenario
    return column in frame.columns and any(not missing(each) for each in frame[column])


def _data_columns(chart: Kind, frame: pd.DataFrame) -> list[str]:
    """Return the columns of the data table: what names the rows, then what is drawn, at most eight."""
    first = [] if {"period_start", "date", "model"} & set(chart.needs) else [member_column(frame)]
    names = [*first, *chart.needs, *chart.shows]
    return [each for each in names if each in frame.columns and _has_value(frame[each])][:8]


def _has_value(column: pd.Series) -> bool:
    return any(not missing(each) and each != "" for each in column)


def _grain(frame: pd.DataFrame) -> str:
    """Return the grain of a frame from the distance of its first two periods."""
    from datetime import date

    if "date" in frame.columns:
        return "day"
    if "period_start" not in frame.columns or len(frame) < 2:
        return "month"
    first, second = (date.fromisoformat(iso(frame["period_start"].iloc[each])) for each in (0, 1))
    days: Mapping[str, int] = {"day": 3, "week": 14, "month": 45, "quarter": 120}
    apart = abs((second - first).days)
    return next((grain for grain, most in days.items() if apart <= most), "year")
