"""The synthetic company as canonical tables, with the list of what is planted in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from salesforecast.demo import flows, master, names, pipeline, plans, truths
from salesforecast.demo.lines import order_lines
from salesforecast.demo.world import GROUP_NAMES, World, make_world
from salesforecast.errors import BadValue

FEWEST_LINES = 1_000
EARLIEST_END = date(2024, 1, 31)


@dataclass(frozen=True)
class Company:
    """A company that does not exist.

    `tables`: the 12 canonical tables by name. `truths`: what is planted, by name, each with `what`, `where`, `when`
    and `size`, plain data. `settings`: the text of the company's `salesforecast.toml`.
    """

    lines: int
    seed: int
    until: date
    tables: dict[str, pd.DataFrame]
    truths: dict[str, dict[str, Any]]
    settings: str


def company(lines: int = 9_000, seed: int = 7, until: str | date = "2026-11-15") -> Company:
    """Return the company with exactly `lines` order lines from 2023-01-01 to `until`.

    The same arguments give the same rows on every machine. Revenue grows with the lines (one is worth about 66,500
    yuan), customers too (one for 22.5 lines); products grow slowly, people not at all. No event lies after `until`;
    targets reach to the end of its year.

    Raises `BadValue` for fewer than 1,000 lines or an end before 2024-01-31.

    >>> demo = company(lines=1_000)
    >>> sorted(demo.tables)[:3], (demo.tables["transactions"]["txn_type"] == "order").sum().item()
    (['activities', 'customers', 'deal_events'], 1000)
    >>> demo.truths["price_rise"]["size"]
    0.08
    """
    world = _checked_world(lines, seed, until)
    rows = pd.concat(order_lines(world), ignore_index=True)
    orders = flows.orders_of(rows)
    histories = pipeline.deal_histories(world, orders)
    deals, events = pipeline.deals_and_events(world, histories)
    done = pipeline.activities(world, histories, deals)
    deals["last_activity_at"] = deals["deal_id"].map(done.groupby("deal_id")["at"].max())
    customers = master.customers(world, orders)
    followed = customers["customer_id"].map(done.groupby("customer_id")["at"].max())
    customers["last_followed_at"] = followed.dt.normalize()
    sales = plans.sold(world, rows)
    deal = pipeline.deal_of_orders(histories, len(orders))
    tables = {
        "transactions": flows.transactions(world, rows, orders, deal),
        "customers": customers,
        "people": master.people(world),
        "products": master.products(world),
        "deals": deals,
        "deal_events": events,
        "activities": done,
        "targets": plans.targets(world, sales),
        "measurements": plans.measurements(world, sales),
        "feedback": pipeline.feedback(world, orders),
        "register": plans.register(world),
        "forecasts": plans.forecasts(world, sales),
    }
    return Company(lines, seed, world.plan.until, tables, _planted(world, rows), names.SETTINGS)


def write_order_lines(path: str | Path, lines: int, seed: int = 7, until: str | date = "2026-11-15") -> int:
    """Write the order lines of `company(lines, seed, until)` as one UTF-8 CSV and return how many there are.

    One month is in memory at a time. The headers are those of the ERP export: 订单编号, 行号, 下单日期 and so on.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_order_lines(Path(folder) / "lines.csv", lines=1_000)
    1000
    """
    world = _checked_world(lines, seed, until)
    written = 0
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        for rows in order_lines(world):
            table = flows.plain_lines(world, rows)[list(LINE_HEADERS)].rename(columns=LINE_HEADERS)
            table["下单日期"] = np.datetime_as_string(table["下单日期"].to_numpy().astype("datetime64[D]"))
            table.to_csv(file, index=False, header=written == 0, lineterminator="\n")
            written += len(table)
    return written


LINE_HEADERS = {
    "order_id": "订单编号",
    "line_no": "行号",
    "date": "下单日期",
    "customer_id": "客户编码",
    "person_id": "业务员编号",
    "product_id": "产品编码",
    "quantity": "数量",
    "list_amount": "原价金额",
    "amount": "金额",
    "cost_amount": "成本",
    "channel": "渠道",
    "region": "区域",
    "category": "产品分类",
}


def _checked_world(lines: int, seed: int, until: str | date) -> World:
    try:
        end = until if isinstance(until, date) else date.fromisoformat(until)
    except ValueError:
        raise BadValue(f"until is {until!r}. Give a day such as '2026-11-15'.") from None
    if lines < FEWEST_LINES:
        raise BadValue(f"lines is {lines}. The company needs at least {FEWEST_LINES} order lines.")
    if end < EARLIEST_END:
        raise BadValue(f"until is {end}. The company needs a year of history: {EARLIEST_END} or later.")
    return make_world(lines, seed, end)


def _planted(world: World, rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the planted truths that have happened by the company's last day."""
    plan, codes = world.plan, world.customers
    ids = flows.customer_ids(len(codes))
    team_regions = {team: region for team, (region, _) in truths.TEAMS.items()}
    groups = {name: ids[(codes["group"] == n).to_numpy()].tolist() for n, name in enumerate(GROUP_NAMES)}
    left = np.flatnonzero(codes["stop"] <= plan.last_month)
    steady = [each for each in dict.fromkeys(team_regions.values()) if each != truths.DECLINING_REGION]
    planted: dict[str, dict[str, Any]] = {
        "trend": _truth("revenue grows a year by this share", {"region": steady}, truths.START, truths.GROWTH),
        "seasonality": _truth(
            "sales of a workday relative to an average month", "company", "month of the year", truths.MONTH_INDEX
        ),
        "quarter_end": _truth(
            "the last workdays of a quarter sell this much more",
            "company",
            f"last {truths.QUARTER_END_DAYS} workdays of a quarter",
            truths.QUARTER_END_PUSH,
        ),
        "spring_festival": _truth(
            "sales of a workday by days from the first day of the lunar year",
            "company",
            [{"from": a, "to": b} for a, b in truths.FESTIVAL],
            list(truths.FESTIVAL.values()),
        ),
        "workdays": _truth(
            "no order outside the web shop falls on a day off",
            {"channel": list(names.CHANNELS[:-1])},
            truths.START,
            0.0,
        ),
        "price_rise": _truth(
            "list prices rise", {"category": truths.RISING_CATEGORY}, truths.PRICE_RISE_FROM, truths.PRICE_RISE
        ),
        "customer_groups": _truth(
            "four kinds of customers: orders a month, value of a line (1 is average), discount",
            groups,
            truths.START,
            {
                name: dict(zip(("orders", "value", "discount"), g[1:4], strict=True))
                for name, g in truths.GROUPS.items()
            },
        ),
        "churn": _truth(
            "customers that stop ordering; no order from that month on",
            ids[left].tolist(),
            {ids[n]: plan.months[codes["stop"].iloc[n]].strftime("%Y-%m") for n in left},
            len(left) / len(codes),
        ),
        "slow_stage": _truth(
            "deals stay in one stage much longer: median days",
            {"stage": truths.SLOW_STAGE},
            truths.START,
            dict(truths.STAGES),
        ),
        "biased_forecaster": _truth(
            "one rep's calls are too high by this share",
            {"person": truths.BIASED_FORECASTER},
            date(2024, 1, 1),
            truths.FORECAST_BIAS,
        ),
        "overstretched_target": _truth(
            "one team's target over its potential",
            {"team": truths.OVERSTRETCHED_TEAM, "region": team_regions[truths.OVERSTRETCHED_TEAM]},
            "2026",
            truths.STRETCH_2026[truths.OVERSTRETCHED_TEAM],
        ),
        "declining_region": _truth(
            "one region sells less each month by this share",
            {"region": truths.DECLINING_REGION},
            truths.DECLINE_FROM,
            truths.DECLINE_PER_MONTH,
        ),
    }
    if world.outlier_customer is not None:
        amount = rows.loc[rows["customer"] == world.outlier_customer, "amount"].sum().item()
        where = {"customer": ids[world.outlier_customer], "region": team_regions[truths.OUTLIER_TEAM]}
        planted["outlier_month"] = _truth("one large project order", where, truths.OUTLIER_DAY, round(amount, 2))
    planted["export_faults"] = _truth(
        "what an import must not store as it is, by exported file",
        {
            "ERP_销售订单明细.csv": {
                "rejected": len(truths.BAD_ORDER_ROWS) + 1,  # one line stands there twice
                "void": int(rows["void"].sum()),
                "values": [(header, column, value) for header, value, column in truths.BAD_ORDER_ROWS],
            },
            "财务_回款明细.xlsx": {"footer": 1, "blank": truths.BLANK_ROWS},
            "other .xlsx": {"blank": truths.BLANK_ROWS},
        },
        None,
        len(truths.BAD_ORDER_ROWS) + 1,
    )
    later = {
        "price_rise": truths.PRICE_RISE_FROM,
        "declining_region": truths.DECLINE_FROM,
        "overstretched_target": date(2026, 1, 1),
    }
    return {name: truth for name, truth in planted.items() if plan.until >= later.get(name, truths.START)}


def _truth(what: str, where: Any, when: Any, size: Any) -> dict[str, Any]:
    return {"what": what, "where": where, "when": when.isoformat() if isinstance(when, date) else when, "size": size}
