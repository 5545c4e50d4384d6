"""Channels and regions: who grows, who pulls the total down, and how much depends on few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast.analysis import goals
from salesforecast.analysis.comparison import covered, growth, note, ratio, spans, totals
from salesforecast.analysis.levels import benjamini_hochberg
from salesforecast.analysis.sections import section
from salesforecast.analysis.series import series
from salesforecast.errors import lookup
from salesforecast.findings import Finding
from salesforecast.measures import MEASURES
from salesforecast.workbench import SCOPES

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

NAN = float("nan")
COST_COVERAGE = 0.95
MONTHS_COMPARED = 6
SMALLEST_CONTRIBUTION = 0.005
_EXTRA = ("gm_pct", "orders", "customers", "new_customers", "aov")
_COLUMNS = [
    "value", "last_year", "yoy", "previous", "mom", "share", "share_last_year", "contribution", "gm_pct",
    "cost_coverage", "orders", "customers", "new_customers", "new_customer_share", "aov", "target", "attainment",
    "note",
]  # fmt: skip


@section("channels", needs=("sales.channel",))
def channels(wb: Workbench, period: str | Period) -> pd.DataFrame:
    """Return what each channel sold, as `members` describes it; the first column is `channel`."""
    return members(wb, period, "channel")


@section("regions", needs=("sales.region",))
def regions(wb: Workbench, period: str | Period) -> pd.DataFrame:
    """Return what each region sold, as `members` describes it; the first column is `region`."""
    return members(wb, period, "region")


def members(wb: Workbench, period: str | Period, by: str) -> pd.DataFrame:
    """Return one row per member of a scope type, largest first, and a last total row `*`.

    Columns: the member; value (revenue), last_year, yoy, previous, mom, share, share_last_year, contribution (change
    against last year ÷ last year's total: the rows add up to the total's yoy; like the shares NaN where the total is
    not positive), gm_pct, cost_coverage (share of revenue whose cost is known), orders, customers, new_customers,
    new_customer_share (of customers), aov, target, attainment, note. Lines without a member form a row of their own
    with a null code. An unfinished period is compared with the same number of workdays; bases the data does not cover
    are NaN.

    Notes: `unassigned`, `no_base` (nothing sold last year), `cost_coverage` (cost known for less than 95 %),
    `no_target` and `target_other_basis` (only where targets are set by this scope type; under a scope only those inside
    it count, see `goals.targets`), `partial`, `target_of_members`.
    """
    period = wb.period(period)
    column = lookup(SCOPES, by, "scope type")
    windows = {key: span for key, span in spans(wb, period).items() if key in ("value", "previous", "last_year")}
    extra = [name for name in _EXTRA if all(wb.has(need) for need in MEASURES[name].needs)]
    found = totals(wb, ["revenue", *extra], windows, by=[column])
    whole = totals(wb, ["revenue", *extra], windows)
    revenue = found["revenue"].unstack("window").reindex(columns=list(windows)).fillna(0.0)
    revenue = revenue.sort_values("value", ascending=False, kind="stable")
    frame = pd.concat([revenue, whole["revenue"].to_frame("*").T]).rename_axis(columns=None)
    for key in ("previous", "last_year"):
        frame[key] = frame[key] if covered(wb, windows[key]) else NAN
    current = pd.concat([_window(found, column), whole.loc[["value"]].set_axis(["*"])])
    frame = frame.join(current.reindex(frame.index).drop(columns="revenue"))
    frame = frame.reindex(columns=[*frame.columns, *(each for each in _EXTRA if each not in frame)])
    last = frame.iloc[-1]
    frame["yoy"] = [growth(*pair) for pair in zip(frame["value"], frame["last_year"], strict=True)]
    frame["mom"] = [growth(*pair) for pair in zip(frame["value"], frame["previous"], strict=True)]
    frame["share"] = _parts(frame["value"], last["value"])
    frame["share_last_year"] = _parts(frame["last_year"], last["last_year"])
    frame["contribution"] = _parts(frame["value"] - frame["last_year"], last["last_year"])
    frame["new_customer_share"] = [
        ratio(*pair) for pair in zip(frame["new_customers"], frame["customers"], strict=True)
    ]
    frame["cost_coverage"] = _cost_coverage(wb, period, column, windows["value"]).reindex(frame.index)
    aims = _add_targets(wb, frame, period, by)
    names = [None if pd.isna(member) else str(member) for member in frame.index]
    frame["note"] = [
        _notes(wb, row, member, aim, period)
        for member, aim, (_, row) in zip(names, aims, frame.iterrows(), strict=True)
    ]
    frame = frame[_COLUMNS].reset_index(drop=True)
    frame.insert(0, by, pd.Series(names, dtype=object))
    return frame


def concentration(wb: Workbench, period: str | Period, by: str) -> pd.DataFrame:
    """Return how concentrated the revenue of the twelve months up to a period's end is, and was a year before.

    Two rows (index `window`: `rolling12`, `rolling12_last_year`); columns: hhi (sum of squared shares, 1/members to
    1), members, top (the largest), top_share, revenue (of all members). Members with net returns count as zero; lines
    without a member are left out. The second row is NaN when the data does not reach back that far.
    """
    period = wb.period(period)
    column = lookup(SCOPES, by, "scope type")
    windows = {key: span for key, span in spans(wb, period).items() if key.startswith("rolling12")}
    sold = totals(wb, ["revenue"], windows, by=[column])["revenue"]
    rows = {}
    for key in windows:
        values = sold.loc[[key]].droplevel(0) if key in sold.index.get_level_values(0) else sold.iloc[:0]
        values = values[values.index.notna()].clip(lower=0.0) if covered(wb, windows[key]) else values.iloc[:0]
        shares = values / values.sum() if values.sum() else values.iloc[:0]
        rows[key] = {
            "revenue": float(values.sum()) if len(shares) else NAN,
            "hhi": float((shares**2).sum()) if len(shares) else NAN,
            "members": len(shares[shares > 0]),
            "top": str(shares.idxmax()) if len(shares) else None,
            "top_share": float(shares.max()) if len(shares) else NAN,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(index="window")


def findings(wb: Workbench, period: str | Period) -> list[Finding]:
    """Return the findings about regions and channels.

    `region_decline`, `region_growth`, `channel_decline`, `channel_growth`: a member whose year-over-year change
    over the last six complete months differs from zero and from the other members' (t tests on the monthly
    logarithmic changes, p ≤ 0.1 corrected over members), for at least three months in a row; where Spring Festival
    moves, January and February both count with their change together. Amount = its change
    against last year in that run (at most twelve months), certainty = 1 − p. `concentration`: a customer above
    20 % of twelve months' revenue (amount = what exceeds 20 %; certainty 1).
    """
    period = wb.period(period)
    found: list[Finding] = []
    for by in ("region", "channel"):
        if wb.has(f"sales.{by}"):
            found += _movers(wb, period, by)
    if wb.has("sales.customer_id"):
        found += _concentrated(wb, period)
    return found


def _parts(values: pd.Series, whole: float) -> pd.Series:
    """Return values / whole; NaN unless the whole is positive: net returns have no shares."""
    return values / whole if whole > 0 else values * NAN


def _window(found: pd.DataFrame, column: str) -> pd.DataFrame:
    keep = found.index.get_level_values("window") == "value"
    return found[keep].droplevel("window").rename_axis(index=None)


def _cost_coverage(wb: Workbench, period: Period, column: str, span: tuple) -> pd.Series:
    frame = wb.sql(
        f"SELECT {column} AS member, sum(gross_amount) AS amount, "
        "sum(gross_amount) FILTER (WHERE cost_amount IS NOT NULL) AS known FROM sales "
        "WHERE date BETWEEN $first AND $last GROUP BY ALL",
        first=span[0],
        last=span[1],
    )
    known, amount = (frame.set_index("member")[each].astype("float64").fillna(0.0) for each in ("known", "amount"))
    share = known.where(amount > 0) / amount.where(amount > 0)
    share.loc["*"] = ratio(float(known.sum()), float(amount.sum()))
    return share


def _add_targets(wb: Workbench, frame: pd.DataFrame, period: Period, by: str) -> list[goals.Goal]:
    """Add target and attainment; return each row's goal, without a note where nobody sets targets by this type."""
    of_members = goals.member_goals(goals.targets(wb), wb.calendar, period, by)
    company = goals.period_target(wb, period)
    set_by = len(wb.sql("SELECT 1 FROM targets WHERE measure = 'revenue' AND scope_type = $by LIMIT 1", by=by))
    nowhere = goals.no_goal(wb) if set_by else goals.Goal(note=None)
    total = company if company.found or set_by else nowhere
    aims = [total if each == "*" else of_members.get(each, nowhere) for each in frame.index]
    frame["target"] = [each.value if each.found else NAN for each in aims]
    frame["attainment"] = [goals.attained(*pair) for pair in zip(frame["value"], aims, strict=True)]
    return aims


