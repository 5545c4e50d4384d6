"""What should be, what people expected and what was observed: targets, forecasts, measurements, register."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from salesforecast.demo import names, truths
from salesforecast.demo.world import CATEGORIES, TEAM_NAMES, World, split

STEP = 1_000  # targets and calls are whole thousands of yuan
_BUDGETS = {"expense_sales": 0.062, "expense_marketing": 0.021, "expense_people": 0.048}


def sold(world: World, lines: pd.DataFrame) -> pd.DataFrame:
    """Return money of the lines that count, one row a month, seat, channel and category, as codes."""
    lines = lines[~lines["void"]]
    codes = world.customers.iloc[lines["customer"]]
    category = world.products["category"].to_numpy()[lines["product"]]
    keys = {
        "month": lines["month"].to_numpy(), "seat": codes["seat"].to_numpy(),
        "channel": codes["channel"].to_numpy(), "category": category,
    }  # fmt: skip
    return (
        lines["amount"].groupby([pd.Series(v, index=lines.index, name=k) for k, v in keys.items()]).sum().reset_index()
    )


def targets(world: World, sales: pd.DataFrame) -> pd.DataFrame:
    """Return the canonical table: revenue targets by month from 2024 on, and expense budgets of the company.

    Months are set for every team and split to persons by last year's sales; regions and the company are the sums
    of their teams, channels and categories split the company. Company and regions have year rows too. All add up
    exactly. Months after `until` are there: they are plans, not events.
    """
    plan, last_year = world.plan, world.plan.until.year
    rows: list[tuple] = []
    for year in range(truths.START.year + 1, last_year + 1):
        months = np.arange(12) + 12 * (year - truths.START.year)
        teams = np.column_stack(
            [
                split(round(potential.sum() * _stretch(year, team) / STEP), potential)
                for team, potential in zip(TEAM_NAMES, plan.potential[months].T, strict=True)
            ]
        )
        before = sales[sales["month"].between(months[0] - 12, months[0] - 1)]
        rows += _scope_rows(months, "team", TEAM_NAMES, teams)
        regions = list(dict.fromkeys(region for region, _ in truths.TEAMS.values()))
        member = np.array([[truths.TEAMS[t][0] == r for r in regions] for t in TEAM_NAMES])
        rows += _scope_rows(months, "region", regions, teams @ member)
        rows += _scope_rows(months, "company", ["*"], teams.sum(axis=1, keepdims=True))
        rows += _person_rows(world, months, teams, before)
        for kind, members in (("channel", names.CHANNELS), ("category", CATEGORIES.tolist())):
            share = np.bincount(before[kind], before["amount"], minlength=len(members))
            parts = np.array([split(int(total), share) for total in teams.sum(axis=1)])
            rows += _scope_rows(months, kind, members, parts)
        rows.append(("company", "*", "year", months[0], teams.sum(), None))
        for region, value in zip(regions, (teams @ member).sum(axis=0), strict=True):
            rows.append(("region", region, "year", months[0], value, "company:*"))
    frame = pd.DataFrame(rows, columns=["scope_type", "scope_id", "grain", "month", "value", "parent_scope"])
    frame = frame.assign(version="v1", kind="target", measure="revenue", unit="CNY", direction="higher")
    frame["value"] = frame["value"] * float(STEP)
    company = frame[(frame["scope_type"] == "company") & (frame["grain"] == "month")]
    budgets = [
        company.assign(
            kind="budget", measure=m, value=(company["value"] * share / STEP).round() * STEP, direction="lower"
        )
        for m, share in _BUDGETS.items()
    ]
    frame = pd.concat([frame, *budgets], ignore_index=True)
    frame["period_start"] = plan.months[frame["month"]].astype("datetime64[s]")
    frame["approved_at"] = pd.to_datetime((frame["period_start"].dt.year - 1).astype(str) + "-12-15").astype(
        "datetime64[s]"
    )
    return frame[
        ["version", "kind", "measure", "scope_type", "scope_id", "grain", "period_start", "value", "unit",
        "direction",
         "parent_scope", "approved_at"]
    ]  # fmt: skip


def _stretch(year: int, team: str) -> float:
    return truths.STRETCH_2026[team] if year >= 2026 else truths.STRETCH[year]


def _scope_rows(months: np.ndarray, kind: str, members: Sequence[str], values: np.ndarray) -> Iterator[tuple]:
    for column, member in enumerate(members):
        parent = f"region:{truths.TEAMS[member][0]}" if kind == "team" else "company:*"
        for row, month in enumerate(months):
            yield kind, member, "month", month, values[row, column], None if kind == "company" else parent


def _person_rows(world: World, months: np.ndarray, teams: np.ndarray, before: pd.DataFrame) -> Iterator[tuple]:
    """Yield the targets of whoever sits in each seat that month: half by last year's sales, half alike."""
    history = np.bincount(before["seat"], before["amount"], minlength=len(names.SEATS))
    for t, team in enumerate(TEAM_NAMES):
        seats = [n for n, (name, _) in enumerate(names.SEATS) if name == team]
        share = 0.5 * history[seats] / history[seats].sum() + 0.5 / len(seats)
        for row, month in enumerate(months):
            for seat, value in zip(seats, split(int(teams[row, t]), share), strict=True):
                yield "person", world.people_ids[world.staff[seat, month]], "month", month, value, f"team:{team}"


