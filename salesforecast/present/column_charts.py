"""The columns of a time series, left to right, and what all charts of time share."""

from __future__ import annotations

from typing import Any

import pandas as pd

from salesforecast.present.charts import (
    ACCENT,
    ACTUAL,
    BAND,
    HATCH,
    HOVER,
    LIGHT,
    QUIET,
    Sentences,
    Style,
    alt,
    finish,
    iso,
    kind,
    limits,
    notable,
    note_text,
    scale,
    texts,
    time_axis,
    tips,
)
from salesforecast.present.words import missing


def numbers(frame: pd.DataFrame, name: str, factor: float = 1.0) -> pd.Series:
    """Return a numeric column in drawn units; all unknown where the frame lacks it."""
    if name not in frame.columns:
        return pd.Series(float("nan"), index=frame.index)
    return pd.to_numeric(frame[name]).astype(float) / factor


def last_row(frame: pd.DataFrame, name: str) -> Any:
    """Return the last row whose column is known, or None."""
    if name not in frame.columns:
        return None
    known = frame[frame[name].notna()]
    return None if known.empty else known.iloc[-1]


def ratio(part: Any, base: Any) -> float:
    """Return the relative difference of two shown numbers; NaN without a positive base."""
    return float("nan") if missing(part) or missing(base) or base <= 0 else float(part) / float(base) - 1


def _growth(part: pd.Series, base: pd.Series) -> pd.Series:
    return part / base.where(base > 0) - 1


def _partial(frame: pd.DataFrame) -> pd.Series:
    return frame["partial"].fillna(False).astype(bool) if "partial" in frame.columns else pd.Series(False, frame.index)


def _tell_columns(frame: pd.DataFrame, style: Style) -> Sentences:
    done = frame[~_partial(frame)]
    row = last_row(done, "actual")
    if row is None:
        row = last_row(frame, "actual")
    said: Sentences = _tell_landing(frame)
    if row is not None:
        change = row["yoy"] if "yoy" in frame.columns else ratio(row["actual"], row.get("last_year"))
        values = {"period": style.period(row["period_start"]), "actual": style.prose(row["actual"]), "yoy": change}
        said.append(("columns.last" if missing(change) else "columns.last_yoy", values))
        if not missing(row.get("target")):
            reached = row["actual"] / row["target"] if row["target"] else float("nan")
            said.append(("columns.target", {"target": style.prose(row["target"]), "attainment": reached}))
        if done["actual"].notna().sum() > 2:
            top, low = done.loc[done["actual"].idxmax()], done.loc[done["actual"].idxmin()]
            said.append(("range", {
                "high": style.prose(top["actual"]), "high_period": style.period(top["period_start"]),
                "low": style.prose(low["actual"]), "low_period": style.period(low["period_start"]),
            }))  # fmt: skip
    return said + tell_forecast_end(frame, style)


def _tell_landing(frame: pd.DataFrame) -> Sentences:
    """Return what the year comes to, when the frame carries it (`targets.outlook`)."""
    facts = frame.attrs
    if missing(facts.get("landing")):
        return []
    return [("columns.landing" if missing(facts.get("p_reach")) else "columns.landing_target", dict(facts))]


def tell_forecast_end(frame: pd.DataFrame, style: Style) -> Sentences:
    """Return the sentence on the last forecast of a frame, with its 80 % interval where known."""
    row = last_row(frame, "forecast")
    if row is None:
        return []
    values = {"period": style.period(row["period_start"]), "forecast": style.prose(row["forecast"])}
    if missing(row.get("lo_80")) or missing(row.get("hi_80")):
        return [("forecast_end", values)]
    return [("forecast_end_80", {**values, "interval": style.between(row["lo_80"], row["hi_80"])})]


