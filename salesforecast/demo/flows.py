"""From order lines to the `transactions` table: orders, shipments, invoices, payments, returns and refunds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from salesforecast.demo import truths
from salesforecast.demo.lines import order_numbers
from salesforecast.demo.plan import days_since_start
from salesforecast.demo.world import CATEGORIES, CHANNELS, REGION_OF_TEAM, SHOP, World

TAX_RATE = 0.13
_RETURN_SHARE = 0.033  # of the lines
_REFUND_SHARE = 0.3  # of the returns
_DEPOSIT_SHARE = 0.2  # of the orders
_UNPAID_SHARE = 0.015
_MONEY = ["list_amount", "amount", "cost_amount"]
_COLUMNS = [
    "txn_type", "date", "amount", "order_id", "line_no", "customer_id", "person_id", "product_id", "quantity",
    "list_amount", "cost_amount", "tax_amount", "currency", "channel", "region", "category", "deal_id",
    "due_date", "status",
]  # fmt: skip


def orders_of(lines: pd.DataFrame) -> pd.DataFrame:
    """Return one row an order: the codes of its first line and the sums of its money, in order of the lines.

    The column `first` is the position of the order's first line.
    """
    starts = np.flatnonzero(lines["line_no"].to_numpy() == 1)
    orders = lines.iloc[starts].drop(columns=[*_MONEY, "product", "quantity", "line_no"])
    sums = {name: np.round(np.add.reduceat(lines[name].to_numpy(), starts), 2) for name in _MONEY}
    return orders.assign(**sums, first=starts).reset_index(drop=True)


def transactions(world: World, lines: pd.DataFrame, orders: pd.DataFrame, deal: np.ndarray) -> pd.DataFrame:
    """Return the canonical table; `deal` holds the deal id of each order or None; only order lines carry it.

    Amounts are yuan net of tax. Payments are net too, so that orders, invoices and payments compare. Nothing lies
    after the world's `until`.
    """
    number = order_numbers(orders["month"].to_numpy(), orders["order"].to_numpy())
    numbered = orders.assign(number=np.arange(len(orders)))
    of_line = np.repeat(numbered["number"].to_numpy(), np.diff(np.append(orders["first"], len(lines))))
    lines = lines.assign(number=of_line)
    kept = numbered[~numbered["void"]]
    shipped, invoiced, paid = _fulfilment(world, kept)
    returned = _returns(world, lines)
    refunded = _refunds(world, returned)
    events = {
        "order": lines, "shipment": shipped, "invoice": invoiced, "payment": paid, "return": returned,
        "refund": refunded,
    }  # fmt: skip
    frames = [_table(world, kind, frame, number, deal if kind == "order" else None) for kind, frame in events.items()]
    # One column at a time, so that ten million lines are not in memory twice.
    columns = {name: pd.concat([frame.pop(name) for frame in frames], ignore_index=True) for name in _COLUMNS}
    return pd.DataFrame(columns, copy=False)


def plain_lines(world: World, lines: pd.DataFrame) -> pd.DataFrame:
    """Return order lines with ids instead of codes, ready to be written."""
    number = order_numbers(lines["month"].to_numpy(), lines["order"].to_numpy())
    lines = lines.assign(number=np.arange(len(lines)))
    return _table(world, "order", lines, number, None)


def _fulfilment(world: World, orders: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    rng = world.random(4)
    count = len(orders)
    shop = (world.customers["channel"] == SHOP).to_numpy()[orders["customer"]]
    terms = world.customers["terms"].to_numpy()[orders["customer"]]
    ordered = orders["day"].to_numpy()
    shipped = ordered + np.where(shop, 1, 3) + rng.integers(0, 12, count) * ~shop
    invoiced = shipped + rng.integers(0, 8, count)
    lag = np.where(shop, 2, terms + rng.integers(-8, 31, count).clip(min=-terms))
    unpaid = rng.random(count) < _UNPAID_SHARE
    deposit = (rng.random(count) < _DEPOSIT_SHARE) & ~shop & ~unpaid
    bare = orders.drop(columns=["list_amount"])
    first = np.where(deposit, np.round(orders["amount"] * 0.3, 2), 0.0)
    part = bare.assign(day=ordered + 3, amount=first, line_no=1)[deposit]
    rest = bare.assign(
        day=np.where(unpaid, last_day(world) + 1, invoiced + lag),
        amount=np.round(orders["amount"] - first, 2),
        line_no=1 + deposit,
    )
    shipments = bare.assign(day=shipped, line_no=1)
    invoices = bare.assign(day=invoiced, line_no=1, due=invoiced + terms, tax=np.round(orders["amount"] * TAX_RATE, 2))
    payments = pd.concat([part, rest]).drop(columns=["cost_amount"])
    end = last_day(world)
    return tuple(  # type: ignore[return-value]
        each[each["day"] <= end].sort_values(["day", "number"], kind="stable")
        for each in (shipments, invoices, payments)
    )


def last_day(world: World) -> int:
    """Return the last day of the world as days since the start."""
    return days_since_start(world.plan.until)


def _returns(world: World, lines: pd.DataFrame) -> pd.DataFrame:
    rng = world.random(5)
    chosen = (rng.random(len(lines)) < _RETURN_SHARE) & ~lines["void"].to_numpy()
    if world.outlier_customer is not None:
        chosen &= lines["customer"].to_numpy() != world.outlier_customer
    back = lines[chosen]
    share = rng.uniform(0.2, 1.0, len(back))
    quantity = np.maximum(np.rint(back["quantity"] * share), 1)
    part = quantity / back["quantity"]
    back = back.assign(day=back["day"] + rng.integers(10, 46, len(back)), quantity=quantity)
    back = back.assign(**{name: np.round(back[name] * part, 2) for name in _MONEY})
    return back[back["day"] <= last_day(world)].sort_values(["day", "number"], kind="stable")


def _refunds(world: World, returned: pd.DataFrame) -> pd.DataFrame:
    rng = world.random(6)
    chosen = rng.random(len(returned)) < _REFUND_SHARE
    back = returned[chosen].drop(columns=["list_amount", "cost_amount", "quantity"])
    back = back.assign(day=back["day"] + rng.integers(5, 16, len(back)))
    return back[back["day"] <= last_day(world)].sort_values(["day", "number"], kind="stable")


def _table(world: World, kind: str, frame: pd.DataFrame, numbers: np.ndarray, deal: np.ndarray | None) -> pd.DataFrame:
    """Return the rows of one transaction type with ids instead of codes."""
    customers, products = world.customers, world.products
    customer = frame["customer"].to_numpy()
    team = customers["team"].to_numpy()[customer]
    table = pd.DataFrame(
        {
            "txn_type": kind,
            "date": dates(frame["day"]),
            "amount": frame["amount"].to_numpy(),
            "order_id": numbers[frame["number"]],
            "line_no": frame["line_no"].to_numpy(np.int64),
            "customer_id": customer_ids(len(customers))[customer],
            "person_id": world.sellers(customer, frame["month"].to_numpy()),
            "currency": "CNY",
            "channel": CHANNELS[customers["channel"].to_numpy()[customer]],
            "region": REGION_OF_TEAM[team],
            "status": np.where(frame["void"], "void", "valid").astype(object),
        }
    )
    if "product" in frame:
        product = frame["product"].to_numpy()
        table["product_id"] = product_ids(len(products))[product]
        table["category"] = CATEGORIES[products["category"].to_numpy()[product]]
    else:
        table["product_id"] = table["category"] = pd.Series(None, index=table.index, dtype="str")
    deals = None if deal is None else deal[frame["number"]]
    table["deal_id"] = pd.Series(deals, index=table.index, dtype="str")
    for name, source in (
        ("quantity", "quantity"), ("list_amount", "list_amount"), ("cost_amount", "cost_amount"),
        ("tax_amount", "tax"),
    ):  # fmt: skip
        table[name] = frame[source].to_numpy(float) if source in frame else np.nan
    table["due_date"] = dates(frame["due"]) if "due" in frame else np.datetime64("NaT", "s")
    return table


def dates(days: pd.Series | np.ndarray) -> np.ndarray:
    """Return days since the start as dates (datetime64, second precision).

    >>> dates(np.array([1]))[0].item()
    datetime.datetime(2023, 1, 2, 0, 0)
    """
    return (np.datetime64(truths.START) + np.asarray(days).astype("timedelta64[D]")).astype("datetime64[s]")


def customer_ids(count: int) -> np.ndarray:
    """Return the ids of the first `count` customers.

    >>> customer_ids(2).tolist()
    ['C0001', 'C0002']
    """
    return np.char.mod("C%04d", np.arange(1, count + 1)).astype(object)


def product_ids(count: int) -> np.ndarray:
    """Return the ids of the first `count` products.

    >>> product_ids(1).tolist()
    ['CP0001']
    """
    return np.char.mod("CP%04d", np.arange(1, count + 1)).astype(object)
