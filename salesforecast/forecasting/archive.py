"""What was forecast, when and by whom: rows for the archive, what became of them, and what each step added.

An archive is a frame with the columns of the table `forecasts`: one row per forecaster, day it was made, measure, scope
and target period. `actuals` is what happened: measure, scope_type, scope_id, grain, period_start, y.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from salesforecast.errors import BadValue, suggestion
from salesforecast.forecasting.frequency import DAYS, MONTHS
from salesforecast.forecasting.scores import NAIVE

TARGET = ["measure", "scope_type", "scope_id", "grain", "period_start"]  # what a forecast is about
KEY = ["made_on", "forecaster", *TARGET]
FIGURES = ["value", "lo_80", "hi_80", "lo_95", "hi_95"]
STEPS = ("naive", "model", "rep", "manager")  # in the order in which each may improve on the one before
LEAST_COVERED = 0.95  # of a company's sales that callers must stand for, before their calls are summed


def rows(
    forecast: pd.DataFrame,
    measure: str = "revenue",
    grain: str = "month",
    scope_type: str = "company",
    scope_id: str | None = "*",
) -> pd.DataFrame:
    """Return a forecast as rows for the archive, `made_on` left to whoever stores them.

    Columns: forecaster (the model), measure, scope_type, scope_id, grain, period_start, value and the 80 and 95 %
    bounds (NaN where the forecast has none). `scope_id` None: every series is a member, named by its `unique_id`.

    >>> ahead = pd.DataFrame({"unique_id": "total", "ds": pd.to_datetime(["2026-11-01"]), "model": "theta",
    ...                       "mean": 100.0, "lo_80": 90.0, "hi_80": 110.0})
    >>> rows(ahead)[["forecaster", "scope_id", "value", "hi_80", "hi_95"]]
      forecaster scope_id  value  hi_80  hi_95
    0      theta        *  100.0  110.0    NaN
    """
    frame = forecast.rename(columns={"model": "forecaster", "ds": "period_start", "mean": "value"})
    frame = frame.assign(measure=measure, grain=grain, scope_type=scope_type)
    frame["scope_id"] = frame["unique_id"].astype(str) if scope_id is None else scope_id
    frame["period_start"] = pd.to_datetime(frame["period_start"])
    return frame.reindex(columns=["forecaster", *TARGET, *FIGURES]).reset_index(drop=True)


def first_said(archive: pd.DataFrame) -> pd.DataFrame:
    """Return one row per key: what was said first, where a later run of the same day saw other data or software.

    Runs are told apart by `run_id`, which begins with the time of the run.
    """
    order = archive.assign(_run=archive["run_id"].fillna("") if "run_id" in archive.columns else "")
    first = order.sort_values("_run", kind="stable").drop_duplicates(KEY).drop(columns="_run")
    return first.sort_values(KEY, kind="stable", ignore_index=True)


def lags(made_on: pd.Series, period_start: pd.Series, grain: pd.Series) -> pd.Series:
    """Return how many periods ahead each forecast looks: 0 inside its period, 1 for the next one, and so on.

    On the first day of a period nothing of it is known yet: such a forecast still looks one period ahead.

    >>> made = pd.Series(pd.to_datetime(["2026-10-31", "2026-11-01", "2026-11-02"]))
    >>> november = pd.Series(pd.to_datetime(["2026-11-01"] * 3))
    >>> lags(made, november, pd.Series(["month"] * 3)).tolist()
    [1, 1, 0]
    """
    known, start = pd.to_datetime(made_on) - pd.Timedelta(days=1), pd.to_datetime(period_start)
    months = 12 * (start.dt.year - known.dt.year) + start.dt.month - known.dt.month
    days = (start - known.dt.normalize()).dt.days
    by_month, by_day = grain.map(MONTHS), grain.map(DAYS)
    periods = np.where(by_month.notna(), months / by_month, days / by_day)
    return pd.Series(np.maximum(np.ceil(periods), 0), index=made_on.index).astype("Int64")


def outcomes(archive: pd.DataFrame, actuals: pd.DataFrame) -> pd.DataFrame:
    """Return what was first said beside what happened, for every archived forecast whose outcome is known.

    The columns of the archive and `y`, `error` (value − y), `lag` (`lags`), `inside_80` and `inside_95` (1, 0 or NaN
    without an interval), `step` (naive, model, rep, manager).
    """
    said = first_said(archive).assign(period_start=lambda each: pd.to_datetime(each["period_start"]))
    known = actuals.dropna(subset="y").assign(period_start=lambda each: pd.to_datetime(each["period_start"]))
    frame = said.merge(known[[*TARGET, "y"]], on=TARGET, how="inner")
    frame[FIGURES] = frame.reindex(columns=FIGURES).astype("float64")
    frame["error"] = frame["value"] - frame["y"]
    frame["lag"] = lags(frame["made_on"], frame["period_start"], frame["grain"])
    for level in (80, 95):
        low, high = frame[f"lo_{level}"], frame[f"hi_{level}"]
        inside = ((frame["y"] >= low) & (frame["y"] <= high)).astype("float64")
        frame[f"inside_{level}"] = inside.where(low.notna() & high.notna())
    frame["step"] = [step(each) for each in frame["forecaster"]]
    return frame


def step(forecaster: str) -> str:
    """Return which of `STEPS` a forecaster is.

    >>> step("seasonal_naive"), step("combination"), step("rep:P014"), step("manager:P001")
    ('naive', 'model', 'rep', 'manager')
    """
    if forecaster == NAIVE:
        return "naive"
    kind = forecaster.partition(":")[0]
    return kind if kind in ("rep", "manager") else "model"


def evaluate(
    archive: pd.DataFrame, actuals: pd.DataFrame, by: str | Sequence[str] = ("forecaster", "lag")
) -> pd.DataFrame:
    """Judge archived forecasts against what happened.

    `by`: columns of `outcomes` to judge apart. One row per group, ratios unless said: the `by` columns, `n` (count),
    `wape` Σ|value − y| / Σ|y|, `bias` Σ(value − y) / Σy (positive: too high) with the bounds `bias_lo, bias_hi` of its
    95 % interval (NaN below three outcomes), `leaning` (`high`, `low`, or `even` where the interval holds zero),
    `coverage_80, coverage_95` (share of outcomes inside, NaN without intervals), `naive_wape` (of the seasonal naive
    forecasts archived on the same day for the same targets, over those targets; NaN without).

    >>> said = pd.DataFrame({"made_on": pd.Timestamp("2026-09-30"), "forecaster": ["theta"], "measure": "revenue",
    ...     "scope_type": "company", "scope_id": "*", "grain": "month", "period_start": pd.Timestamp("2026-10-01"),
    ...     "value": 110.0, "lo_80": 90.0, "hi_80": 130.0})
    >>> happened = said[["measure", "scope_type", "scope_id", "grain", "period_start"]].assign(y=100.0)
    >>> evaluate(said, happened)[["forecaster", "lag", "n", "wape", "bias", "coverage_80"]]
      forecaster  lag  n  wape  bias  coverage_80
    0      theta    1  1   0.1   0.1          1.0
    """
    keys = [by] if isinstance(by, str) else list(by)
    judged = outcomes(archive, actuals)
    for key in keys:
        if key not in judged.columns:
            raise BadValue(f"The archive has no column {key!r}.{suggestion(key, judged.columns)}")
    naive = judged.loc[judged["forecaster"] == NAIVE, ["made_on", *TARGET, "error"]]
    judged = judged.merge(naive.rename(columns={"error": "naive_error"}), on=["made_on", *TARGET], how="left")
    groups = judged.groupby(keys, sort=True) if keys else [((), judged)]
    found = [{**dict(zip(keys, names, strict=True)), **_scores(group)} for names, group in groups]
    columns = [*keys, "n", "wape", "bias", "bias_lo", "bias_hi", "leaning", "coverage_80", "coverage_95", "naive_wape"]
    return pd.DataFrame(found, columns=columns)


def fva(archive: pd.DataFrame, actuals: pd.DataFrame) -> pd.DataFrame:
    """Return what each step of the chain naive → model → rep → manager adds to the forecast of the one before.

    Steps are compared over the same targets at the same lag, where each of them has a forecast (the latest one, where
    there are several); calls of reps for themselves are also summed to the company (`summed`). Only scope types with
    two steps or more appear, the one with the fewest targets first. One row per scope type and step, in order:
    `scope_type, step, n` (targets compared), `wape, bias` (ratios), `fva` (error of the step before − own error;
    positive: better; NaN for the first), `noise` (half the 95 % interval of `fva`), `verdict` (`adds`, `loses`, or
    `even` within the noise; missing for the first).
    """
    judged = outcomes(pd.concat([archive, summed(archive, actuals)], ignore_index=True), actuals)
    judged = judged.sort_values("made_on", kind="stable")
    chains = [_chain(rows) for _, rows in judged.groupby("scope_type", sort=True)]
    # The coarsest first: it has the fewest targets.
    chains = sorted((each for each in chains if each), key=lambda each: each[0]["n"])
    columns = ["scope_type", "step", "n", "wape", "bias", "fva", "noise", "verdict"]
    return pd.DataFrame([row for each in chains for row in each], columns=columns)


def summed(archive: pd.DataFrame, actuals: pd.DataFrame) -> pd.DataFrame:
    """Return the calls of reps for themselves summed to the company, as rows of a forecaster `rep:*`.

    Only where those who called stand for 95 to 105 % of what the company sold in the period.
    """
    calls = archive[archive["forecaster"].astype(str).str.startswith("rep:") & (archive["scope_type"] == "person")]
    if calls.empty:
        return archive.iloc[:0]
    calls = outcomes(calls, actuals)
    keys = ["made_on", "measure", "grain", "period_start"]
    whole = calls.groupby(keys, as_index=False).agg(value=("value", "sum"), y=("y", "sum"))
    company = actuals[actuals["scope_type"] == "company"].assign(
        period_start=lambda each: pd.to_datetime(each["period_start"])
    )
    whole = whole.merge(company, on=["measure", "grain", "period_start"], suffixes=("", "_company"))
    share = whole["y"] / whole["y_company"]
    whole = whole[(share >= LEAST_COVERED) & (share <= 2 - LEAST_COVERED)]
    return whole.assign(forecaster="rep:*").reindex(columns=[*KEY, *FIGURES])


def _chain(judged: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of `fva` for one scope type; none where there is nothing to compare."""
    about = [*TARGET, "lag"]
    by_step = {
        name: judged[judged["step"] == name].drop_duplicates(about, keep="last").set_index(about) for name in STEPS
    }
    there = [name for name in STEPS if len(by_step[name])]
    common = None
    for name in there:
        index = by_step[name].index
        common = index if common is None else common.intersection(index)
    if len(there) < 2 or common is None or common.empty:
        return []
    sold = by_step[there[0]].loc[common, "y"].to_numpy(float)
    rows: list[dict[str, Any]] = []
    before: np.ndarray | None = None
    for name in there:
        error = by_step[name].loc[common, "error"].to_numpy(float)
        row: dict[str, Any] = {"scope_type": judged["scope_type"].iloc[0], "step": name, "n": len(common)}
        row |= {"wape": _ratio(np.abs(error).sum(), np.abs(sold).sum()), "bias": _ratio(error.sum(), sold.sum())}
        row |= {"fva": np.nan, "noise": np.nan, "verdict": None} if before is None else _gain(before, error, sold)
        rows.append(row)
        before = error
    return rows


