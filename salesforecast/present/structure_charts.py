"""Charts of structure: members from top to bottom, largest first, with their variance beside them."""

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
    TEXT,
    Sentences,
    Style,
    alt,
    finish,
    kind,
    limits,
    note_text,
    texts,
    tips,
)  # fmt: skip
from salesforecast.present.words import missing

LIMIT = 15
TOTAL = "*"


def member_column(frame: pd.DataFrame) -> str:
    """Return the column that names the members: `scope_id` or the first one that holds text.

    >>> member_column(pd.DataFrame({"region": ["华东"], "value": [1.0]}))
    'region'
    """
    if "scope_id" in frame.columns:
        return "scope_id"
    texty = [each for each in frame.columns if not pd.api.types.is_numeric_dtype(frame[each])]
    return str((texty or list(frame.columns))[0])


def _members(frame: pd.DataFrame, by: str) -> tuple[pd.DataFrame, int]:
    """Return the largest members without the total row, and how many more there are."""
    rows = frame[frame[member_column(frame)].astype(str) != TOTAL]
    rows = rows.sort_values(by, ascending=False, kind="stable", na_position="last")
    return rows.head(LIMIT).reset_index(drop=True), max(len(rows) - LIMIT, 0)


def _named(rows: pd.DataFrame) -> list[str]:
    """Return member names, each once: a name that comes again gets a number."""
    seen: dict[str, int] = {}
    names = []
    for each in rows[member_column(rows)].astype(str):
        seen[each] = seen.get(each, 0) + 1
        names.append(each if seen[each] == 1 else f"{each} ({seen[each]})")
    return names


class _Rows:
    """The geometry of a structure chart: names left, bars in the middle, variances right."""

    def __init__(self, rows: pd.DataFrame, style: Style, share: float, step: int = 34, names: int = 92) -> None:
        self.style, self.names = style, _named(rows)
        self.height = step * len(rows) + 22
        self.bar = 15
        limit = names if style.narrow else 190
        axis = alt.Axis(
            labelLimit=limit, domain=False, title=None, labelPadding=8, labelOverlap=False, labelFontSize=12,
        )  # fmt: skip
        self.y = alt.Y(
            "name:N", sort=self.names, axis=axis,
            scale=alt.Scale(domain=self.names, range=[22, self.height], paddingInner=0, paddingOuter=0),
        )  # fmt: skip
        self.left: list[Any] = [0, {"expr": f"width * {share}"}]
        self.right: list[Any] = [{"expr": f"width * {share + 0.11}"}, {"expr": "width - 44"}]

    def x(self, field: str, low: float, high: float) -> Any:
        """Return the horizontal scale of the bars."""
        return alt.X(f"{field}:Q", axis=None, scale=self._scale(low, high))

    def _scale(self, low: float, high: float) -> Any:
        return alt.Scale(domain=[low, high], range=self.left, zero=False, nice=False)

    def rule(self, low: float, high: float) -> Any:
        """Return the zero line of the bars."""
        at = alt.XDatum(0, type="quantitative", axis=None, scale=self._scale(low, high))
        return alt.Chart(alt.InlineData([{"zero": 0}])).mark_rule(color="#8c8c8c").encode(
            x=at, y=alt.YValue(22), y2=alt.Y2Value(self.height)
        )  # fmt: skip


def _tell_bars(frame: pd.DataFrame, style: Style) -> Sentences:
    rows, more = _members(frame, "value")
    if rows["value"].notna().sum() == 0:
        return [("bars.nothing", {})]
    first, member = rows.iloc[0], member_column(rows)
    values = {"member": first[member], "value": style.prose(first["value"]), "count": len(rows) + more}
    said: Sentences = [("bars.first", values)]
    if "share" in rows.columns and not missing(first["share"]):
        said = [("bars.first_share", {**values, "share": first["share"]})]
    changes = _changes(rows)
    if changes.notna().any():
        best, worst = changes.idxmax(), changes.idxmin()
        said.append(("bars.changes", {
            "best": rows.loc[best, member], "best_yoy": changes[best],
            "worst": rows.loc[worst, member], "worst_yoy": changes[worst],
        }) if best != worst else ("bars.change", {"member": rows.loc[best, member], "yoy": changes[best]}))  # fmt: skip
    if more:
        said.append(("bars.more", {"more": more}))
    return said


