"""What was said and what happened: forecasts for the archive, and those of earlier editions beside the actuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from salesforecast import forecasting, measures
from salesforecast.analysis.running import remainder
from salesforecast.analysis.year import NAIVE, by_month
from salesforecast.errors import NoData
from salesforecast.findings import Finding
from salesforecast.forecasting import archive as archives
from salesforecast.measures import MEASURES
from salesforecast.workbench import SCOPES, company_basis

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

__all__ = [
    "accuracy",
    "actuals",
    "archived",
    "callers",
    "findings",
    "fva",
    "landings",
    "record",
    "replayed",
    "rows",
    "said",
]

NAN = float("nan")
LEAST_RECORDS = 4  # forecasts with an outcome, before a leaning is reported as a finding
REPLAYED = 24  # past periods that are forecast again where people's calls are older than the archive


def rows(
    wb: Workbench, forecast: pd.DataFrame, outlook: pd.DataFrame | None = None, measure: str = "revenue",
    grain: str = "month", by: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return a forecast as rows for the archive, which `show.archive` hands over and publishing stores.

    `forecast` is a frame of `sf.forecast` or of `targets.ahead`, rows of the seasonal naive method included; `by` is
    the scope type of its series where it has several, named by `unique_id`. Columns as `forecasting.archive.rows`.
    With the `outlook` made from it, the month in progress is archived as the page shows it, sold so far and the rest,
    and the landing of the fiscal year with it. On another basis than the company's a measure is archived under a name
    of its own (`revenue:invoice`, and `receipts` for revenue on payments), so that two bases never meet.
    """
    name, scope = _archived_name(wb, measure), _scope(wb)
    if forecast.empty:
        return archives.rows(pd.DataFrame(columns=["unique_id", "ds", "model", "mean"]), name)
    if by is not None:
        return archives.rows(forecast, name, grain, by, None)
    made = archives.rows(forecast, name, grain, *scope)
    if outlook is None:
        return made
    parts = [made]
    to_come = outlook[outlook["kind"] != "actual"].set_index("period_start")
    for naive in sorted(set(forecast["model"] == NAIVE)):
        months = by_month(forecast, naive)
        months = months[months.index.isin(to_come.index)]
        landed = remainder(wb, months)
        sold = to_come["actual"].reindex(landed.index).fillna(0.0)
        bounds = [each for each in landed.columns if str(each).startswith(("mean", "lo_", "hi_"))]
        landed[bounds] = landed[bounds].add(sold, axis=0)
        running = landed[to_come["kind"].reindex(landed.index) == "partial"]
        parts += [archives.rows(running, name, "month", *scope), _year_row(wb, outlook, landed, name, scope, naive)]
    # The first of two rows for a month is the forecast of a whole month, the second what the page shows.
    return pd.concat([each for each in parts if len(each)], ignore_index=True).drop_duplicates(
        ["forecaster", *archives.TARGET], keep="last", ignore_index=True
    )


def archived(wb: Workbench, measure: str = "revenue") -> pd.DataFrame:
    """Return what was forecast before the as-of date for a measure: archived forecasts and people's calls.

    One row per key of the table `forecasts`, the first that was said; under a scope only forecasts for it. Raises
    `NoData` (note `no_archive`) where there is none.
    """
    table = wb.table("forecasts")
    mine = table["measure"] == _archived_name(wb, measure)
    if wb.scope:
        scope_type, scope_id = _scope(wb)
        mine &= (table["scope_type"] == scope_type) & (table["scope_id"] == scope_id)
    found = archives.first_said(table[mine]).assign(measure=measure)
    if found.empty:
        raise NoData(
            f"No forecast of {measure} made before {wb.as_of} is archived. Publish a review that forecasts it.",
            note="no_archive",
        )
    for column in ("made_on", "period_start"):
        found[column] = pd.to_datetime(found[column])
    return found


