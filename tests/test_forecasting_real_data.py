"""Forecasts of what data are really like: every series gets finite numbers and a note, whatever happened to it."""

import numpy as np
import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.calendar import Calendar
from salesforecast.errors import BadPanel
from salesforecast.forecasting import calendar_regressors, fill_gaps

SEASON = np.array([-0.2, -0.3, 0.0, 0.1, 0.0, -0.1, 0.0, 0.1, 0.2, 0.1, 0.0, 0.3])


def months(n=60, seed=3, noise=0.03, growth=0.003):
    """A healthy history around 100: season, growth, little noise."""
    steps = np.arange(n)
    return 100 * np.exp(SEASON[steps % 12] + growth * steps + np.random.default_rng(seed).normal(0, noise, n))


def panel(y, start="2021-01-01", freq="MS", name="A"):
    return pd.DataFrame({"unique_id": name, "ds": pd.date_range(start, periods=len(y), freq=freq), "y": y})


def checked(made, series, horizon):
    """The frame of a forecast keeps its promises."""
    assert len(made) == series * horizon
    numbers = made[["lo_95", "lo_80", "mean", "hi_80", "hi_95"]].to_numpy()
    assert np.isfinite(numbers).all()
    assert (np.diff(numbers, axis=1) >= -1e-9 * np.abs(numbers).max()).all()
    return made


def ahead(y, horizon=6, **keywords):
    return checked(sf.forecast(panel(y), horizon, **keywords), 1, horizon)


def notes(made):
    return set(";".join(made["note"]).split(";")) - {""}


HEALTHY = months()
NEXT = ahead(HEALTHY)["mean"].to_numpy()


def close(made, share):
    return np.abs(made["mean"] / NEXT - 1).max() < share


def test_one_odd_month_hardly_changes_the_forecast():
    broken = HEALTHY.copy()
    broken[40] *= 5
    made = ahead(broken)
    assert "outliers_adjusted" in notes(made) and close(made, 0.05)


def test_an_unfinished_last_month_hardly_changes_the_forecast():
    broken = HEALTHY.copy()
    broken[-1] *= 0.3
    made = ahead(broken)
    assert "last_period_low" in notes(made) and close(made, 0.1)


def test_after_a_lasting_change_the_forecast_is_at_the_new_level():
    shifted = HEALTHY.copy()
    shifted[:50] *= 0.6
    made = ahead(shifted)
    assert "level_shift" in notes(made) and close(made, 0.1)


def test_missing_months_are_filled_and_noted():
    holes = panel(HEALTHY).drop(index=[7, 30, 31])
    holes.loc[44, "y"] = np.nan
    made = checked(sf.forecast(holes, 6), 1, 6)
    assert "gaps_filled" in notes(made) and close(made, 0.1)


def test_a_discontinued_product_is_forecast_as_zero_and_a_new_one_from_its_first_sale():
    ended = ahead([*HEALTHY, *[0] * 8])
    assert "ended" in notes(ended) and ended["mean"].tolist() == [0] * 6
    new = ahead([*[0] * 36, *HEALTHY[36:]])
    assert "starts_late" in notes(new)
    assert (new["mean"] / NEXT).between(0.8, 1.2).all()


@pytest.mark.parametrize("points", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("freq", ["MS", "W-MON", "D", "QS", "YS"])
def test_short_histories_get_a_forecast_near_what_is_known(points, freq):
    y = HEALTHY[:points]
    made = checked(sf.forecast(panel(y, freq=freq), 4), 1, 4)
    assert made["mean"].between(0.5 * y.min(), 2 * y.max()).all()
    if points < 5:
        assert "short_history" in notes(made)


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0, 1e-9, 1e12])
def test_a_constant_stays_constant(value):
    assert ahead([value] * 30)["mean"].tolist() == pytest.approx([value] * 6)


@pytest.mark.parametrize("unit", [1e-9, 1e12])
def test_the_unit_of_a_series_changes_nothing_but_the_unit(unit):
    made = ahead(HEALTHY * unit)
    assert (made["mean"] / unit).tolist() == pytest.approx(NEXT.tolist(), rel=1e-6)


def test_losses_and_profits_are_forecast_around_zero():
    made = ahead(HEALTHY - 100)
    assert "negative_values" in notes(made)
    assert np.abs(made["mean"] + 100 - NEXT).max() < 20


