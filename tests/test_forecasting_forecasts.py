import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesforecast.forecasting import forecast


def series(name, y, start="2020-01-01", freq="MS"):
    return pd.DataFrame({"unique_id": name, "ds": pd.date_range(start, periods=len(y), freq=freq), "y": y})


def noisy(count, n, seed=0, level=100.0):
    rng = np.random.default_rng(seed)
    season = 1 + 0.3 * np.sin(np.arange(n) * np.pi / 6)
    return pd.concat(
        [series(f"s{each:03}", level * season * rng.lognormal(0, 0.15, n)) for each in range(count)],
        ignore_index=True,
    )


AWKWARD = {
    "one point": [5.0],
    "two points": [5.0, 7.0],
    "five points": [5.0, 7.0, 6.0, 9.0, 8.0],
    "constant": [3.0] * 30,
    "zeros": [0.0] * 30,
    "tiny": list(1e-9 * (2 + np.sin(np.arange(30)))),
    "huge": list(1e12 * (2 + np.sin(np.arange(30)))),
    "intermittent": [0.0, 0, 3, 0, 0, 1] * 5,
    "negative": list(10 * np.sin(np.arange(30))),
    "ended": [5.0, 6, 7] * 6 + [0.0] * 12,
    "jump": [10.0] * 20 + [1000.0] * 10,
    "outlier": [10.0, 11, 12] * 9 + [1e6, 11, 12],
    "growth": list(1.5 ** np.arange(30)),
}


@pytest.fixture(scope="module")
def awkward():
    panel = pd.concat([series(name, y) for name, y in AWKWARD.items()], ignore_index=True)
    holes = series("holes", np.arange(1.0, 31)).drop(index=[3, 17])
    return forecast(pd.concat([panel, holes]), 6).set_index("unique_id")


def test_no_series_of_many_is_lost_or_without_a_number(awkward):
    assert awkward.groupby(level=0).size().to_dict() == dict.fromkeys([*AWKWARD, "holes"], 6)
    assert not awkward.isna().any().any()
    assert np.isfinite(awkward[["mean", "lo_80", "hi_80", "lo_95", "hi_95"]]).all().all()


def test_intervals_are_nested_around_the_mean_and_not_below_zero_for_sales(awkward):
    columns = awkward[["lo_95", "lo_80", "mean", "hi_80", "hi_95"]].to_numpy()
    assert (np.diff(columns, axis=1) >= 0).all()
    assert (awkward.drop(index="negative")["lo_95"] >= 0).all()
    assert (awkward.loc["negative", "lo_95"] < 0).all()


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("one point", "constant;short_history"),
        ("two points", "short_history;no_backtest"),
        ("five points", "short_history"),
        ("constant", "constant"),
        ("zeros", "all_zero"),
        ("intermittent", "intermittent"),
        ("negative", "negative_values"),
        ("ended", "ended"),
        ("holes", "gaps_filled"),
        ("tiny", ""),
    ],
)
def test_what_is_special_about_a_history_is_noted(awkward, name, note):
    assert set(awkward.loc[name, "note"]) == {note}


def test_constants_and_ended_series_go_on_as_they_are(awkward):
    assert awkward.loc["constant", "mean"].tolist() == [3.0] * 6
    assert awkward.loc["zeros", "hi_95"].tolist() == [0.0] * 6
    assert awkward.loc["ended", "mean"].tolist() == [0.0] * 6
    assert (awkward.loc["one point", "hi_80"] > 6).all(), "one point is no certainty"
    assert awkward.loc["holes", "mean"].iloc[0] == pytest.approx(30, rel=0.1)


def test_the_unit_of_the_amounts_changes_nothing():
    panel = noisy(2, 30)
    numbers = ["mean", "lo_80", "hi_80", "lo_95", "hi_95"]
    plain = forecast(panel, 4)[numbers]
    for factor in (1e-11, 1e10):
        scaled = forecast(panel.assign(y=panel["y"] * factor), 4)[numbers] / factor
        pd.testing.assert_frame_equal(scaled, plain, rtol=1e-4)


def test_the_order_of_rows_and_series_changes_nothing_and_calls_repeat_bit_by_bit():
    panel = noisy(5, 40)
    made = forecast(panel, 6, members=True)
    pd.testing.assert_frame_equal(
        forecast(panel.sample(frac=1, random_state=1), 6, members=True), made, check_exact=True
    )
    pd.testing.assert_frame_equal(forecast(panel, 6, members=True), made, check_exact=True)


def test_any_level_gives_its_own_pair_of_columns():
    made = forecast(noisy(1, 30), 2, level=(50, 97.5))
    assert list(made.columns) == ["unique_id", "ds", "model", "mean", "lo_50", "hi_50", "lo_97.5", "hi_97.5", "note"]
    assert (made["hi_97.5"] > made["hi_50"]).all()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda y: round(y, 3)), min_size=1, max_size=16),
    st.integers(1, 5),
    st.sampled_from(["MS", "QS", "YS", "W-MON", "D"]),
)
def test_any_short_history_has_a_forecast(y, horizon, freq):
    made = forecast(series("A", y, freq=freq), horizon)
    assert len(made) == horizon
    assert np.isfinite(made[["mean", "lo_95", "lo_80", "hi_80", "hi_95"]]).all().all()
    assert (made["lo_95"] <= made["mean"]).all() and (made["mean"] <= made["hi_95"]).all()


def test_a_progress_bar_changes_nothing_and_goes_away(capsys):
    panel = noisy(2, 30)
    plain = forecast(panel, 2, progress=False)
    pd.testing.assert_frame_equal(forecast(panel, 2, progress=True), plain, check_exact=True)
    assert capsys.readouterr().err == ""
