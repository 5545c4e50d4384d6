import numpy as np
import pandas as pd
import pytest

from salesforecast.forecasting import backtest, forecast, total
from salesforecast.forecasting.closures import closed
from salesforecast.forecasting.histories import read

COLUMNS = ["mean", "lo_80", "hi_80", "lo_95", "hi_95"]


def shop(days=140, seed=1):
    """Sales of a shop from a Monday on, nothing on Saturdays and Sundays."""
    ds = pd.date_range("2026-01-05", periods=days)
    y = 100 * np.random.default_rng(seed).lognormal(0, 0.1, days) * (ds.day_of_week < 5)
    return pd.DataFrame({"unique_id": "A", "ds": ds, "y": y})


@pytest.mark.parametrize("reported", [True, False])
def test_a_day_that_is_always_closed_is_forecast_as_zero_for_certain(reported):
    sales = shop() if reported else shop().query("y > 0")
    made = forecast(sales, 9)  # the 140 days end on a Sunday, the others on its Friday
    weekend = made["ds"].dt.day_of_week >= 5
    assert weekend.sum() in (2, 4)
    assert (made.loc[weekend, COLUMNS] == 0).all(axis=None)
    assert made.loc[~weekend, "mean"].between(80, 120).all()
    assert ("closed_period" in made["note"].iloc[0]) is not reported


def test_working_days_alone_give_the_same_total_as_with_the_closed_days_in_zeros():
    with_zeros = total(forecast(shop(), 7))["mean"].item()
    without = shop().query("y > 0")
    later = forecast(without, 9).query("ds > '2026-05-24'")  # the week after the 140 days
    assert later["mean"].sum() == pytest.approx(with_zeros, rel=0.03)


def test_closed_days_make_the_intervals_of_the_others_neither_narrower_nor_wider():
    def width(sales):
        made = forecast(sales, 7)
        return (made["hi_80"] - made["lo_80"])[made["ds"].dt.day_of_week < 5].mean()

    open_all_week = shop()
    open_all_week["y"] = 100 * np.random.default_rng(1).lognormal(0, 0.1, 140)
    assert width(shop()) == pytest.approx(width(open_all_week), rel=0.3)


def test_past_forecasts_of_closed_days_are_zero_too():
    made = backtest(shop(), 7)
    assert (made.loc[made["ds"].dt.day_of_week >= 5, COLUMNS] == 0).all(axis=None)


def test_sparse_demand_is_not_closed_where_chance_left_a_position_empty():
    y = np.zeros(96)
    y[[5, 30, 47, 70, 92]] = 8
    months = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2018-01-01", periods=96, freq="MS"), "y": y})
    empty, _ = closed(read(months), np.array([0]), np.array([96]), 12)
    assert not empty.any()
    assert (forecast(months, 12)["mean"] > 0).all()


def test_five_times_empty_is_not_yet_closed():
    days = shop(35)
    assert not closed(read(days), np.array([0]), np.array([35]), 7)[0].any()
    assert closed(read(shop(42)), np.array([0]), np.array([42]), 7)[0].ravel().tolist() == [False] * 5 + [True] * 2
