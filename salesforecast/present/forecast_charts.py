"""Charts that judge forecasts: what was said beside what happened, what each step adds, who carries the combination."""

from __future__ import annotations

from typing import Any

import pandas as pd

from salesforecast.present.charts import (
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
from salesforecast.present.column_charts import last_row, numbers
from salesforecast.present.structure_charts import ranked
from salesforecast.present.words import missing

_STEPS = {"naive": LIGHT, "model": ACTUAL, "rep": ACTUAL, "manager": ACTUAL}


def _tell_said(frame: pd.DataFrame, style: Style) -> Sentences:
    known = frame[frame["actual"].notna() & frame["forecast"].notna()]
    row = last_row(known, "actual")
    if row is None:
        return []
    values: dict[str, Any] = {"period": style.period(row["period_start"]), "forecast": style.prose(row["forecast"])}
    values |= {"actual": style.prose(row["actual"]), "miss_pct": _off(row["forecast"], row["actual"])}
    said: Sentences = [("said.last", values)]
    banded = known[known["lo_80"].notna() & known["hi_80"].notna()] if "lo_80" in known.columns else known.iloc[:0]
    if len(banded):
        inside = (banded["actual"] >= banded["lo_80"]) & (banded["actual"] <= banded["hi_80"])
        said.insert(0, ("said.inside", {"n": len(banded), "inside": int(inside.sum())}))
    return said


def _off(forecast: Any, actual: Any) -> float:
    return float("nan") if missing(forecast) or missing(actual) or actual <= 0 else float(forecast) / float(actual) - 1


@kind(
    "said", _tell_said, needs=("period_start", "actual", "forecast"), shows=("lo_80", "hi_80", "miss_pct", "made_on"),
    scenarios=("actual", "forecast"),
)  # fmt: skip
def said(frame: pd.DataFrame, style: Style) -> Any:
    """Draw what was forecast for each period (hatched, its 80 % interval behind) beside what it came to (solid).

    Columns: period_start, actual, forecast; optional lo_80, hi_80. Above each period stands how far the forecast was
    off, in per cent of the actual; a period outside its interval is marked with a ring.
    """
    names = ("actual", "forecast", "lo_80", "hi_80")
    data = pd.DataFrame({name: numbers(frame, name, style.factor) for name in names})
    data.insert(0, "t", [iso(each) for each in frame["period_start"]])
    data["tip"] = tips(frame, [style.period(each) for each in frame["period_start"]], style, names)
    off = data["forecast"] / data["actual"].where(data["actual"] > 0) - 1
    data["off"] = ["" if missing(each) else style.words.change(each, 0) for each in off]
    step = (style.width - 10) / len(data)
    keep = notable(off.abs(), step, 40)
    data["off"] = [text if show else "" for text, show in zip(data["off"], keep, strict=True)]
    outside = (data["actual"] < data["lo_80"]) | (data["actual"] > data["hi_80"])
    top, height = 44, 230 if style.narrow else 270
    low, high = limits(data["actual"], data["forecast"], data["hi_80"], data["lo_80"])
    y_scale, x = scale(low, high, top, height), time_axis(frame["period_start"], style)
    base, hidden = alt.Chart(data), None
    shift = min(step * 0.17, 24.0)

    def y(name: str) -> Any:
        return alt.Y(f"{name}:Q", axis=hidden, scale=y_scale)

    def bar(name: str, offset: float, **mark: Any) -> Any:
        return base.transform_filter(f"isValid(datum['{name}'])").mark_bar(
            size=max(2.0, 2 * shift - 1), xOffset=offset, **mark
        ).encode(x=x, y=y(name), y2=alt.Y2Datum(0), description=HOVER)  # fmt: skip

    rings = data[outside]
    layers = [
        note_text(style.say("said_off"), 0, 6, color=QUIET, fontSize=11),
        base.mark_bar(size=4 * shift + max(6.0, step * 0.1), color=BAND, aria=False).encode(
            x=x, y=y("lo_80"), y2=alt.Y2("hi_80")
        ),
        bar("actual", -shift, color=ACTUAL),
        bar("forecast", shift, color=HATCH, stroke=ACTUAL, strokeWidth=1),
        base.mark_rule(color="#8c8c8c").encode(y=alt.YDatum(0, scale=y_scale, axis=hidden)),
        base.mark_text(fontSize=11).encode(x=x, y=alt.YValue(24), text=alt.Text("off:N")),
    ]
    if len(rings):
        mark = alt.Chart(rings[["t"]]).mark_point(shape="circle", size=460, filled=False, stroke=ACTUAL, aria=False)
        layers.append(mark.encode(x=x, y=alt.YValue(24)))
    return finish(layers, style, height)


def _tell_fva(frame: pd.DataFrame, style: Style) -> Sentences:
    known = frame[frame["wape"].notna()]
    if known.empty:
        return []
    said: Sentences = [
        (f"fva.{row['verdict']}", {"step": style.say(f"step_{row['step']}"), "size": _points(row["fva"], style)})
        for _, row in known.iterrows()
        if not missing(row.get("fva")) and row.get("verdict") in ("adds", "loses", "even")
    ]
    last = known.iloc[-1]
    first = known.iloc[0]
    ends = {"first": style.say(f"step_{first['step']}"), "wape": first["wape"]}
    ends |= {"last": style.say(f"step_{last['step']}"), "last_wape": last["wape"]}
    return [("fva.whole", ends), *said]


def _points(value: float, style: Style) -> str:
    return style.words.points(abs(value)).lstrip("+")


@kind("fva", _tell_fva, needs=("step", "wape"), shows=("bias", "fva", "n", "verdict"), ratio="wape")
def fva(frame: pd.DataFrame, style: Style) -> Any:
    """Draw the error of each step of a forecast as a stair: a column a step, between them what the step gains or loses.

    Columns: step (naive, model, rep, manager), wape (a ratio); optional fva (error of the step before − own), verdict
    (adds, loses, even: the last is drawn grey).
    """
    rows = frame.reset_index(drop=True)
    spots: list[dict[str, Any]] = []
    gains: list[dict[str, Any]] = []
    before: float | None = None
    for index, row in rows.iterrows():
        value = float("nan") if missing(row["wape"]) else 100 * float(row["wape"])
        name = style.say(f"step_{row['step']}")
        if before is not None:
            gain = before - value
            sure = row.get("verdict") in ("adds", "loses")
            tone = "#8c8c8c" if not sure else style.good if gain > 0 else style.bad
            text = "" if missing(gain) else f"{'▼' if gain > 0 else '▲'} {texts([abs(gain)], 1)[0]}"
            gains.append({"t": f"{index}-", "low": min(before, value), "high": max(before, value),
                          "colour": tone, "text": text, "tip": f"tip:{name} {text}"})  # fmt: skip
        text = "" if missing(value) else f"{texts([value], 1)[0]}%"
        spots.append({"t": f"{index}", "value": value, "colour": _STEPS.get(row["step"], ACTUAL), "text": text,
                      "name": name, "tip": f"tip:{name} {text}"})  # fmt: skip
        before = value
    order = [each for index in range(len(rows)) for each in ([f"{index}-"] if index else []) + [f"{index}"]]
    words = {each["t"]: each["name"] for each in spots}
    data, height, top = pd.DataFrame(spots), 230, 30
    low, high = limits(data["value"])
    y_scale = scale(low, high, top, height)
    axis = alt.Axis(values=list(words), labelExpr=_names(words), labelAngle=0, labelOverlap=False, title=None)
    x = alt.X("t:O", sort=None, axis=axis, scale=alt.Scale(domain=order, type="band", paddingInner=0.1))
    colour = alt.Color("colour:N", scale=None, legend=None)
    y, hidden = alt.Y("value:Q", axis=None, scale=y_scale), None
    layers = [
        alt.Chart(data).mark_bar(width={"band": 0.8}).encode(x=x, y=y, color=colour, description=HOVER),
        alt.Chart(data).mark_text(dy=-8).encode(x=x, y=y, text=alt.Text("text:N")),
        alt.Chart(data[["t"]]).mark_rule(color="#8c8c8c").encode(y=alt.YDatum(0, scale=y_scale, axis=hidden)),
    ]
    if gains:
        steps = alt.Chart(pd.DataFrame(gains))
        high_y = alt.Y("high:Q", axis=None, scale=y_scale)
        layers += [
            steps.mark_bar(width={"band": 0.5}).encode(
                x=x, y=high_y, y2=alt.Y2("low"), color=colour, description=HOVER
            ),
            steps.mark_text(dy=-8).encode(x=x, y=high_y, text=alt.Text("text:N"), color=colour),
        ]
    return finish(layers, style, height)


def _names(words: dict[str, str]) -> str:
    """Return an expression that gives positions their names: our own words, no data text."""
    import json

    return f"({json.dumps(words, ensure_ascii=False)})[datum.value]"


def _tell_weights(frame: pd.DataFrame, style: Style) -> Sentences:
    known = frame[frame["weight"].notna()].sort_values("weight")
    if known.empty:
        return []
    if known["weight"].max() - known["weight"].min() <= 0.005:
        return [("weights.equal", {"n": len(known)})]
    return [("weights.first", {"model": known.iloc[-1]["model"], "weight": known.iloc[-1]["weight"]})]


@kind("weights", _tell_weights, needs=("model", "weight"), shows=("error",), ratio="weight")
def weights(frame: pd.DataFrame, style: Style) -> Any:
    """Draw how much each method counts in a combination, the largest first.

    Columns: model, weight (0 to 1).
    """
    return ranked(frame, "weight", style)