def _notes(wb: Workbench, row: pd.Series, member: str | None, aim: goals.Goal, period: Period) -> str:
    return note(
        "unassigned" if member is None else None,
        "partial" if member == "*" and not wb.finished(period) else None,
        "no_base" if not row["last_year"] > 0 else None,
        aim.note if member else None,
        "cost_coverage" if row["cost_coverage"] < COST_COVERAGE and row["cost_coverage"] > 0 else None,
    )


def _movers(wb: Workbench, period: Period, by: str) -> list[Finding]:
    history = series(wb, "revenue", "month", by=[by], periods=26, until=period)
    history = history[history["complete"] & history[by].notna()]
    sold = history.pivot(index="period_start", columns=by, values="value")
    wide = _winter_together(sold) if wb.calendar.lunar_new_year else sold
    if len(wide) < 12 + MONTHS_COMPARED or wide.shape[1] < 2:
        return []
    before = wide.shift(12)
    change = wide - before
    log = np.log(wide.where(wide > 0) / before.where(before > 0)).iloc[-MONTHS_COMPARED:]
    tests = {member: _tests(log, change, member) for member in wide.columns if log[member].notna().all()}
    if not tests:
        return []
    p_values = benjamini_hochberg(np.array([p for p, _ in tests.values()]))
    total_base = float(before.iloc[-1].sum())
    found = []
    for (member, (_, sign)), p_value in zip(tests.items(), p_values, strict=True):
        run = _run(np.sign(change[member].to_numpy()), sign)
        effect = float(change[member].iloc[-run:].sum()) if run else 0.0
        share = ratio(effect, float(before[member].iloc[-run:].sum())) if run else 0.0
        if p_value > 0.1 or run < 3 or abs(effect) < SMALLEST_CONTRIBUTION * total_base:
            continue
        found.append(_mover(sold, wide, before, by, str(member), run, effect, share, float(p_value), period))
    return found


