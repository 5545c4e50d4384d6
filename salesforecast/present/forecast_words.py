"""What is said about forecasts, as keys of the `sentence` labels with their values: record, sum, methods, callers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from salesforecast.present.style import Style
from salesforecast.present.words import missing

if TYPE_CHECKING:
    import pandas as pd

Sentences = list[tuple[str, dict[str, Any]]]
Member = Callable[[Any, str], str]


def said(said: pd.DataFrame, landings: pd.DataFrame | None, outlook: pd.DataFrame | None, style: Style) -> Sentences:
    """Return what the last edition said and what happened, the record, and how the view of the year moved."""
    parts: Sentences = [("archive.first", {})] if said.empty else _record(said, style)
    facts = {} if outlook is None else outlook.attrs
    if landings is not None and len(landings) and facts:
        before, now = landings.iloc[-1], facts["landing"]
        change = now / before["forecast"] - 1 if before["forecast"] else None
        figures = {"before": style.prose(before["forecast"]), "now": style.prose(now), "change": change}
        parts.append(("archive.landing", {"made_on": before["made_on"], **figures}))
    return parts


def ahead(summary: Mapping[str, Any], measure: str, style: Style) -> Sentences:
    """Return what a forecast comes to over its horizon."""
    figures = {name: style.prose(summary[name]) for name in ("total", "lo_80", "hi_80", "high", "low")}
    figures |= {name: style.period(summary[name]) for name in ("first", "last", "high_period", "low_period")}
    key = "one" if summary["n"] == 1 else "total_alone" if missing(summary["yoy"]) else "total"
    return [(f"ahead.{key}", {**figures, "measure": measure, "yoy": summary["yoy"]})]


def members(weights: pd.DataFrame, member: Member, style: Style) -> Sentences:
    """Return which methods make up a forecast, the three heaviest by name."""
    if len(weights) == 1:
        return [("members.one", {"named": member(weights["model"].iloc[0], "model")})]
    named = style.words.word("list").join(
        f"{member(row.model, 'model')} {style.words.percent(row.weight, 0)}" for row in weights[:3].itertuples()
    )
    apart = weights["weight"].max() - weights["weight"].min() > 0.005
    return [("members.all" if apart else "members.equal", {"n": len(weights), "named": named})]


def parts(parts: pd.DataFrame, alone: float, style: Style) -> Sentences:
    """Return how the levels fit together and how far their whole is from the forecast made alone."""
    whole = float(parts["forecast"].iloc[0])
    change = whole / alone - 1 if alone else 0.0
    key = "parts.total_same" if abs(change) < 0.0005 else "parts.total"
    return [(key, {"total": style.prose(whole), "change": change})]


def leanings(callers: pd.DataFrame, most: int, member: Member, style: Style) -> Sentences:
    """Return who calls too high and who too low, beyond chance, the strongest by name."""
    found: Sentences = []
    for side in ("high", "low"):
        rows = callers[callers["leaning"] == side]
        named = style.words.word("list").join(
            f"{member(str(row.forecaster).partition(':')[2], 'person')} {style.words.change(row.bias)}"
            for row in rows.head(most).itertuples()
        )
        if named:
            found.append((f"callers.{side}", {"n": len(rows), "named": named}))
    return found or [("callers.even", {"n": len(callers)})]


def _record(said: pd.DataFrame, style: Style) -> Sentences:
    last, score, words = said.iloc[-1].to_dict(), said.attrs, style.words
    figures = {name: style.prose(last[name]) for name in ("forecast", "lo_80", "hi_80", "actual")}
    figures["period"] = style.period(last["period_start"])
    size = style.prose(abs(last["miss"])) if missing(last["miss_pct"]) else words.percent(abs(last["miss_pct"]))
    figures["off"] = words.word("too_high" if last["miss"] > 0 else "too_low").format(size=size)
    key = "point" if missing(last["lo_80"]) else "inside" if last["inside_80"] else "outside"
    parts: Sentences = [(f"archive.{key}", {"made_on": last["made_on"], **figures})]
    if score["n"] > 2:
        known = "record_alone" if missing(score["naive_wape"]) else "record"
        parts.append((f"archive.{known}", dict(score)))
        parts.append((f"archive.{score['leaning']}", {"size": abs(score["bias"])}))
    return parts