def test_sparse_demand_has_a_small_steady_forecast():
    demand = np.random.default_rng(1).poisson(0.3, 60).astype(float)
    made = ahead(demand)
    assert "intermittent" in notes(made)
    assert made["mean"].between(0.05, 0.8).all() and (made["lo_95"] == 0).all()


def test_one_broken_series_does_not_stop_the_others():
    good = [panel(months(seed=each), name=f"good {each}") for each in range(5)]
    twice = pd.concat([panel([1.0, 2.0], name="twice"), panel([3.0], name="twice")])
    infinite, empty = panel([1.0, np.inf, 2.0], name="infinite"), panel([np.nan, np.nan], name="empty")
    made = checked(sf.forecast(pd.concat([*good, twice, infinite, empty]), 3), 5, 3)
    assert made.attrs["refused"] == {
        "twice": "duplicate_periods",
        "infinite": "infinite_values",
        "empty": "no_values",
    }
    alone = sf.forecast(pd.concat(good), 3)
    assert made["mean"].tolist() == pytest.approx(alone["mean"].tolist(), rel=1e-9)
    with pytest.raises(BadPanel):
        sf.forecast(empty, 3)


def test_promotions_known_ahead_lift_the_months_they_are_planned_for():
    promotion = np.zeros(66)
    promotion[[3, 10, 17, 22, 29, 36, 41, 50, 55, 62]] = 1
    promoted = HEALTHY * np.exp(0.5 * promotion[:60])
    plan = pd.DataFrame({"ds": panel(promotion)["ds"], "promotion": promotion})
    made = ahead(promoted, regressors=plan)
    assert "regressors_used" in notes(made)
    # The month of the promotion (the third) is lifted, and the past ones are no outliers.
    assert (made["mean"] / NEXT)[2] == pytest.approx(np.exp(0.5), rel=0.1)
    assert (made["mean"] / NEXT).drop(index=2).between(0.9, 1.1).all()


def test_a_shop_that_closes_on_sundays_and_at_festivals_stays_open():
    days = pd.DatetimeIndex(pd.date_range("2024-01-01", "2026-02-23"))
    noise = np.exp(np.random.default_rng(6).normal(0, 0.05, len(days)))
    known = calendar_regressors(Calendar(), panel(np.ones(len(days)), "2024-01-01", "D", "shop"), 14)
    closed = known["festival"].to_numpy()[: len(days)] == 1
    y = np.where(closed | (days.day_of_week == 6), 0, 100 + 30 * (days.day_of_week == 5)) * noise
    shop = pd.DataFrame({"unique_id": "shop", "ds": days, "y": y})
    assert closed[-9:].all()  # the history ends with the nine days off of 2026
    made = checked(sf.forecast(shop, 14, regressors=known), 1, 14)
    assert "ended" not in notes(made) and "regressors_used" in notes(made)
    sundays = made["ds"].dt.day_of_week == 6
    assert made.loc[sundays, "mean"].max() < 30
    assert made.loc[~sundays, "mean"].between(70, 170).all()


# --- third-party series -------------------------------------------------------------------------------------------