def forecasts(world: World, sales: pd.DataFrame) -> pd.DataFrame:
    """Return the canonical table: what reps, managers and the director called on the first of each month from 2024.

    A call is the month's revenue times chance; one rep's calls are too high. The month in progress is called as the
    whole month it would become.
    """
    rng = world.random(30)
    plan, last = world.plan, world.plan.last_month
    money = sales.groupby(["month", "seat"])["amount"].sum().unstack(fill_value=0.0)
    money = money.reindex(index=range(last + 1), columns=range(len(names.SEATS)), fill_value=0.0).to_numpy(copy=True)
    money[last] *= _whole_month(world)
    rows = []
    for month in range(12, last + 1):
        for seat in range(len(names.SEATS)):
            person = world.people_ids[world.staff[seat, month]]
            bias = 1 + truths.FORECAST_BIAS if person == truths.BIASED_FORECASTER else 1.0
            rows.append(
                (month, f"rep:{person}", "person", person, money[month, seat] * bias * np.exp(rng.normal(0, 0.09)))
            )
        for team, (manager, _) in names.MANAGERS.items():
            seats = [n for n, (name, _) in enumerate(names.SEATS) if name == team]
            rows.append(
                (month, f"manager:{manager}", "team", team, money[month, seats].sum() * np.exp(rng.normal(0, 0.06)))
            )
        rows.append(
            (month, f"manager:{names.DIRECTOR[0]}", "company", "*", money[month].sum() * np.exp(rng.normal(0, 0.04)))
        )
    frame = pd.DataFrame(rows, columns=["month", "forecaster", "scope_type", "scope_id", "value"])
    frame["made_on"] = frame["period_start"] = plan.months[frame["month"]].astype("datetime64[s]")
    frame["value"] = (frame["value"] / STEP).round() * STEP
    frame = frame.assign(measure="revenue", grain="month", category="commit")
    return frame[
        ["made_on", "forecaster", "measure", "scope_type", "scope_id", "grain", "period_start", "value", "category"]
    ]


def _whole_month(world: World) -> float:
    """Return how much larger the last month will be than it is so far."""
    plan, last = world.plan, world.plan.last_month
    stable = [region != truths.DECLINING_REGION for region, _ in truths.TEAMS.values()]
    so_far = plan.expected[last, stable].sum()
    return float(plan.potential[last, stable].sum() / so_far) if so_far else 1.0


