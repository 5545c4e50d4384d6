import numpy as np
import pandas as pd
import pytest

from salesforecast.errors import BadValue, NoData
from salesforecast.forecasting import accuracy, backtest, forecast, total
from salesforecast.forecasting.scales import naive_scale


def panel(lengths, seed=5):
    rng = np.random.default_rng(seed)
    parts = []
    for name, n in lengths.items():
        y = 100 * (1 + 0.3 * np.sin(np.arange(n) * np.pi / 6)) * 1.01 ** np.arange(n) * rng.lognormal(0, 0.1, n)
        ds = pd.date_range(end="2026-10-01", periods=n, freq="MS")
        parts.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def sales():
    return panel({"A": 46, "B": 46, "new": 9})


@pytest.fixture(scope="module")
def made(sales):
    return backtest(sales, 3)


def test_a_backtest_is_a_forecast_with_cutoff_outcome_and_scale(made, sales):
    head = ["unique_id", "ds", "model", "mean", "lo_80", "hi_80", "lo_95", "hi_95", "note"]
    assert list(made.columns) == [*head, "cutoff", "y", "naive", "scale"]
    assert made.groupby(["unique_id", "cutoff"]).size().to_dict() == {
        (name, pd.Timestamp(cutoff)): 3
        for name, cutoffs in {
            "A": ("2026-01-01", "2026-04-01", "2026-07-01"),
            "B": ("2026-01-01", "2026-04-01", "2026-07-01"),
            "new": ("2026-05-01", "2026-06-01", "2026-07-01"),
        }.items()
        for cutoff in cutoffs
    }
    assert not made.isna().any().any()
    known = sales[(sales["unique_id"] == "A") & (sales["ds"] <= "2026-04-01")]["y"].to_numpy()
    row = made[(made["unique_id"] == "A") & (made["cutoff"] == "2026-04-01")].iloc[0]
    assert row["scale"] == pytest.approx(naive_scale(known, 12), rel=1e-12)
    assert row["naive"] == known[-12]


