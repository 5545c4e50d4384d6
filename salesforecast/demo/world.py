"""Who buys, who sells and what is sold: the master data of the synthetic company."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from salesforecast.demo import names, truths
from salesforecast.demo.plan import Plan, make_plan

NEVER = 9_999
GROUP_NAMES = tuple(truths.GROUPS)
TEAM_NAMES = tuple(truths.TEAMS)
CATEGORIES = np.array(list(names.CATALOGUE), dtype=object)
CHANNELS = np.array(names.CHANNELS, dtype=object)
REGION_OF_TEAM = np.array([region for region, _ in truths.TEAMS.values()], dtype=object)
SHOP = names.CHANNELS.index("电商")
PROJECTS = names.CHANNELS.index("直销")
# Channel shares of each customer group, in the order of names.CHANNELS.
_CHANNEL_SHARES = {
    "key": (0.70, 0.08, 0.22, 0.0),
    "regular": (0.36, 0.34, 0.12, 0.18),
    "bargain": (0.0, 0.35, 0.0, 0.65),
    "one_off": (0.45, 0.05, 0.10, 0.40),
}


@dataclass(frozen=True)
class World:
    """Everything that exists before the first order.

    `customers` and `products` hold codes and weights for the generator, one row each; `staff` says who sits in a seat
    (row) in a month (column) as a position in `people_ids`.
    """

    seed: int
    lines: int
    plan: Plan
    customers: pd.DataFrame
    products: pd.DataFrame
    staff: np.ndarray
    people_ids: np.ndarray
    outlier_customer: int | None

    def random(self, *stream: int) -> np.random.Generator:
        """Return the random numbers of one subject, independent of all others."""
        return np.random.default_rng([self.seed, *stream])

    def sellers(self, customer: np.ndarray, month: np.ndarray) -> np.ndarray:
        """Return who serves each customer in that month."""
        return self.people_ids[self.staff[self.customers["seat"].to_numpy()[customer], month]]


def make_world(lines: int, seed: int, until: date) -> World:
    """Return the world of a company with `lines` order lines up to `until`."""
    plan = make_plan(lines, until)
    customers = _customers(plan, max(80, round(lines / 22.5)), np.random.default_rng([seed, 1]))
    products = _products(plan, max(1, round((lines / 9_000) ** 0.5)), np.random.default_rng([seed, 2]))
    staff, ids = _staff(plan)
    outlier = None
    if plan.until >= truths.OUTLIER_DAY:
        candidates = (customers["group"] == GROUP_NAMES.index("one_off")) & (
            customers["team"] == TEAM_NAMES.index(truths.OUTLIER_TEAM)
        )
        outlier = int(np.flatnonzero(candidates)[0])
        customers.loc[outlier, ["first", "once", "channel", "value"]] = [
            plan.month_of(truths.OUTLIER_DAY), NEVER, PROJECTS, 1.0,
        ]  # fmt: skip
    return World(seed, lines, plan, customers, products, staff, ids, outlier)


def split(total: int, shares: np.ndarray) -> np.ndarray:
    """Divide a whole number by shares so that the parts are whole and add up (largest remainder).

    >>> split(10, np.array([1.0, 1.0, 1.0])).tolist()
    [4, 3, 3]
    """
    exact = total * np.asarray(shares, float) / np.sum(shares)
    parts = np.floor(exact).astype(np.int64)
    parts[np.argsort(parts - exact, kind="stable")[: total - int(parts.sum())]] += 1
    return parts


def _staff(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    everyone = [names.DIRECTOR[0], *(person for person, _ in names.MANAGERS.values())]
    everyone += [person for _, sitters in names.SEATS for person, *_ in sitters]
    ids = np.array(sorted(set(everyone)), dtype=object)
    position = {person: number for number, person in enumerate(ids)}
    staff = np.zeros((len(names.SEATS), len(plan.months)), np.int16)
    for seat, (_, sitters) in enumerate(names.SEATS):
        for person, _, first, _ in sitters:
            staff[seat, plan.month_of(f"{first}-01") if first else 0 :] = position[person]
    return staff, ids


def _customers(plan: Plan, count: int, rng: np.random.Generator) -> pd.DataFrame:
    sizes = split(count, np.array([share for share, *_ in truths.GROUPS.values()]))
    group = np.repeat(np.arange(len(sizes)), sizes)
    rank = np.concatenate([np.arange(size) for size in sizes])
    team_edges = np.cumsum([share for _, share in truths.TEAMS.values()])
    team = np.searchsorted(team_edges, (rank + 0.5) / sizes[group]).clip(max=len(team_edges) - 1)
    order = rng.permutation(count)  # a customer's number must not give its group away
    frame = pd.DataFrame({"group": group[order], "team": team[order]})
    seats = [[n for n, (name, _) in enumerate(names.SEATS) if name == team] for team in TEAM_NAMES]
    place = frame.groupby(["team", "group"]).cumcount().to_numpy()
    frame["seat"] = [seats[t][p % len(seats[t])] for t, p in zip(frame["team"], place, strict=True)]
    edges = np.cumsum([_CHANNEL_SHARES[name] for name in GROUP_NAMES], axis=1)[frame["group"]]
    frame["channel"] = (rng.random(count)[:, None] > edges).sum(axis=1).clip(max=len(names.CHANNELS) - 1)
    rate, value, discount, terms = (
        np.array([each[column] for each in truths.GROUPS.values()])[frame["group"]] for column in (1, 2, 3, 4)
    )
    frame["rate"] = rate * np.exp(rng.normal(0, 0.30, count))
    frame["value"] = value * np.exp(rng.normal(0, 0.25, count))
    frame["discount"] = (discount + rng.normal(0, 0.01, count)).clip(0.0, 0.4)
    frame["terms"] = np.where(frame["channel"] == SHOP, 0, terms).astype(int)
    frame["category"] = rng.integers(0, len(CATEGORIES), count)
    return frame.join(_lives(plan, frame, rng))


def _lives(plan: Plan, customers: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the first month, the month of leaving and, for one-off customers, the month of the only order."""
    count, last = len(customers), plan.last_month
    group = customers["group"].to_numpy()
    once = np.where(group == GROUP_NAMES.index("one_off"), rng.integers(0, last + 1, count), NEVER)
    late = rng.random(count) < 0.35
    first = np.where(late & (group != 0), rng.integers(1, max(last - 2, 2), count), 0)
    stop = np.full(count, NEVER)
    regular = np.flatnonzero((group == GROUP_NAMES.index("regular")) & (first <= last - 15))
    leaving = rng.permutation(regular)[: round(truths.CHURN_SHARE * len(regular))]
    stop[leaving] = np.maximum(first[leaving] + 9, rng.integers(min(12, last), max(last - 2, 13), len(leaving)))
    # The declining region also loses a key account, which is what a director would hear first.
    decline = plan.month_of(truths.DECLINE_FROM)
    falling = REGION_OF_TEAM == truths.DECLINING_REGION
    lost = np.flatnonzero((group == 0) & falling[customers["team"]])[1:2]
    if decline <= last:
        stop[lost] = decline
    return pd.DataFrame({"first": np.where(once < NEVER, once, first), "stop": stop, "once": once})