def measurements(world: World, sales: pd.DataFrame) -> pd.DataFrame:
    """Return the canonical table: expenses, head count, exchange rates, market size and share, awareness, prices."""
    rng = world.random(31)
    plan, last = world.plan, world.plan.last_month
    revenue = sales.groupby("month")["amount"].sum().reindex(range(last + 1), fill_value=0.0).to_numpy(copy=True)
    until = pd.Timestamp(plan.until)
    done = [m for m in range(last + 1) if plan.months[m] + pd.offsets.MonthEnd(0) <= until]
    rows: list[tuple] = []
    # Expenses follow a year's average: they do not fall with one weak month.
    base = pd.Series(revenue).rolling(12, min_periods=1).mean().to_numpy()
    for measure, share in _BUDGETS.items():
        for month in done:
            value = round((0.7 * base[month] + 0.3 * revenue[month]) * share * rng.normal(1, 0.05), -2)
            rows.append((measure, "company", "*", "month", month, value, "CNY", None, "measured"))
    for month in done:
        heads = float(len(set(world.staff[:, month])) + 1 + len(names.MANAGERS))
        rows.append(("headcount", "company", "*", "month", month, heads, "人", None, "measured"))
    for currency, level in (("USD", 7.05), ("EUR", 7.75)):
        for month in range(last + 1):
            rate = round(level * (1 + 0.02 * np.sin(month / 5)) + rng.normal(0, 0.02), 4)
            rows.append(("fx_rate", "currency", currency, "month", month, rate, "CNY", None, "assumed"))
    regions = list(dict.fromkeys(region for region, _ in truths.TEAMS.values()))
    for month in done[2::3]:
        begin = month - 2
        market = 0.0
        for region in regions:
            share = sum(s for r, s in truths.TEAMS.values() if r == region)
            size = round(plan.potential[0:12].sum() / 4 * share / 0.08 * 1.05 ** (begin / 12) * rng.normal(1, 0.01), -4)
            market += size
            rows.append(("market_size", "region", region, "quarter", begin, size, "CNY", None, "estimated"))
        rows.append(("market_size", "company", "*", "quarter", begin, market, "CNY", None, "estimated"))
        own = round(float(revenue[begin : month + 1].sum() / market), 4)
        rows.append(("market_share", "company", "*", "quarter", begin, own, "share", None, "estimated"))
        known = round(0.24 + begin * 0.001 + rng.normal(0, 0.008), 3)
        rows.append(("brand_awareness", "company", "*", "quarter", begin, known, "share", 400, "measured"))
        for competitor in names.COMPETITORS:
            price = round(0.95 + rng.normal(0, 0.02), 3)
            rows.append(
                ("competitor_price", "competitor", competitor, "quarter", begin, price, "index", None, "estimated")
            )
    frame = pd.DataFrame(
        rows,
        columns=["measure", "scope_type", "scope_id", "grain", "month", "value", "unit", "sample_size", "confidence"],
    )
    frame["sample_size"] = frame["sample_size"].astype("Int64")
    frame.insert(4, "period_start", plan.months[frame.pop("month")].astype("datetime64[s]"))
    return frame


def register(world: World) -> pd.DataFrame:
    """Return the canonical table of what was opened by `until`; what closed later is still being done."""
    rows = []
    for kind, title, (scope_type, scope_id), owner, opened, due, closed, more in names.REGISTER:
        rows.append(
            {"kind": kind, "title": title, "scope_type": scope_type, "scope_id": scope_id,
            "owner_id": owner,
             "opened_at": opened, "due_at": due, "closed_at": closed, **more}
        )  # fmt: skip
    frame = pd.DataFrame(rows).sort_values(["opened_at", "title"], kind="stable", ignore_index=True)
    for column in ("opened_at", "due_at", "closed_at"):
        frame[column] = pd.to_datetime(frame[column]).astype("datetime64[s]")
    until = pd.Timestamp(world.plan.until)
    frame["closed_at"] = frame["closed_at"].where(frame["closed_at"] <= until)
    frame["observed"] = frame["observed"].where(frame["closed_at"].notna())
    frame["status"] = np.where(frame["closed_at"].notna(), "done", np.where(frame["due_at"] < until, "doing", "open"))
    frame.insert(0, "item_id", [f"R{number:03d}" for number in range(1, len(frame) + 1)])
    return frame[frame["opened_at"] <= until][
        ["item_id", "kind", "title", "scope_type", "scope_id", "owner_id", "opened_at", "due_at",
        "closed_at", "status",
         "measure", "baseline", "expected", "observed", "probability", "impact", "trigger", "mitigation",
         "outcome", "tags"]
    ].reset_index(drop=True)  # fmt: skip