def _winter_together(sold: pd.DataFrame) -> pd.DataFrame:
    """Return monthly sales whose January and February both carry their mean; one without the other is left out.

    Spring Festival falls into one or the other, so that either alone compares with last year's by chance.
    """
    winter = sold[sold.index.month <= 2]
    years = winter.groupby(winter.index.year)
    return pd.concat(
        [sold[sold.index.month > 2], years.transform("mean")[years.transform("count").min(axis=1) == 2]]
    ).sort_index()


def _tests(log: pd.DataFrame, change: pd.DataFrame, member: object) -> tuple[float, float]:
    """Return the larger p value of "no change" and "changed like the others", and the sign of the change."""
    from scipy.stats import ttest_1samp

    own = log[member].to_numpy()
    others = log.drop(columns=[member]).mean(axis=1).to_numpy()
    sign = float(np.sign(own.mean()))
    if np.sign((own - others).mean()) != sign:
        return 1.0, sign
    p_values = [float(ttest_1samp(each, 0.0).pvalue) if np.ptp(each) > 0 else 1.0 for each in (own, own - others)]
    return max(p_values), sign


def _run(signs: np.ndarray, sign: float) -> int:
    """Return how many of the last values in a row (at most twelve) have the sign.

    >>> _run(np.array([1.0, -1.0, -1.0]), -1.0)
    2
    """
    different = np.flatnonzero(signs != sign)
    return min(12, len(signs) - 1 - int(different[-1]) if len(different) else len(signs))


def _mover(
    sold: pd.DataFrame, wide: pd.DataFrame, before: pd.DataFrame, by: str, member: str, run: int, effect: float,
    share: float, p_value: float, period: Period,
) -> Finding:  # fmt: skip
    fell = effect < 0
    own, own_before = sold.loc[: wide.index[-1], member], sold[member].shift(12).loc[: wide.index[-1]]
    total = wide.sum(axis=1) - before.sum(axis=1)
    since = f"{wide.index[-run]:%Y-%m}"
    rest = float(
        ratio(
            (wide.drop(columns=member).iloc[-run:].to_numpy()).sum(),
            before.drop(columns=member).iloc[-run:].to_numpy().sum(),
        )
        - 1
    )
    values: dict[str, float | str | None] = {
        "member": member,
        "month": f"{wide.index[-1]:%Y-%m}",
        "value": float(own.iloc[-1]),
        "yoy": growth(float(own.iloc[-1]), float(own_before.iloc[-1])),
        "months": run,
        "since": since,
        "effect": effect,
        "effect_size": abs(effect),
        "change_pct": share,
        "others": rest,
        "total_effect": float(total.iloc[-run:].sum()),
        "p_value": p_value,
    }
    action = f"{by}_{'recover' if fell else 'extend'}"
    return Finding(
        f"{by}_{'decline' if fell else 'growth'}", f"{by}s", "revenue", effect, 1 - p_value, period.id, since=since,
        slice={by: member}, values=values, action=action,
    )  # fmt: skip


def _concentrated(wb: Workbench, period: Period, limit: float = 0.2) -> list[Finding]:
    frame = concentration(wb, period, "customer")
    now, before = frame.loc["rolling12"], frame.loc["rolling12_last_year"]
    if not now["top_share"] > limit or now["members"] < 3:
        return []
    revenue = float(now["revenue"])
    values = {
        "member": now["top"], "share": now["top_share"], "hhi": now["hhi"], "hhi_last_year": before["hhi"],
        "value": revenue * now["top_share"],
    }  # fmt: skip
    at_risk = -revenue * (now["top_share"] - limit)
    return [
        Finding("concentration", "kpis", "revenue", at_risk, 1.0, period.id,
                slice={"customer": str(now["top"])}, values=values, action="spread_risk")
    ]  # fmt: skip
