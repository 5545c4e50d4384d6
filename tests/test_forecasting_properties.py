"""What must hold for any panel: nothing depends on order, neighbours, chunks or the future."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesforecast.forecasting import backtest, calibrate, calibration_sample, forecast, members, requests, weights

NUMBERS = ["mean", "lo_80", "hi_80", "lo_95", "hi_95"]


def mixed(count, seed=0, longest=60):
    """Series of all kinds and lengths that end together: seasonal, short, sparse, with losses, with gaps."""
    rng = np.random.default_rng(seed)
    parts = []
    for each in range(count):
        n = int(rng.integers(1, longest))
        t = np.arange(n)
        y = 50 * (1 + 0.4 * np.sin(2 * np.pi * t / 12)) * 1.01**t * rng.lognormal(0, 0.1, n)
        if each % 5 == 1:
            y = y * (rng.random(n) < 0.4)
        if each % 5 == 2:
            y = y - 45
        rows = pd.DataFrame({"unique_id": f"s{each:02}", "ds": pd.date_range(end="2026-10-01", periods=n, freq="MS")})
        rows["y"] = y
        parts.append(rows.drop(index=rng.integers(1, n - 1, 2)) if each % 5 == 3 and n > 4 else rows)
    return pd.concat(parts, ignore_index=True)


def same(first, second, rtol=1e-9):
    pd.testing.assert_frame_equal(first.reset_index(drop=True), second.reset_index(drop=True), rtol=rtol, atol=1e-9)


@pytest.fixture(scope="module")
def panel():
    return mixed(40)


@pytest.fixture(scope="module")
def made(panel):
    return forecast(panel, 6)


def test_identical_calls_give_identical_bits(panel, made):
    pd.testing.assert_frame_equal(forecast(panel, 6), made, check_exact=True)


def test_the_order_of_rows_changes_nothing(panel, made):
    pd.testing.assert_frame_equal(forecast(panel.sample(frac=1, random_state=3), 6), made, check_exact=True)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(st.integers(0, 1000), st.integers(2, 4))
def test_a_part_with_the_calibration_of_the_whole_is_forecast_as_in_the_whole(panel, made, seed, buckets):
    learned = pickle.loads(pickle.dumps(calibrate(panel, 6)))
    bucket = np.random.default_rng(seed).integers(buckets, size=40)[panel["unique_id"].str[1:].astype(int)]
    parts = [
        forecast(panel[bucket == each], 6, calibration=learned) for each in range(buckets) if (bucket == each).any()
    ]
    same(pd.concat(parts).sort_values(["unique_id", "ds"]), made)


def test_a_part_is_backtested_as_in_the_whole(panel):
    whole = backtest(panel, 4, 2)
    learned = calibrate(panel, 4, windows=2)
    half = panel["unique_id"] < "s20"
    parts = [backtest(panel[each], 4, 2, calibration=learned) for each in (half, ~half)]
    same(pd.concat(parts), whole)


def test_chunks_and_blocks_change_nothing(panel, made, monkeypatch):
    monkeypatch.setattr(members, "CHUNK", 7)
    monkeypatch.setattr(members, "BLOCK", 31)
    monkeypatch.setattr(requests, "SERIES", 9)
    same(forecast(panel, 6), made)
    same(forecast(panel, 6, calibration=calibrate(panel, 6)), made)


def test_a_large_panel_learns_from_the_same_series_whatever_part_is_asked(panel, monkeypatch):
    monkeypatch.setattr(requests, "SAMPLE", 15)
    ids = panel["unique_id"].unique()
    sample = calibration_sample(ids)
    assert len(sample) == 15
    assert set(calibration_sample([*calibration_sample(ids[:25]), *calibration_sample(ids[25:])])) == set(sample)
    learned = calibrate(panel[panel["unique_id"].isin(sample)], 6, series=40)
    part = panel["unique_id"] < "s10"
    whole = forecast(panel, 6)
    same(forecast(panel[part], 6, calibration=learned), whole[whole["unique_id"] < "s10"])


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(0, 1000), st.floats(0, 1e6))
def test_rows_to_come_never_change_what_was_said(seed, value):
    whole = mixed(6, seed)
    cutoff = pd.Timestamp("2026-05-01")
    said = backtest(whole, 5, 1)
    changed = whole.assign(y=whole["y"].where(whole["ds"] <= cutoff, value))
    again = backtest(changed, 5, 1)
    here = said["cutoff"] == cutoff
    same(
        again.loc[again["cutoff"] == cutoff, [*NUMBERS, "naive", "scale"]], said.loc[here, [*NUMBERS, "naive", "scale"]]
    )
    then = forecast(whole[whole["ds"] <= cutoff], 5).set_index(["unique_id", "ds"])
    known = said[here].set_index(["unique_id", "ds"])
    same(then.loc[known.index, NUMBERS], known[NUMBERS])


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda y: round(y, 3)), min_size=1, max_size=40),
    st.integers(1, 9),
    st.sampled_from(["MS", "QS", "YS", "W-MON", "D"]),
)
def test_any_history_has_numbers_in_order(y, horizon, freq):
    rows = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2020-01-06", periods=len(y), freq=freq), "y": y})
    made = forecast(rows, horizon, quantiles=(0.3, 0.6))
    assert len(made) == horizon and np.isfinite(made[[*NUMBERS, "q_0.3", "q_0.6"]]).all().all()
    columns = made[["lo_95", "lo_80", "q_0.3", "mean", "q_0.6", "hi_80", "hi_95"]].to_numpy()
    assert (np.diff(columns, axis=1) >= -1e-9 * np.abs(columns).max()).all()


def test_the_weights_of_every_series_add_up_to_one(panel):
    found = weights(panel, 6)
    assert found.groupby("unique_id")["weight"].sum().to_numpy() == pytest.approx(1)
    assert set(found["unique_id"]) == set(panel["unique_id"])