def actuals(wb: Workbench, archive: pd.DataFrame) -> pd.DataFrame:
    """Return what happened in the finished periods that an archive speaks about.

    Columns: measure, scope_type, scope_id, grain, period_start, y. Periods that the data does not cover, measures that
    are no sums over lines and scope types that sales cannot be divided by have no row; a member without sales has 0.
    """
    parts = []
    first = wb.calendar.period(wb.bounds[0], "month").start
    for names, group in archive.groupby(["measure", "scope_type", "grain"], sort=True):
        measure, scope_type, grain = map(str, names)
        own = (scope_type, group["scope_id"].iloc[0]) == _scope(wb)
        if measure not in MEASURES or MEASURES[measure].sql is None or not (own or scope_type in SCOPES):
            continue
        periods = [wb.calendar.period(each.date(), grain) for each in group["period_start"].drop_duplicates()]
        known = [each for each in periods if each.start >= first and each.start <= wb.as_of and wb.finished(each)]
        if not known:
            continue
        by = [] if own else [SCOPES[scope_type]]
        start, end = min(each.start for each in known), max(each.end for each in known)
        found = measures.values(wb, [measure], by=by, grain=grain, start=start, end=min(end, wb.as_of))
        found = found.rename(columns={measure: "y", **dict.fromkeys(by, "scope_id")})
        found = found.assign(scope_id=group["scope_id"].iloc[0]) if own else found
        targets = group[["scope_id", "period_start"]].drop_duplicates()
        targets = targets[targets["period_start"].isin(pd.DatetimeIndex([each.start for each in known]))]
        found["period_start"] = pd.to_datetime(found["period_start"]).astype(targets["period_start"].dtype)
        joined = targets.merge(found, on=["scope_id", "period_start"], how="left")
        joined["y"] = joined["y"].astype("float64").fillna(0.0 if MEASURES[measure].additive else NAN)
        parts.append(joined.assign(measure=measure, scope_type=scope_type, grain=grain))
    columns = [*archives.TARGET, "y"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def said(
    wb: Workbench, period: str | Period | None = None, measure: str = "revenue", grain: str = "month", last: int = 12
) -> pd.DataFrame:
    """Return what the last edition before each month (week, quarter, …) said about it, and what it came to.

    One row per finished period up to `period` (default: the as-of date), the last so many, earliest first:
    period_start, made_on, forecaster, forecast, lo_80, hi_80, lo_95, hi_95, actual, miss (forecast − actual), miss_pct
    (miss / actual, positive: too high), inside_80, inside_95, naive (the seasonal naive forecast of the same day). A
    forecast counts when it was made before its period began or on the first day of it. No rows where no such forecast
    has an outcome yet.

    `attrs` scores the rows: n, wape, naive_wape, bias, leaning (`forecasting.archive.evaluate`), inside (count inside
    the 80 % interval).
    """
    until = wb.period(period).end if period is not None else wb.as_of
    try:
        archive = _own(wb, archived(wb, measure), grain)
    except NoData:
        archive = pd.DataFrame(columns=[*archives.KEY, *archives.FIGURES])
    judged = archives.outcomes(archive, actuals(wb, archive))
    judged = judged[(judged["period_start"] <= pd.Timestamp(until)) & (judged["lag"] >= 1)]
    naive = judged[judged["step"] == "naive"]
    ours = judged[judged["step"] == "model"].sort_values("made_on", kind="stable")
    ours = ours.drop_duplicates("period_start", keep="last").sort_values("period_start").tail(last)
    beside = naive[["made_on", "period_start", "value"]].rename(columns={"value": "naive"})
    frame = ours.merge(beside, on=["made_on", "period_start"], how="left")
    frame = frame.rename(columns={"error": "miss", "value": "forecast", "y": "actual"})
    frame["miss_pct"] = frame["miss"] / frame["actual"].where(frame["actual"] > 0)
    frame = frame[
        ["period_start", "made_on", "forecaster", "forecast", "lo_80", "hi_80", "lo_95", "hi_95", "actual", "miss",
         "miss_pct", "inside_80", "inside_95", "naive"]
    ]  # fmt: skip
    if len(frame):
        both = pd.concat([ours, naive], ignore_index=True)[[*archives.KEY, *archives.FIGURES]]
        score = archives.evaluate(both, actuals(wb, both), "step").set_index("step").loc["model"].to_dict()
        frame.attrs = {**score, "inside": int(frame["inside_80"].sum())}
    return frame


def landings(wb: Workbench, period: str | Period, measure: str = "revenue") -> pd.DataFrame:
    """Return what earlier editions expected the fiscal year of a period to come to, earliest first.

    Columns: made_on, period_start (of the year), forecast, lo_80, hi_80. No rows where none was archived.
    """
    year = wb.calendar.period(wb.period(period).end, "year")
    year = wb.calendar.shift(year, 1) if wb.finished(year) else year
    try:
        archive = _own(wb, archived(wb, measure), "year")
    except NoData:
        archive = pd.DataFrame(columns=[*archives.KEY, *archives.FIGURES])
    mine = (archive["forecaster"].map(archives.step) == "model") & (archive["period_start"] == pd.Timestamp(year.start))
    found = archive[mine].sort_values("made_on").rename(columns={"value": "forecast"})
    return found[["made_on", "period_start", "forecast", "lo_80", "hi_80"]].reset_index(drop=True)


def accuracy(wb: Workbench, by: str | Sequence[str] = ("forecaster", "lag"), measure: str = "revenue") -> pd.DataFrame:
    """Judge every archived forecast and every call of a person whose outcome is known (`forecasting.archive.evaluate`).

    Raises `NoData` where there is none.
    """
    archive = archived(wb, measure)
    return _some(archives.evaluate(archive, actuals(wb, archive), by), wb, measure)


def record(wb: Workbench, measure: str = "revenue", grain: str = "month") -> pd.DataFrame:
    """Return how good the archived forecasts of models were, by scope and by how far ahead they looked.

    Columns: scope_type, scope_id, lag, wape, naive_wape, bias, coverage_80, coverage_95, n, the company first. Raises
    `NoData` without an archived forecast that has an outcome.
    """
    archive = archived(wb, measure)
    archive = archive[archive["grain"] == grain]
    archive = archive[archive["forecaster"].map(archives.step).isin(["model", "naive"])]
    found = archives.evaluate(archive, actuals(wb, archive), ["scope_type", "scope_id", "step", "lag"])
    found = _some(found[found["step"] == "model"], wb, measure)
    company = found["scope_type"] != "company"
    found = found.assign(order=company).sort_values(["order", "scope_type", "scope_id", "lag"], ignore_index=True)
    return found[["scope_type", "scope_id", "lag", "wape", "naive_wape", "bias", "coverage_80", "coverage_95", "n"]]


def callers(wb: Workbench, measure: str = "revenue") -> pd.DataFrame:
    """Return how good people's calls were: one row per caller, the strongest leaning first.

    Columns of `forecasting.archive.evaluate` by forecaster (`rep:<id>`, `manager:<id>`). Raises `NoData` without calls
    that have an outcome.
    """
    try:
        archive = archived(wb, measure)
        calls = archive[archive["forecaster"].map(archives.step).isin(["rep", "manager"])]
    except NoData:
        calls = pd.DataFrame()
    if calls.empty:
        raise NoData(
            "No calls of people: table forecasts has no rows of rep:<id> or manager:<id>. Import their forecasts.",
            note="no_calls",
        )
    found = _some(archives.evaluate(calls, actuals(wb, calls), "forecaster"), wb, measure)
    order = found.assign(even=found["leaning"] == "even", size=found["bias"].abs())
    return order.sort_values(["even", "size"], ascending=[True, False], kind="stable", ignore_index=True)[found.columns]


def fva(wb: Workbench, measure: str = "revenue", replay: int = REPLAYED) -> pd.DataFrame:
    """Return what each step naive → model → rep → manager adds to forecasts (`forecasting.archive.fva`).

    Where people's calls are older than the archive, model and naive forecasts are made again as they would have been
    then (`replayed`). Raises `NoData` where no two steps speak about the same targets.
    """
    archive = archived(wb, measure)
    calls = archive[archive["forecaster"].map(archives.step).isin(["rep", "manager"])]
    both = pd.concat([replayed(wb, calls, measure, replay), archive], ignore_index=True)
    both = both.drop_duplicates(archives.KEY, keep="last", ignore_index=True)
    return _some(archives.fva(both, actuals(wb, both)), wb, measure)


def replayed(wb: Workbench, calls: pd.DataFrame, measure: str = "revenue", most: int = REPLAYED) -> pd.DataFrame:
    """Return model and seasonal naive forecasts for the targets of people's calls, made from what was known then.

    One period ahead, for the last `most` periods: rows of an archive whose `made_on` is the first day of the target,
    which counts as one period ahead. What is known today about those days is used, corrections since then included.
    """
    parts = []
    for names, group in calls.groupby(["scope_type", "grain"], sort=True):
        scope_type, grain = map(str, names)
        own = (scope_type, group["scope_id"].iloc[0]) == _scope(wb)
        if not (own or scope_type in SCOPES):
            continue
        try:
            panel = forecasting.panel(wb, measure, by=[] if own else [SCOPES[scope_type]], grain=grain)
            panel = panel if own else panel[panel["unique_id"].isin(group["scope_id"])]
            known = forecasting.calendar_regressors(wb.calendar, panel, 1)
            past = forecasting.backtest(panel, horizon=1, windows=most, regressors=known)
        except NoData:
            continue
        naive = past.assign(model=NAIVE, mean=past["naive"], lo_80=NAN, hi_80=NAN, lo_95=NAN, hi_95=NAN)
        made = pd.concat([past, naive], ignore_index=True)
        found = archives.rows(made, measure, grain, scope_type, group["scope_id"].iloc[0] if own else None)
        parts.append(found.assign(made_on=found["period_start"]))
    return pd.concat(parts, ignore_index=True) if parts else calls.iloc[:0]


def findings(wb: Workbench, period: str | Period, said: pd.DataFrame) -> list[Finding]:
    """Return what the record says about forecasts and period: that the last one missed, or that they keep leaning.

    `said` is the frame of that function. `forecast_missed_high`/`_low`: the period's actual lies outside the 80 %
    interval of what was said before it; amount: actual − forecast. `forecast_leans_high`/`_low`: at least
    `LEAST_RECORDS` monthly forecasts with an outcome lean to one side beyond chance; amount: −mean error.
    """
    if said.empty:
        return []
    chosen, last = wb.period(period), said.iloc[-1]
    if last["period_start"] == pd.Timestamp(chosen.start) and last["inside_80"] == 0:
        values = {name: float(last[name]) for name in ("forecast", "lo_80", "hi_80", "actual", "miss_pct")}
        values |= {"gap": abs(float(last["miss"])), "made_on": last["made_on"].date().isoformat()}
        kind = f"forecast_missed_{'high' if last['miss'] > 0 else 'low'}"
        return [_finding(kind, -float(last["miss"]), 0.8 if last["inside_95"] == 1 else 0.95, chosen.id, values)]
    score, mean = said.attrs, float(said["miss"].mean())
    if len(said) < LEAST_RECORDS or score["leaning"] == "even":
        return []
    values = {"bias": abs(float(score["bias"])), "n": len(said), "mean": abs(mean)}
    return [_finding(f"forecast_leans_{score['leaning']}", -mean, 0.9, chosen.id, values)]


def _finding(
    kind: str, amount: float, certainty: float, period: str, values: Mapping[str, float | str | None]
) -> Finding:
    return Finding(kind, "forecast", "revenue", amount, certainty, period, values=values, action="review_forecast")


def _own(wb: Workbench, archive: pd.DataFrame, grain: str) -> pd.DataFrame:
    """Return the forecasts of one grain for what the workbench shows."""
    scope_type, scope_id = _scope(wb)
    mine = (archive["scope_type"] == scope_type) & (archive["scope_id"] == scope_id)
    return archive[mine & (archive["grain"] == grain)]


def _year_row(
    wb: Workbench, outlook: pd.DataFrame, landed: pd.DataFrame, name: str, scope: tuple[str, str], naive: bool
) -> pd.DataFrame:
    """Return the landing of the fiscal year as a row of the archive; none while the year's end is not in sight."""
    facts = outlook.attrs
    if not facts:
        return archives.rows(landed.iloc[:0], name)
    start = outlook["period_start"].iloc[0]
    row = {"unique_id": "total", "ds": start, "model": landed["model"].iloc[0]}
    if naive:
        row["mean"] = float(facts["actual"]) + float(landed["mean"].sum())
    else:
        row |= {"mean": facts["landing"], "lo_80": facts["lo_80"], "hi_80": facts["hi_80"]}
    return archives.rows(pd.DataFrame([row]), name, "year", *scope)


def _archived_name(wb: Workbench, measure: str) -> str:
    if measure not in MEASURES or MEASURES[measure].source != "sales":
        return measure
    if wb.basis == company_basis(wb.engine, wb.settings):
        return measure
    return "receipts" if (wb.basis, measure) == ("payment", "revenue") else f"{measure}:{wb.basis}"


def _scope(wb: Workbench) -> tuple[str, str]:
    """Return scope type and id of what the workbench shows; several scopes at once are joined by `+`."""
    if not wb.scope:
        return "company", "*"
    kinds = sorted(wb.scope)
    return "+".join(kinds), "+".join(wb.scope[each] for each in kinds)


def _some(frame: pd.DataFrame, wb: Workbench, measure: str) -> pd.DataFrame:
    if frame.empty:
        raise NoData(
            f"No archived forecast of {measure} has an outcome by {wb.as_of}: the next editions will have one.",
            note="no_archive",
        )
    return frame