@kind(
    "columns", _tell_columns, needs=("period_start", "actual"),
    shows=("last_year", "yoy", "target", "forecast", "lo_80", "hi_80", "event"),
    scenarios=("actual", "last_year", "target", "forecast"),
)  # fmt: skip
def columns(frame: pd.DataFrame, style: Style) -> Any:
    """Draw one column a period: actual before the year before and the target, forecast hatched with its interval.

    Columns: period_start, actual; optional last_year, yoy, target, forecast, lo_80, hi_80, partial, event.
    """
    names = ("actual", "last_year", "target", "forecast", "lo_80", "hi_80")
    data = pd.DataFrame({name: numbers(frame, name, style.factor) for name in names})
    data.insert(0, "t", [iso(each) for each in frame["period_start"]])
    partial = _partial(frame)
    landing = partial & data["forecast"].notna()
    # A period in progress: solid as far as it got, hatched to where it is expected to end.
    data["solid"] = data["actual"].where(~partial | landing)
    data["hatched"] = data["forecast"].fillna(data["actual"].where(partial)).where(partial | data["actual"].isna())
    data["from"] = data["actual"].where(landing & (data["actual"] < data["forecast"])).fillna(0.0)
    data["shown"] = data["hatched"].fillna(data["actual"])
    data["top"] = data[["shown", "last_year", "target", "hi_80"]].max(axis=1).clip(lower=0)
    step = (style.width - 10) / len(data)
    keep = notable(data["shown"], step, 10 + 7 * max(len(each) for each in texts(data["shown"])))
    data["label"] = [text if show else "" for text, show in zip(texts(data["shown"]), keep, strict=True)]
    data["tip"] = tips(frame, [style.period(each) for each in frame["period_start"]], style, names)
    variance = numbers(frame, "yoy") if "yoy" in frame.columns else _growth(data["actual"], data["last_year"])
    data["variance"] = variance.where(~partial & data["actual"].notna())

    strip = 80 if data["variance"].notna().any() else 0
    events = 18 if "event" in frame.columns and frame["event"].notna().any() else 0
    top, height = strip + events + 14, strip + events + (200 if style.narrow else 240)
    low, high = limits(data["top"], data["shown"], data["lo_80"])
    main = scale(low, high, top, height)
    base, x, hidden = alt.Chart(data), time_axis(frame["period_start"], style), None

    def bar(name: str, offset: float = 0, start: str | None = None, **mark: Any) -> Any:
        y2 = {"y2": alt.Y2(start)} if start else {}
        return base.transform_filter(f"isValid(datum['{name}'])").mark_bar(
            width={"band": 0.6}, xOffset=offset, **mark
        ).encode(x=x, y=alt.Y(f"{name}:Q", axis=hidden, scale=main), description=HOVER, **y2)  # fmt: skip

    shift = max(2.0, min(6.0, step * 0.09))
    layers = [
        base.mark_bar(width={"band": 1}, color=BAND, aria=False).encode(
            x=x, y=alt.Y("lo_80:Q", axis=hidden, scale=main), y2=alt.Y2("hi_80")
        ),
        bar("last_year", -shift, color=LIGHT),
        bar("target", shift, filled=False, fill="none", stroke=ACTUAL, strokeWidth=1.2),
        bar("solid", color=ACTUAL),
        bar("hatched", start="from", color=HATCH, stroke=ACTUAL, strokeWidth=1),
        base.mark_rule(color="#8c8c8c").encode(y=alt.YDatum(0, scale=main, axis=hidden)),
        base.mark_text(dy=-7).encode(x=x, y=alt.Y("top:Q", axis=hidden, scale=main), text=alt.Text("label:N")),
    ]
    if data["lo_80"].notna().any():
        layers.append(_band_name(data[data["lo_80"].notna()].iloc[-1:], x, main, step))
    if strip:
        layers += _pins(data, x, style, step)
    if events:
        layers.append(event_marks(frame, x, style, strip + 10))
    return finish(layers, style, height)


def _band_name(last: pd.DataFrame, x: Any, main: Any, step: float) -> Any:
    """Return the name of the interval, right of its last column."""
    mark = alt.Chart(last.assign(name="80%")).mark_text(
        align="left", dx=round(step / 2) + 3, dy=5, color=QUIET, fontSize=11
    )
    return mark.encode(x=x, y=alt.Y("hi_80:Q", axis=None, scale=main), text=alt.Text("name:N"))


def _pins(data: pd.DataFrame, x: Any, style: Style, step: float) -> list[Any]:
    """Return the variance to the year before as pins above the columns: stem by sign and colour, figure at its end."""
    values = data["variance"] * 100
    bound = min(max(values.abs().max(), 1e-9), 60.0)
    cut = values.clip(-bound, bound)
    pins = data.assign(
        size=cut,
        colour=[style.colour(0 if missing(each) else each) for each in values],
        text=[
            f"+{text}" if each > 0 and text != "0" else text
            for each, text in zip(values, texts(values, 0), strict=True)
        ],
    )
    keep = notable(values, step, 34)
    pins["text"] = [text if show else "" for text, show in zip(pins["text"], keep, strict=True)]
    pins = pins[values.notna()]
    low, high = min(0.0, cut.min()), max(0.0, cut.max())
    y_scale = scale(low, high, 34 if high > 0 else 22, 62 if low < 0 else 72)
    y = alt.Y("size:Q", axis=None, scale=y_scale)
    colour = alt.Color("colour:N", scale=None, legend=None)
    base = alt.Chart(pins)
    up, down = base.transform_filter("datum.size >= 0"), base.transform_filter("datum.size < 0")
    return [
        note_text(style.say("variance_last_year"), 0, 6, color=QUIET, fontSize=11),
        base.mark_bar(width=3).encode(x=x, y=y, color=colour, description=HOVER),
        base.mark_rule(color="#8c8c8c").encode(y=alt.YDatum(0, scale=y_scale, axis=None)),
        base.mark_point(shape="square", filled=True, fill=ACTUAL, opacity=1, size=30, aria=False).encode(x=x, y=y),
        up.mark_text(dy=-10, fontSize=11).encode(x=x, y=y, text=alt.Text("text:N"), color=colour),
        down.mark_text(dy=11, fontSize=11).encode(x=x, y=y, text=alt.Text("text:N"), color=colour),
    ]


def event_marks(frame: pd.DataFrame, x: Any, style: Style, y: float) -> Any:
    """Return the known events of a frame (Spring Festival, a price change) as words above their periods."""
    marked = frame[frame["event"].notna() & (frame["event"] != "")]
    rows = pd.DataFrame(
        {"t": [iso(each) for each in marked["period_start"]], "text": [f"▾{each}" for each in marked["event"]]}
    )
    return alt.Chart(rows).mark_text(color=ACCENT, fontSize=11).encode(x=x, y=alt.YValue(y), text=alt.Text("text:N"))
