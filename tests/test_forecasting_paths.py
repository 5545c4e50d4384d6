import numpy as np
import pandas as pd
import pytest

from salesforecast.errors import BadValue
from salesforecast.forecasting import backtest, calibrate, forecast, sample_paths
from salesforecast.forecasting.paths import draws, past_dependence

QUARTER = pd.DataFrame(
    {
        "unique_id": "A", "ds": [1, 2, 3], "model": "theta", "mean": 100.0,
        "lo_80": 90.0, "hi_80": 130.0, "lo_95": 80.0, "hi_95": 160.0, "note": "",
    }
)  # fmt: skip


def past(errors):
    """A backtest of one series with these errors (cutoff, step), stated as in QUARTER."""
    rows = [
        QUARTER.iloc[: len(each)].assign(cutoff=cutoff, y=100.0 + np.array(each), naive=0.0, scale=1.0)
        for cutoff, each in enumerate(errors)
    ]
    return pd.concat(rows, ignore_index=True)


def table(drawn):
    return drawn.pivot(index="path", columns="ds", values="y")


def test_each_period_is_distributed_as_its_intervals_say():
    drawn = table(sample_paths(QUARTER, paths=20_000))
    for period in (1, 2, 3):
        found = drawn[period].quantile([0.025, 0.1, 0.5, 0.9, 0.975]).tolist()
        assert found == pytest.approx([80, 90, 100, 130, 160], rel=0.02)


def test_the_same_seed_gives_the_same_paths_and_another_one_others():
    first, again, other = (sample_paths(QUARTER, paths=10, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert (first["y"] != other["y"]).all()
    assert list(first.columns) == ["unique_id", "path", "ds", "y"] and len(first) == 30


@pytest.mark.parametrize(("sign", "expected"), [(1, 0.75), (-1, -0.25)])
def test_periods_go_together_as_past_errors_did(sign, expected):
    size = np.random.default_rng(2).normal(0, 10, 200)
    learned = past(np.stack([size, sign * size], axis=1))
    correlation = table(sample_paths(QUARTER.iloc[:2], learned, paths=4000)).rank().corr().loc[1, 2]
    assert correlation > expected if sign > 0 else correlation < expected
    nothing = table(sample_paths(QUARTER, paths=4000)).rank().corr().loc[1, 2]
    assert nothing == pytest.approx(0.48, abs=0.05), "one half where nothing is known"


def test_a_backtest_may_be_shorter_than_the_forecast():
    size = np.random.default_rng(2).normal(0, 10, 200)
    found = past_dependence(past(np.stack([size, size], axis=1)), 3)
    assert found[0, 2] > 0.8 and found.shape == (3, 3)


def test_sales_never_fall_below_zero_but_profits_may():
    wide = QUARTER.assign(mean=5.0, lo_80=0.0, lo_95=0.0, hi_80=20.0, hi_95=40.0)
    assert sample_paths(wide)["y"].min() == 0
    assert sample_paths(wide.assign(lo_95=-20.0))["y"].min() < 0


def test_a_calibration_tells_as_much_as_a_backtest():
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2020-01-01", periods=60, freq="MS")})
    rows["y"] = 100 + np.cumsum(rng.normal(0, 3, 60))
    ahead, learned = forecast(rows, 6), calibrate(rows, 6)
    # A random walk: what is too high at the fifth step is too high at the sixth.
    assert table(sample_paths(ahead, learned)).corr().iloc[4, 5] > 0.5
    assert table(sample_paths(ahead, backtest(rows, 6, 6))).corr().iloc[4, 5] > 0.5
    with pytest.raises(BadValue, match="reaches 6 steps, the forecast 7"):
        sample_paths(forecast(rows, 7), learned)


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(BadValue, match="has no interval"):
        sample_paths(QUARTER.drop(columns=["lo_80", "hi_80", "lo_95", "hi_95"]))
    with pytest.raises(BadValue, match="paths is 0"):
        sample_paths(QUARTER, paths=0)


def test_draws_are_standard_normal_with_the_correlation_asked_for():
    drawn = draws(np.array([[1.0, 0.6], [0.6, 1.0]]), 20_000, np.random.default_rng(0))
    assert drawn.mean(axis=0) == pytest.approx([0, 0], abs=1e-9), "each is drawn with its mirror"
    assert np.cov(drawn.T) == pytest.approx(np.array([[1, 0.6], [0.6, 1]]), abs=0.03)