def _products(plan: Plan, variants: int, rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for category, (weight, (low, high), unit, goods) in enumerate(names.CATALOGUE.values()):
        for step, (name, model) in enumerate(goods):
            price = low * (high / low) ** (step / (len(goods) - 1))
            rows.append((category, name, model, unit, weight / len(goods), price))
    frame = pd.DataFrame(rows, columns=["category", "name", "model", "unit", "weight", "price"])
    frame = pd.concat([frame.assign(variant=number) for number in range(variants)])
    frame = frame.sort_values("category", kind="stable", ignore_index=True)
    count = len(frame)
    frame["weight"] *= np.exp(rng.normal(0, 0.3, count)) / variants
    frame["price"] = np.round(frame["price"] * np.exp(rng.normal(0, 0.05, count)), -1).clip(lower=10)
    frame["cost"] = np.round(frame["price"] * rng.uniform(0.575, 0.655, count), 2)
    frame["first"], frame["last"] = 0, NEVER
    # Three launches and one discontinued product, the same in every variant.
    for name, column, day in (
        ("节能一体变频柜", "first", "2024-03-01"), ("低压伺服一体机", "first", "2025-04-01"),
        ("智能阀门定位器", "first", "2024-09-01"), ("气动接头组件", "last", "2025-12-01"),
    ):  # fmt: skip
        frame.loc[frame["name"] == name, column] = plan.month_of(day)
    return frame