def test_a_past_forecast_is_exactly_what_would_have_been_said_then(made, sales):
    for cutoff in ("2026-01-01", "2026-07-01"):
        then = forecast(sales[sales["ds"] <= cutoff], 3)
        now = made[made["cutoff"] == cutoff][list(then.columns)].reset_index(drop=True)
        then = then[then["unique_id"].isin(now["unique_id"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(now, then, rtol=1e-9)


def test_rows_after_the_cutoff_never_change_a_past_forecast(made, sales):
    changed = sales.assign(y=sales["y"].where(sales["ds"] <= "2026-07-01", 1e6))
    again = backtest(changed, 3)
    pd.testing.assert_frame_equal(again.drop(columns="y"), made.drop(columns="y"), rtol=1e-9)


def test_a_period_whose_outcome_is_missing_is_not_judged(sales):
    holes = sales.assign(y=sales["y"].mask((sales["ds"] == "2026-09-01") & (sales["unique_id"] == "A")))
    assert len(backtest(holes, 3, windows=1).query("unique_id == 'A'")) == 2


def test_a_history_shorter_than_the_horizon_and_two_points_cannot_be_backtested():
    with pytest.raises(NoData, match="longest series has 4 periods; a backtest over 3 needs 5"):
        backtest(panel({"A": 4}), 3)
    assert len(backtest(panel({"A": 5}), 3)) == 3


HAND = pd.DataFrame(
    {
        "unique_id": "A", "ds": [1, 2, 1, 2], "cutoff": [0, 0, 1, 1], "model": "combination",
        "mean": [110.0, 90.0, 100.0, 60.0], "naive": [120.0, 80.0, 100.0, 100.0], "y": [100.0, 100.0, 100.0, 100.0],
        "lo_80": [95.0, 95.0, 95.0, 50.0], "hi_80": [115.0, 120.0, 105.0, 70.0],
        "lo_95": [90.0, 90.0, 90.0, 40.0], "hi_95": [120.0, 130.0, 110.0, 90.0],
        "scale": 10.0, "note": "",
    }
)  # fmt: skip


def test_accuracy_by_hand():
    ours = accuracy(HAND).iloc[0]
    assert ours["model"] == "combination" and ours["rows"] == 4
    assert ours["wape"] == pytest.approx(60 / 400)
    assert ours["mase"] == pytest.approx((10 + 10 + 0 + 40) / 4 / 10)
    assert ours["smape"] == pytest.approx((20 / 210 + 20 / 190 + 0 + 80 / 160) / 4)
    assert ours["bias"] == pytest.approx(-40 / 400)
    assert ours["coverage_80"] == 0.75 and ours["coverage_95"] == 0.75
    # Widths 30, 40, 20, 50; the last outcome lies 10 above its interval: 40 x 10 more.
    assert ours["msis"] == pytest.approx((30 + 40 + 20 + 50 + 400) / 4 / 10)


def test_the_seasonal_naive_method_always_stands_beside_the_forecast():
    naive = accuracy(HAND).iloc[-1]
    assert naive["model"] == "seasonal_naive"
    assert naive["wape"] == pytest.approx(40 / 400)
    assert naive["mase"] == pytest.approx(1.0)
    assert np.isnan(naive["coverage_80"]), "it states no interval"


def test_accuracy_can_be_asked_by_series_cutoff_step_or_any_column():
    steps = accuracy(HAND, by="step").query("model == 'combination'").set_index("step")
    assert steps["wape"].to_dict() == {1: pytest.approx(10 / 200), 2: pytest.approx(50 / 200)}
    assert len(accuracy(HAND.assign(region="华东"), by=["region", "cutoff"])) == 4
    with pytest.raises(BadValue, match="Did you mean 'cutoff'"):
        accuracy(HAND, by="cutof")
    with pytest.raises(BadValue, match="Give the frame that backtest"):
        accuracy(HAND.drop(columns="cutoff"))


def test_members_are_judged_too_and_the_naive_method_only_once(sales):
    judged = accuracy(backtest(sales, 3, windows=1, members=True))
    assert judged["model"].iloc[0] == "combination" and judged["model"].iloc[-1] == "seasonal_naive"
    assert judged["model"].is_unique and "theta_log" in set(judged["model"])
    assert judged.query("model == 'seasonal_naive'")["rows"].item() == 9


def test_zero_sales_have_no_percentage_error_and_no_scale():
    nothing = accuracy(HAND.assign(y=0.0, scale=0.0)).iloc[0]
    assert np.isnan(nothing["wape"]) and np.isnan(nothing["mase"]) and np.isnan(nothing["bias"])
    assert nothing["smape"] == 2.0


def test_the_sum_of_a_quarter_is_at_least_as_sure_as_the_sum_of_its_bounds(sales, made):
    ahead = forecast(sales, 3)
    sums = total(ahead, made, target=500.0)
    assert list(sums.columns) == ["unique_id", "mean", "lo_80", "hi_80", "lo_95", "hi_95", "p_reach"]
    for _, row in sums.iterrows():
        own = ahead[ahead["unique_id"] == row["unique_id"]]
        assert row["mean"] == pytest.approx(own["mean"].sum())
        assert own["lo_80"].sum() - 1e-6 <= row["lo_80"] < row["mean"] < row["hi_80"] <= own["hi_80"].sum() + 1e-6
        assert row["lo_95"] < row["lo_80"] and row["hi_80"] < row["hi_95"]
        assert 0 < row["p_reach"] < 1


def test_the_chance_to_reach_a_target_falls_with_the_target_and_is_one_half_at_the_forecast(sales, made):
    ahead = forecast(sales, 3)
    mean = total(ahead, made).set_index("unique_id")["mean"]
    assert total(ahead, made)["p_reach"].isna().all()
    assert total(ahead, made, target=mean.to_dict())["p_reach"].to_numpy() == pytest.approx(0.5, abs=0.02)
    chances = [total(ahead, made, target=share * mean["A"]).query("unique_id == 'A'")["p_reach"].item()
               for share in (0.5, 0.9, 1.1, 2.0)]  # fmt: skip
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.95 and chances[-1] < 0.05
    only_a = total(ahead, made, target={"A": 1.0})
    assert only_a["p_reach"].notna().tolist() == [True, False, False]


def test_sums_whose_errors_cancelled_in_the_past_get_a_narrower_interval():
    ahead = pd.DataFrame(
        {"unique_id": "A", "ds": [1, 2], "model": "theta", "mean": 100.0, "hi_80": 120.0, "lo_80": 80.0}
    )
    past = pd.concat([ahead.assign(cutoff=each, naive=0.0, scale=1.0) for each in range(20)])
    width = {}
    for name, y in {"cancel": [90.0, 110.0], "add up": [120.0, 120.0]}.items():
        width[name] = total(ahead, past.assign(y=y * 20), level=80).eval("hi_80 - lo_80").item()
    assert width["cancel"] < total(ahead, level=80).eval("hi_80 - lo_80").item() < width["add up"]