def _changes(rows: pd.DataFrame) -> pd.Series:
    """Return the change to the year before: the frame's own, else from the two numbers shown."""
    if "yoy" in rows.columns:
        return pd.to_numeric(rows["yoy"]).astype(float)
    if "last_year" not in rows.columns:
        return pd.Series(float("nan"), index=rows.index)
    base = pd.to_numeric(rows["last_year"]).astype(float)
    return pd.to_numeric(rows["value"]).astype(float) / base.where(base > 0) - 1


@kind(
    "bars", _tell_bars, needs=("value",), shows=("last_year", "yoy", "share", "contribution", "target", "attainment"),
    scenarios=("actual", "last_year"),
)  # fmt: skip
def bars(frame: pd.DataFrame, style: Style) -> Any:
    """Draw one bar a member before its year before, largest first, and the change as a pin beside it.

    Columns: a text column of members, value; optional last_year, yoy. At most 15 members; the rest is counted.
    """
    return _bars(frame, style)


def _tell_ahead(frame: pd.DataFrame, style: Style) -> Sentences:
    return _tell_bars(frame.rename(columns={"forecast": "value"}), style)


@kind(
    "bars_ahead", _tell_ahead, needs=("forecast",), shows=("lo_80", "hi_80", "last_year", "yoy", "share"),
    scenarios=("forecast", "last_year"),
)  # fmt: skip
def bars_ahead(frame: pd.DataFrame, style: Style) -> Any:
    """Draw the forecast of each member, hatched, with its 80 % interval, the year before behind it and the change.

    Columns: a text column of members, forecast; optional lo_80, hi_80, last_year, yoy.
    """
    return _bars(frame.rename(columns={"forecast": "value"}), style, ahead=True)


def _bars(frame: pd.DataFrame, style: Style, ahead: bool = False) -> Any:
    rows, more = _members(frame, "value")
    data = pd.DataFrame({"name": _named(rows), "value": pd.to_numeric(rows["value"]).astype(float) / style.factor})
    data["last_year"] = (
        pd.to_numeric(rows["last_year"]).astype(float) / style.factor if "last_year" in rows else float("nan")
    )
    for name in ("lo_80", "hi_80"):
        known = ahead and name in rows
        data[name] = pd.to_numeric(rows[name]).astype(float) / style.factor if known else float("nan")
    data["label"] = texts(data["value"])
    data["end"] = data[["value", "last_year", "hi_80"]].max(axis=1).clip(lower=0)
    data["tip"] = tips(rows, data["name"].tolist(), style, ("value", "lo_80", "hi_80", "last_year"))
    changes = _changes(rows)
    has_changes = bool(changes.notna().any())
    grid = _Rows(rows, style, 0.62 if has_changes else 0.86)
    low, high = limits(data["value"], data["last_year"], data["hi_80"], data["lo_80"])
    x, base = grid.x("value", low, high), alt.Chart(data)
    look: dict[str, Any] = {"color": HATCH, "stroke": ACTUAL, "strokeWidth": 1} if ahead else {"color": ACTUAL}
    band = base.transform_filter("isValid(datum.lo_80) && isValid(datum.hi_80)").mark_bar(
        size=25, color=BAND, aria=False
    )
    layers = [band.encode(y=grid.y, x=grid.x("lo_80", low, high), x2=alt.X2("hi_80"))] if ahead else []
    layers += [
        base.mark_bar(size=grid.bar, yOffset=-4, color=LIGHT).encode(
            y=grid.y, x=grid.x("last_year", low, high), description=HOVER
        ),
        base.mark_bar(size=grid.bar, **look).encode(y=grid.y, x=x, description=HOVER),
        grid.rule(low, high),
        base.mark_text(align="left", dx=5).encode(y=grid.y, x=grid.x("end", low, high), text=alt.Text("label:N")),
    ]
    if has_changes:
        layers += _variance(changes * 100, data, grid, style, style.say("variance_last_year"))
    return finish(layers + _rest(more, grid, style), style, grid.height + (20 if more else 0), shared="y")