def _gain(before: np.ndarray, error: np.ndarray, sold: np.ndarray) -> dict[str, Any]:
    gain = np.abs(before) - np.abs(error)
    value = _ratio(gain.sum(), np.abs(sold).sum())
    noise = _half_width(gain, np.abs(sold))
    sure = abs(value) > noise
    return {"fva": value, "noise": noise, "verdict": "even" if not sure else "adds" if value > 0 else "loses"}


def _scores(judged: pd.DataFrame) -> dict[str, Any]:
    error, sold = judged["error"].to_numpy(float), judged["y"].to_numpy(float)
    beside = judged["naive_error"].notna().to_numpy()
    bias, noise = _ratio(error.sum(), sold.sum()), _half_width(error, sold)
    leaning = "even" if np.isnan(noise) or abs(bias) <= noise else "high" if bias > 0 else "low"
    return {
        "n": len(judged),
        "wape": _ratio(np.abs(error).sum(), np.abs(sold).sum()),
        "bias": bias,
        "bias_lo": bias - noise,
        "bias_hi": bias + noise,
        "leaning": leaning,
        "coverage_80": judged["inside_80"].mean(),
        "coverage_95": judged["inside_95"].mean(),
        "naive_wape": _ratio(judged["naive_error"].abs().sum(), np.abs(sold[beside]).sum()),
    }


def _half_width(part: np.ndarray, whole: np.ndarray) -> float:
    """Return half the 95 % interval of the ratio Σpart / Σwhole (Cochran 1977, Sampling Techniques, section 2.11)."""
    from scipy.special import stdtrit

    n = len(part)
    if n < 3 or not whole.sum():
        return float("nan")
    rest = part - part.sum() / whole.sum() * whole
    return float(stdtrit(n - 1, 0.975) * np.sqrt((rest**2).sum() * n / (n - 1)) / abs(whole.sum()))


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
