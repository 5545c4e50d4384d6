"""Order lines, one month at a time, as codes: the part of the company that grows to any size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from salesforecast.demo import truths
from salesforecast.demo.plan import days_since_start
from salesforecast.demo.world import CATEGORIES, GROUP_NAMES, SHOP, World, split

_LINES_AN_ORDER = (0.28, 0.32, 0.24, 0.16)  # one to four lines
_VOID_SHARE = 0.004
_RISING = int(np.flatnonzero(CATEGORIES == truths.RISING_CATEGORY)[0])


def order_lines(world: World) -> Iterator[pd.DataFrame]:
    """Yield the order lines of each month with sales, oldest first.

    Columns: month, order (number within the month), line_no, day (since the start), customer, product (rows of the
    world's frames), quantity, list_amount, amount, cost_amount (yuan), void. The lines of all months together are
    exactly `world.lines`.
    """
    expected = world.plan.expected.sum(axis=1)
    outlier = world.outlier_customer
    for month, count in enumerate(split(world.lines - (outlier is not None), expected)):
        frame = _month(world, month, int(count)) if count else None
        if outlier is not None and month == world.plan.month_of(truths.OUTLIER_DAY):
            frame = pd.concat([frame, _outlier(world, month, frame, outlier)], ignore_index=True)
        if frame is not None:
            yield frame


def _month(world: World, month: int, count: int) -> pd.DataFrame:
    rng = world.random(3, month)
    sizes = 1 + np.searchsorted(np.cumsum(_LINES_AN_ORDER), rng.random(count)).clip(max=3)
    ends = np.cumsum(sizes)
    orders = int(np.searchsorted(ends, count)) + 1
    starts = np.concatenate([[0], ends[: orders - 1]])
    customer = _buyers(world, month, orders, rng)
    day = _days(world, month, customer, rng)
    by_day = np.argsort(day, kind="stable")
    order = np.repeat(np.arange(orders), np.diff(np.append(starts, count)))
    line_no = np.arange(count) - starts[order] + 1
    customer, day = customer[by_day][order], day[by_day][order]
    void = (rng.random(orders) < _VOID_SHARE)[order]
    frame = pd.DataFrame(
        {"month": np.int16(month), "order": order.astype(np.int32), "line_no": line_no.astype(np.int8),
         "day": day.astype(np.int32), "customer": customer.astype(np.int32)}
    )  # fmt: skip
    product = _goods(world, month, customer, rng)
    value = world.customers["value"].to_numpy()[customer] * np.exp(rng.normal(-0.06, 0.35, count))
    discount = _discounts(world, month, customer, rng)
    return frame.assign(
        **_money(world, month, product, value * _level(world, month, customer, value, rng), discount), void=void
    )


def _buyers(world: World, month: int, orders: int, rng: np.random.Generator) -> np.ndarray:
    """Choose the customer of each order so that every team gets its planned share of the orders."""
    customers = world.customers
    once = np.flatnonzero(customers["once"] == month)[:orders]
    rate = customers["rate"].to_numpy() * ((customers["first"] <= month) & (month < customers["stop"])).to_numpy()
    promotion = month % 12 + 1 in truths.PROMOTION_MONTHS
    rate[(customers["group"] == GROUP_NAMES.index("bargain")).to_numpy()] *= 4.0 if promotion else 0.4
    team = customers["team"].to_numpy()
    # A team's orders follow its planned money over the average value of what its active customers buy.
    worth = np.bincount(team, rate * customers["value"])
    plan = world.plan.expected[month]
    weight = np.cumsum(rate * (plan / np.where(worth > 0, worth, np.inf))[team])
    # Evenly spread draws keep chance out of the shares; a customer's own orders still come at random times.
    draws = (np.arange(orders - len(once)) + rng.random(orders - len(once))) / max(orders - len(once), 1)
    drawn = np.searchsorted(weight, draws * weight[-1], side="right").clip(max=len(customers) - 1)
    return rng.permutation(np.concatenate([once, drawn]))


def _days(world: World, month: int, customer: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    days = world.plan.days
    inside = np.flatnonzero((days["month"] == month) & (days["date"] <= pd.Timestamp(world.plan.until)))
    shop = (world.customers["channel"] == SHOP).to_numpy()[customer]
    draws = rng.random(len(customer))

    def choose(kind: str) -> np.ndarray:
        edges = np.cumsum(days[kind].to_numpy()[inside])
        return inside[np.searchsorted(edges, draws * edges[-1], side="right").clip(max=len(inside) - 1)]

    return np.where(shop, choose("shop"), choose("office"))


def _goods(world: World, month: int, customer: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose a product for each line: half of them from the customer's own category."""
    products = world.products  # sorted by category
    sold = (products["first"] <= month) & (month < products["last"])
    weight = np.cumsum((products["weight"] * sold).to_numpy())
    ends = np.searchsorted(products["category"], np.arange(len(CATEGORIES)), "right")
    edges = np.concatenate([[0.0], weight[ends - 1]])
    own = world.customers["category"].to_numpy()[customer]
    loyal = rng.random(len(customer)) < 0.5
    low, high = np.where(loyal, edges[own], 0.0), np.where(loyal, edges[own + 1], edges[-1])
    drawn = np.searchsorted(weight, low + rng.random(len(customer)) * (high - low), side="right")
    return drawn.clip(max=len(products) - 1)


def _discounts(world: World, month: int, customer: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    discount = world.customers["discount"].to_numpy()[customer] + rng.normal(0, 0.01, len(customer))
    bargain = world.customers["group"].to_numpy()[customer] == GROUP_NAMES.index("bargain")
    if month % 12 + 1 in truths.PROMOTION_MONTHS:
        discount = discount + 0.03 * bargain
    return np.round(discount.clip(0, 0.4), 2)


def _level(world: World, month: int, customer: np.ndarray, value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the factor that brings each team's month to its plan, but for moderate chance."""
    team = world.customers["team"].to_numpy()[customer]
    teams = world.plan.expected.shape[1]
    chance = np.exp(rng.normal(0, 0.02) + rng.normal(0, 0.05, teams))
    drawn = np.bincount(team, value, minlength=teams)
    return (world.plan.expected[month] * chance / np.where(drawn > 0, drawn, np.inf))[team]


def _money(
    world: World, month: int, product: np.ndarray, value: np.ndarray, discount: np.ndarray
) -> dict[str, np.ndarray]:
    """Return product, quantity and amounts of lines that are worth about `value` after discount."""
    goods = world.products
    price = goods["price"].to_numpy()[product]
    rising = goods["category"].to_numpy()[product] == _RISING
    if month >= world.plan.month_of(truths.PRICE_RISE_FROM):
        price = np.where(rising, np.round(price * (1 + truths.PRICE_RISE), 2), price)
    quantity = np.maximum(np.rint(value / (price * (1 - discount))), 1)
    listed = np.round(quantity * price, 2)
    return {
        "product": product.astype(np.int32),
        "quantity": quantity,
        "list_amount": listed,
        "amount": np.round(listed * (1 - discount), 2),
        "cost_amount": np.round(quantity * goods["cost"].to_numpy()[product], 2),
    }


def _outlier(world: World, month: int, frame: pd.DataFrame | None, customer: int) -> pd.DataFrame:
    """Return the one large project order, worth a fixed share of the month's potential."""
    product = np.array([world.products["price"].idxmax()])
    value = np.array([truths.OUTLIER_SHARE * world.plan.potential[month].sum()])
    order = 0 if frame is None else int(frame["order"].max()) + 1
    return pd.DataFrame(
        {"month": np.int16(month), "order": np.int32(order), "line_no": np.int8(1),
         "day": np.int32(days_since_start(truths.OUTLIER_DAY)), "customer": np.int32(customer),
         **_money(world, month, product, value, np.array([0.06])), "void": False}
    )  # fmt: skip


def order_numbers(month: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the order numbers as texts, such as `SO202610-00042`.

    >>> order_numbers(np.array([45]), np.array([41])).tolist()
    ['SO202610-00042']
    """
    month = month.astype(np.int64)
    stamp = (truths.START.year + month // 12) * 100 + month % 12 + 1
    texts = np.char.add(np.char.mod("SO%d", stamp), np.char.mod("-%05d", order + 1))
    return texts.astype(object)