def _variance(values: pd.Series, data: pd.DataFrame, grid: _Rows, style: Style, title: str) -> list[Any]:
    """Return the pins right of the bars; what exceeds the scale is cut there, its figure is not."""
    bound = min(max(float(values.abs().max()), 1e-9), 60.0)
    cut = values.clip(-bound, bound)
    pins = data.assign(
        size=cut,
        colour=[style.colour(0 if missing(each) else each) for each in values],
        text=[_arrow(each, text) for each, text in zip(values, texts(values, 1), strict=True)],
        start=0.0,
    )[values.notna()]
    colour = alt.Color("colour:N", scale=None, legend=None)
    head = note_text(title, grid.right[0]["expr"], 8, color=QUIET, fontSize=11)
    if style.narrow:
        right = alt.Chart(pins).mark_text(align="right", fontSize=12)
        return [
            note_text(title, "width", 8, color=QUIET, fontSize=11, align="right"),
            right.encode(y=grid.y, x=alt.XValue(alt.ExprRef("width")), text=alt.Text("text:N"), color=colour),
        ]
    low, high = min(0.0, float(cut.min())), max(0.0, float(cut.max()))
    # The figure of a falling member stands left of its pin: the scale leaves room for it.
    room = (high - low) * 0.28 if low < 0 else 0
    x_scale = alt.Scale(domain=[low - room, high], range=grid.right, zero=False, nice=False)
    x = alt.X("size:Q", axis=None, scale=x_scale)
    base = alt.Chart(pins)
    zero = alt.XDatum(0, type="quantitative", axis=None, scale=x_scale)
    return [
        head,
        base.mark_bar(size=3).encode(y=grid.y, x=x, color=colour, description=HOVER),
        alt.Chart(alt.InlineData([{"zero": 0}])).mark_rule(color="#8c8c8c").encode(
            x=zero, y=alt.YValue(22), y2=alt.Y2Value(grid.height)
        ),
        base.mark_point(shape="square", filled=True, fill=ACTUAL, opacity=1, size=36, aria=False).encode(y=grid.y, x=x),
        base.transform_filter("datum.size >= 0").mark_text(align="left", dx=8).encode(
            y=grid.y, x=x, text=alt.Text("text:N"), color=colour
        ),
        base.transform_filter("datum.size < 0").mark_text(align="right", dx=-8).encode(
            y=grid.y, x=x, text=alt.Text("text:N"), color=colour
        ),
    ]  # fmt: skip


def _arrow(value: float, text: str) -> str:
    """Return a variance with its sign and shape; what rounds to zero has neither."""
    if not text.strip("0.,−"):
        return text
    return f"▲ +{text}" if value > 0 else f"▼ {text}"


def _rest(more: int, grid: _Rows, style: Style) -> list[Any]:
    if not more:
        return []
    return [note_text(style.say("more").format(more=more), 0, grid.height + 12, color=QUIET)]


def _tell_attainment(frame: pd.DataFrame, style: Style) -> Sentences:
    member = member_column(frame)
    rows, more = _members(frame, "target")
    known = rows[rows["attainment"].notna()]
    said: Sentences = []
    total = frame[frame[member].astype(str) == TOTAL]
    if len(total) and not missing(total.iloc[0]["attainment"]):
        row = total.iloc[0]
        said.append(("attainment.total", {
            "attainment": row["attainment"], "actual": style.prose(row["actual"]), "target": style.prose(row["target"]),
        }))  # fmt: skip
    if known.empty:
        return said or [("attainment.nothing", {})]
    best, worst = known.loc[known["attainment"].idxmax()], known.loc[known["attainment"].idxmin()]
    if len(known) > 1:
        said.append(("attainment.spread", {
            "best": best[member], "best_value": best["attainment"],
            "worst": worst[member], "worst_value": worst["attainment"],
        }))  # fmt: skip
    elif not said:
        said.append(("attainment.one", {"member": best[member], "attainment": best["attainment"]}))
    progress = known["time_progress"].dropna() if "time_progress" in known.columns else known["attainment"].iloc[:0]
    if len(progress) and progress.iloc[0] < 1:
        behind = int((known["attainment"] < known["time_progress"]).sum())
        said.append(("attainment.progress", {"progress": progress.iloc[0], "behind": behind, "count": len(known)}))
    if more:
        said.append(("bars.more", {"more": more}))
    return said