def quarter_or_month(time, periods):
    count = np.round(np.asarray(time, float) * periods).astype(int)
    return pd.to_datetime({"year": count // periods, "month": (count % periods) * 12 // periods + 1, "day": 1})


def decimal(folder, name, periods):
    rows = pd.read_csv(folder / f"{name}.csv")
    return pd.DataFrame({"unique_id": name, "ds": quarter_or_month(rows["time"], periods), "y": rows["value"]})


def named(unique_id, ds, y):
    return pd.DataFrame({"unique_id": unique_id, "ds": ds, "y": pd.to_numeric(y)})


def read(folder, name):
    """One of the thirteen sets as a panel."""
    if name in ("AirPassengers", "auscafe", "a10"):
        return decimal(folder, name, 12)
    if name == "euretail":
        return decimal(folder, name, 4)
    if name == "daily_demand_order":  # weekdays only; the file has no dates, its first row is a Wednesday
        rows = pd.read_csv(folder / f"{name}.csv", header=None, skiprows=1)
        return named("orders", pd.bdate_range("2024-01-03", periods=len(rows)), rows.iloc[:, -1])
    rows = pd.read_csv(folder / f"{name}.csv")
    rows.columns = [each.strip() for each in rows.columns]
    if name == "souvenirs":
        return named("souvenirs", pd.to_datetime(rows["Month"], format="%Y %b"), rows["Sales"])
    if name == "aus_vehicle_sales":
        return named(rows["Type"], pd.to_datetime(rows["Month"], format="%Y %b"), rows["Count"])
    if name == "aus_arrivals":
        return named(
            rows["Origin"],
            pd.PeriodIndex(rows["Quarter"].str.replace(" ", ""), freq="Q").to_timestamp(),
            rows["Arrivals"],
        )
    if name == "us_gasoline":
        weeks = [pd.Timestamp.fromisocalendar(int(each[:4]), int(each[6:]), 1) for each in rows["Week"]]
        return named("gasoline", weeks, rows["Barrels"])
    if name == "RSXFSN":
        return named("retail", pd.to_datetime(rows["DATE"]), rows["RSXFSN"])
    if name == "monthly_shampoo":
        return named("shampoo", pd.date_range("2001-01-01", periods=len(rows), freq="MS"), rows["Sales"])
    if name == "walmart_45stores_weekly_messy":
        days = pd.to_datetime(rows["Date"].str.split(", ", n=1).str[1], format="%d %B %Y")
        return named(rows["Store"].astype(str), days, rows["Weekly_Sales"].str.replace(r"[$, ]", "", regex=True))
    months_of = rows.iloc[:, 0].str.extract(r"(?P<year>\d+)年(?:1-)?(?P<month>\d+)月").astype(int)
    return named("retail", pd.to_datetime(months_of.assign(day=1)), rows.iloc[:, 1])


# Set, horizon, the largest ratio of our absolute error to that of the seasonal naive forecast in three backtests.
SETS = [
    ("AirPassengers", 12, 0.85),
    ("souvenirs", 12, 0.85),
    ("aus_vehicle_sales", 12, 0.9),
    ("euretail", 8, 1.0),
    ("auscafe", 12, 0.6),
    ("a10", 12, 0.75),
    ("us_gasoline", 13, 0.85),
    ("aus_arrivals", 8, 1.0),
    ("RSXFSN", 12, 0.7),
    ("monthly_shampoo", 6, 0.8),
    ("walmart_45stores_weekly_messy", 13, 0.85),
    ("china_retail_monthly_utf8", 12, 0.6),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "horizon", "most"), SETS, ids=[each[0] for each in SETS])
def test_third_party_series_are_forecast_better_than_by_repeating_last_year(shared_data, name, horizon, most):
    rows = read(shared_data / "sales_time_series", name)
    checked(sf.forecast(rows, horizon), rows["unique_id"].nunique(), horizon)
    past = sf.backtest(rows, horizon, 3)
    ours, naive = (past["y"] - past["mean"]).abs().sum(), (past["y"] - past["naive"]).abs().sum()
    assert ours < most * naive
    # Of few forecasts a band of a few per cent of coverage is chance: only what is far off is an error.
    assert ((past["y"] >= past["lo_95"]) & (past["y"] <= past["hi_95"])).mean() > 0.7


@pytest.mark.slow
def test_statistics_that_merge_january_and_february_are_forecast_as_they_are_published(shared_data):
    rows = read(shared_data / "sales_time_series", "china_retail_monthly_utf8")
    known = calendar_regressors(Calendar(), rows, 12)
    made = checked(sf.forecast(rows, 12, regressors=known), 1, 12)
    february = made[made["ds"].dt.month == 2]["mean"].iloc[0]
    others = made[~made["ds"].dt.month.isin([1, 2])]["mean"]
    assert 1.5 < february / others.mean() < 2.2  # two months in one
    january = made[made["ds"].dt.month == 1].iloc[0]
    assert january["mean"] == 0 and "merged_period" in january["note"]


@pytest.mark.slow
def test_orders_of_weekdays_are_forecast_with_weekends_unknown_or_zero(shared_data):
    rows = read(shared_data / "sales_time_series", "daily_demand_order")
    for each in (rows, fill_gaps(rows, 0)):
        made = checked(sf.forecast(each, 7), 1, 7)
        weekdays = made[made["ds"].dt.day_of_week < 5]["mean"]
        assert weekdays.between(rows["y"].min(), rows["y"].max()).all()
