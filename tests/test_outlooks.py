"""A forecast for its readers: sums, members, effects, levels that add up and scenarios, of small companies."""

import numpy as np
import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.calendar import Calendar
from salesforecast.errors import BadValue, NoData

MONTHS = pd.date_range("2022-01-01", "2026-09-01", freq="MS")


def lines(amounts, **more):
    """One order on the 10th of every month."""
    days = MONTHS[-len(amounts) :] + pd.Timedelta(days=9)
    frame = pd.DataFrame({"txn_type": "order", "date": days.date, "amount": np.round(amounts, 2), **more})
    return frame.assign(order_id=[f"{more}{each}" for each in range(len(frame))])


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(4)


@pytest.fixture
def seasonal(make_store, rng):
    """A workbench whose December is twice as large as the other months, 1 % noise."""
    amounts = 1000 * np.where(MONTHS.month == 12, 2, 1) * rng.normal(1, 0.01, len(MONTHS))
    with sf.open(make_store(transactions=lines(amounts)), as_of="2026-09-30") as wb:
        yield wb


def test_a_forecast_is_summed_up_beside_last_year(seasonal):
    panel, forecast, backtest = sf.outlooks.made(seasonal, horizon=6)
    whole = sf.outlooks.summary(panel, forecast, backtest)
    assert (whole["n"], whole["first"], whole["last"]) == (6, pd.Timestamp("2026-10-01"), pd.Timestamp("2027-03-01"))
    assert whole["total"] == pytest.approx(7000, rel=0.02)
    assert whole["last_year"] == pytest.approx(panel["y"].iloc[-12:-6].sum())
    assert abs(whole["yoy"]) < 0.03
    assert whole["high_period"] == pd.Timestamp("2026-12-01") and whole["high"] == pytest.approx(2000, rel=0.03)
    assert whole["lo_80"] < whole["total"] < whole["hi_80"]


def test_each_period_stands_beside_the_same_one_of_last_year(seasonal):
    panel, forecast, _ = sf.outlooks.made(seasonal, horizon=14)
    frame = sf.outlooks.periods(panel, forecast)
    assert len(frame) == 14
    assert frame["last_year"].iloc[2] == panel["y"].iloc[-10]
    assert frame["last_year"].iloc[12:].isna().all(), "a year before them is forecast itself"


def test_methods_are_ranked_and_the_naive_one_is_the_yardstick(seasonal):
    _, _, backtest = sf.outlooks.made(seasonal, horizon=3)
    board = sf.outlooks.leaderboard(backtest)
    assert board["mase"].is_monotonic_increasing
    assert board["naive"].sum() == 1
    ours = board.set_index("model").loc["combination"]
    naive = board.set_index("model").loc["seasonal_naive"]
    assert ours["skill"] == pytest.approx(1 - ours["mase"] / naive["mase"])
    ahead = sf.outlooks.by_lag(backtest)
    assert ahead["lag"].tolist() == [1, 2, 3] and ahead["naive_wape"].notna().all()


def test_members_have_weights_that_add_up_and_assumptions(seasonal):
    panel, _, _ = sf.outlooks.made(seasonal, horizon=3)
    weights = sf.outlooks.weights(seasonal, panel, 3)
    assert weights["weight"].sum() == pytest.approx(1) and weights["weight"].is_monotonic_decreasing
    assert all(sf.outlooks.methods(weights, "en")["assumption"])


def test_what_a_workday_more_brings_is_said_for_one_workday(make_store, rng):
    calendar = Calendar()
    days = np.array([calendar.workdays(each, each + pd.offsets.MonthEnd(0)) for each in MONTHS])
    store = make_store(transactions=lines(1000 * days * rng.normal(1, 0.01, len(MONTHS))))
    with sf.open(store, as_of="2026-09-30") as wb:
        panel, forecast, _ = sf.outlooks.made(wb, horizon=3)
        effects = sf.outlooks.effects(wb, panel, forecast).set_index("driver")
    assert effects.loc["workdays", "impact"] == pytest.approx(1 / 21, abs=0.01)
    assert effects.loc["workdays", "used"] and effects.loc["workdays", "unused"] == ""


def test_members_add_up_to_their_group_and_groups_to_the_whole(make_store, rng):
    parts = [
        lines(size * rng.normal(1, 0.05, 40), region=region, channel=channel)
        for region, channel, size in (("华东", "直销", 500), ("华东", "经销", 300), ("华北", "直销", 100))
    ]
    with sf.open(make_store(transactions=pd.concat(parts)), as_of="2026-09-30") as wb:
        frame = sf.outlooks.parts(wb, ["region", "channel"], horizon=3)
        regions = sf.outlooks.first_level(frame, ["region", "channel"])
        with pytest.raises(NoData):
            sf.outlooks.parts(wb, ["category"])
    assert frame["scope_id"].tolist() == ["*", "华东", "直销", "经销", "华北", "直销"]
    assert frame["depth"].tolist() == [0, 1, 2, 2, 1, 2]
    made = frame["forecast"].to_numpy()
    assert made[0] == pytest.approx(made[1] + made[4]) and made[1] == pytest.approx(made[2] + made[3])
    assert made[0] == pytest.approx(2700, rel=0.05)
    assert (frame["lo_80"] < frame["forecast"]).all() and (frame["forecast"] < frame["hi_80"]).all()
    assert regions["region"].tolist() == ["华东", "华北"]


def test_scenarios_are_held_against_the_first(seasonal):
    panel, _, backtest = sf.outlooks.made(seasonal, horizon=12)
    changes = {"base": {}, "up": {"level": 0.1}}
    frame = sf.outlooks.scenarios(seasonal, panel, 12, changes, backtest).set_index("scenario")
    assert frame.loc["up", "change_pct"] == pytest.approx(0.1)
    assert frame.loc["up", "gap_to_base"] == pytest.approx(0.1 * frame.loc["base", "forecast"])
    assert np.isnan(frame.loc["base", "change_pct"])
    with pytest.raises(BadValue, match="No scenarios"):
        sf.outlooks.scenarios(seasonal, panel, 12, {})


def test_a_history_is_taken_apart_into_four_parts_that_add_up(seasonal):
    parts = sf.outlooks.four_parts(sf.sales.trend(seasonal))
    whole = parts[["trend", "seasonal", "calendar", "remainder"]].sum(axis=1)
    assert whole.to_numpy() == pytest.approx(parts["value"].to_numpy())
    assert len(parts) == 36


def test_three_months_are_forecast_and_what_cannot_be_told_says_why(make_store):
    with sf.open(make_store(transactions=lines([100.0, 120, 110])), as_of="2026-09-30") as wb:
        panel, forecast, backtest = sf.outlooks.made(wb)
        whole = sf.outlooks.summary(panel, forecast, backtest)
        assert 80 < whole["total"] / 6 < 140 and np.isnan(whole["yoy"])
        assert backtest is None
        for told in (sf.outlooks.leaderboard, sf.outlooks.by_lag):
            with pytest.raises(NoData) as error:
                told(backtest)
            assert error.value.note == "no_track_record"
        with pytest.raises(NoData, match="two seasons"):
            sf.outlooks.four_parts(sf.sales.trend(wb))
        assert sf.outlooks.weights(wb, panel, 6)["weight"].sum() == pytest.approx(1)
        assert not sf.outlooks.effects(wb, panel, forecast)["used"].any()