@kind(
    "attainment", _tell_attainment, needs=("actual", "target", "attainment"),
    shows=("time_progress", "pace", "gap", "landing"), scenarios=("actual", "target", "time_progress"),
)  # fmt: skip
def attainment(frame: pd.DataFrame, style: Style) -> Any:
    """Draw one bullet a member: actual solid inside its outlined target, a tick where the time says it should be.

    Columns: a text column of members, actual, target, attainment; optional time_progress. Ordered by target.
    """
    rows, more = _members(frame, "target")
    number = {each: pd.to_numeric(rows[each]).astype(float) for each in ("actual", "target", "attainment")}
    progress = (
        pd.to_numeric(rows["time_progress"]).astype(float)
        if "time_progress" in rows.columns
        else pd.Series(float("nan"), index=rows.index)
    )
    data = pd.DataFrame({
        "name": _named(rows),
        "actual": number["actual"] / style.factor,
        "target": number["target"] / style.factor,
        "due": (number["target"] * progress).where(progress < 1) / style.factor,
    })  # fmt: skip
    data["end"] = data[["actual", "target"]].max(axis=1).clip(lower=0)
    data["label"] = ["" if missing(each) else style.words.percent(each, 0) for each in number["attainment"]]
    data["tip"] = tips(rows, data["name"].tolist(), style, ("actual", "target"))
    ahead = (number["attainment"] - progress) * 100
    has_progress = bool(ahead[progress < 1].notna().any())
    grid = _Rows(rows, style, 0.6 if has_progress else 0.86)
    low, high = limits(data["actual"], data["target"])
    base = alt.Chart(data)
    layers = [
        base.mark_bar(size=22, fill="none", filled=False, stroke=ACTUAL, strokeWidth=1.2).encode(
            y=grid.y, x=grid.x("target", low, high), description=HOVER
        ),
        base.mark_bar(size=12, color=ACTUAL).encode(y=grid.y, x=grid.x("actual", low, high), description=HOVER),
        base.mark_tick(size=28, thickness=2.4, color=ACCENT, aria=False).encode(y=grid.y, x=grid.x("due", low, high)),
        grid.rule(low, high),
        base.mark_text(align="left", dx=6, fontWeight="bold").encode(
            y=grid.y, x=grid.x("end", low, high), text=alt.Text("label:N")
        ),
    ]  # fmt: skip
    if has_progress:
        layers += _variance(ahead, data, grid, style, style.say("variance_progress"))
    return finish(layers + _rest(more, grid, style), style, grid.height + (20 if more else 0), shared="y")


def _tell_accuracy(frame: pd.DataFrame, style: Style) -> Sentences:
    known = frame[frame["wape"].notna()].sort_values("wape")
    if known.empty:
        return [("accuracy.nothing", {})]
    best = known.iloc[0]
    said: Sentences = [("accuracy.best", {"model": best["model"], "wape": best["wape"]})]
    if len(known) > 1:
        worst = known.iloc[-1]
        said.append(("accuracy.worst", {"model": worst["model"], "wape": worst["wape"]}))
    return said


@kind("accuracy", _tell_accuracy, needs=("model", "wape"), shows=("mase", "bias", "coverage_80", "n"), ratio="wape")
def accuracy(frame: pd.DataFrame, style: Style) -> Any:
    """Draw the weighted error of each forecast method, smallest first; the naive one, the yardstick, is light.

    Columns: model, wape (a ratio); an optional `naive` column says which rows are the yardstick.
    """
    return ranked(frame, "wape", style, ascending=True)


def ranked(frame: pd.DataFrame, column: str, style: Style, ascending: bool = False) -> Any:
    """Return bars of a ratio by model, in the order of their size; rows whose `naive` is true are light."""
    rows = frame.sort_values(column, ascending=ascending, na_position="last", kind="stable").head(LIMIT)
    rows = rows[["model", *[each for each in rows.columns if each != "model"]]].reset_index(drop=True)
    naive = rows["naive"].astype(bool) if "naive" in rows.columns else pd.Series(False, index=rows.index)
    data = pd.DataFrame({"name": _named(rows), "size": rows[column].astype(float) * 100})
    data["label"] = ["" if not text else f"{text}%" for text in texts(data["size"], 1)]
    data["colour"] = [LIGHT if each else ACTUAL for each in naive]
    data["tip"] = [f"tip:{name} {text}" for name, text in zip(data["name"], data["label"], strict=True)]
    grid = _Rows(rows, style, 0.8, step=28, names=150)
    low, high = limits(data["size"])
    base, x = alt.Chart(data), grid.x("size", low, high)
    bars = base.mark_bar(size=14).encode(
        y=grid.y, x=x, color=alt.Color("colour:N", scale=None, legend=None), description=HOVER
    )
    names = base.mark_text(align="left", dx=5, color=TEXT).encode(y=grid.y, x=x, text=alt.Text("label:N"))
    return finish([bars, grid.rule(low, high), names], style, grid.height, shared="y")
