"""Price changes, apart from product mix: an index of like-for-like prices, and its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salesforecast.analysis.levels import ALPHA, benjamini_hochberg, steps
from salesforecast.measures import values

if TYPE_CHECKING:
    from salesforecast.calendar import Period
    from salesforecast.workbench import Workbench

NEEDS = ("sales.product_id", "sales.quantity")
SMALLEST_CHANGE = 0.02
_ROUNDS = 50
_COLUMNS = ["category", "period_start", "change_pct", "change_lo", "change_hi", "p_value", "revenue_share"]


def price_index(wb: Workbench, until: str | Period | None = None, by: str = "category") -> pd.DataFrame:
    """Return the monthly price index of each member, complete months only: period_start, `by`, value.

    1 is the mean (geometric) of all months. It compares each product with itself (time-product-dummy index,
    weighted by sales; Diewert and Fox 2022), so that a richer mix is not a higher price. Discounts count, returns do
    not.
    Raises `NoData` without products or quantities.
    """
    wb.require(*NEEDS)
    frame = wb.sql(
        f"SELECT {by} AS member, product_id, month_start AS period_start, "
        "sum(gross_amount) AS amount, sum(quantity) AS quantity FROM sales "
        "WHERE quantity > 0 AND gross_amount > 0 AND product_id IS NOT NULL "
        "AND date <= $last GROUP BY ALL ORDER BY ALL",
        last=_last_complete_day(wb, until),
    ).astype({"amount": "float64"})
    pieces = [
        pd.DataFrame({by: member, "period_start": index.index, "value": index.to_numpy()})
        for member, group in frame.groupby("member")
        for index in [_index(group)]
    ]
    columns = ["period_start", by, "value"]
    return pd.concat(pieces, ignore_index=True)[columns] if pieces else pd.DataFrame(columns=columns)


def price_changes(wb: Workbench, period: str | Period | None = None, by: str = "category") -> pd.DataFrame:
    """Return the steps of the price index of each member, oldest first, of at least 2 %.

    Columns: `by`, period_start (first month of the new price), change_pct, change_lo, change_hi (95 % interval),
    p_value (corrected over positions and members), revenue_share (of the member in the last twelve months).
    """
    index = price_index(wb, period, by)
    share = _revenue_share(wb, period, by)
    groups = list(index.groupby(by))
    rows = [
        {
            by: member,
            "period_start": group["period_start"].iloc[place],
            "change_pct": np.expm1(size),
            "change_lo": np.expm1(size - 1.96 * error),
            "change_hi": np.expm1(size + 1.96 * error),
            "p_value": p_value,
            "revenue_share": share.get(member, 0.0),
        }
        for member, group in groups
        if len(group) >= 12
        for place, size, error, p_value in steps(np.log(group["value"].to_numpy()))
    ]
    found = pd.DataFrame(rows, columns=[by, *_COLUMNS[1:]])
    if len(found):
        found["p_value"] = benjamini_hochberg(found["p_value"].to_numpy(), len(groups))
    kept = (found["p_value"] <= ALPHA) & (found["change_pct"].abs() >= SMALLEST_CHANGE)
    return found[kept].sort_values(["period_start", by], ignore_index=True)


def _index(group: pd.DataFrame) -> pd.Series:
    """Return the geometric price index of one member, by month."""
    product, _ = pd.factorize(group["product_id"])
    month, months = pd.factorize(group["period_start"], sort=True)
    weight = group["amount"].to_numpy()
    price = np.log(weight / group["quantity"].to_numpy(float))
    # A product counts as much as its share of the month, so that growing sales do not make late months heavier.
    weight = weight / np.bincount(month, weight)[month]
    by_month, by_product = np.bincount(month, weight), np.bincount(product, weight)
    level, effect = np.zeros(len(months)), np.zeros(product.max() + 1)
    for _ in range(_ROUNDS):
        effect = np.bincount(product, weight * (price - level[month])) / by_product
        level = np.bincount(month, weight * (price - effect[product])) / by_month
    return pd.Series(np.exp(level - level.mean()), index=pd.DatetimeIndex(months))


def _last_complete_day(wb: Workbench, period: str | Period | None) -> object:
    month = wb.calendar.period(min(wb.period(period).end, wb.as_of) if period else wb.as_of, "month")
    return wb.calendar.previous(month).end if not wb.finished(month) else month.end


def _revenue_share(wb: Workbench, period: str | Period | None, by: str) -> dict[object, float]:
    year = wb.calendar.rolling(wb.period(period) if period else wb.calendar.period(wb.as_of, "month"))
    frame = values(wb, ["revenue"], by=[by], start=year.start, end=min(year.end, wb.as_of))
    total = frame["revenue"].sum()
    return dict(zip(frame[by], frame["revenue"] / total, strict=True)) if total else {}
