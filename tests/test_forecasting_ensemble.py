import numpy as np
import pandas as pd
import pytest

from salesforecast.forecasting import MODELS, forecast, model_label
from salesforecast.forecasting.ensemble import POOLS, combine, pools, weigh
from salesforecast.forecasting.models import Batch

RNG = np.random.default_rng(11)
MONTHS = pd.date_range("2022-01-01", periods=60, freq="MS")
SALES = 100 * 1.01 ** np.arange(60) * (1 + 0.3 * np.sin(np.arange(60) * np.pi / 6)) * RNG.lognormal(0, 0.05, 60)


def one(y, name="A", freq="MS"):
    return pd.DataFrame({"unique_id": name, "ds": pd.date_range("2022-01-01", periods=len(y), freq=freq), "y": y})


def mean_of(y, horizon, **keywords):
    return forecast(one(y), horizon, **keywords)["mean"].to_numpy()


def test_drift_and_seasonal_naive_follow_hyndman_and_athanasopoulos_section_5_2():
    assert mean_of([10.0, 14.0, 13.0], 2, models="drift").tolist() == pytest.approx([14.5, 16.0])
    assert mean_of(SALES, 12, models="seasonal_naive") == pytest.approx(SALES[-12:])


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_model_says_what_it_is_in_both_languages(model):
    assert all([model.zh, model.en, model.assumptions_zh, model.assumptions_en, model.source])
    assert model_label(model.name) == {"zh": model.zh, "en": model.en}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_forecasts_an_ordinary_series_within_reason(name):
    path = mean_of(SALES, 12, models=name)
    assert np.isfinite(path).all()
    assert 0.3 * SALES.max() < path.mean() < 2 * SALES.max()


def pool_of(y, season):
    y = np.asarray(y, float)
    return pools(Batch(y[:, None], np.array([len(y)]), season))[0]


@pytest.mark.parametrize(
    ("y", "season", "pool"),
    [
        (SALES, 12, "seasonal"),
        (SALES[:20], 12, "plain"),
        (SALES, 52, "long"),
        ([7.0, 8.0], 12, "short"),
        ([7.0] * 30, 12, "flat"),
        (np.r_[SALES, np.zeros(12)], 12, "flat"),
        ([0.0, 3, 0, 0, 2, 0, 1, 0, 0, 4, 0, 0], 1, "intermittent"),
        # Closed on Saturday and Sunday, and on a few more days.
        ([5.0, 6, 7, 6, 5, 0, 0] * 8 + [0.0, 0, 7, 6, 5, 0, 0], 7, "seasonal"),
    ],
)
def test_the_pool_follows_the_history(y, season, pool):
    assert pool_of(y, season) == pool


def test_the_combination_is_half_median_half_mean_weighted_by_past_errors():
    paths = np.array([10.0, 20.0, 90.0]).reshape(3, 1, 1)
    there = np.full((3, 1), True)
    # Weights 1/1, 1/4, 1/100 give (10 + 5 + 0.9) / 1.26 = 12.62; the median is 20.
    weights = weigh(np.array([[1.0], [4.0], [100.0]]), there)
    assert combine(paths, weights).item() == pytest.approx((20 + 15.9 / 1.26) / 2)
    equal = weigh(np.array([[1.0], [np.nan], [np.nan]]), there)
    assert combine(paths, equal).item() == pytest.approx((20 + 40) / 2), "equal weights until all have errors"


def test_a_model_without_a_forecast_takes_no_part():
    paths = np.array([10.0, np.nan, 30.0]).reshape(3, 1, 1)
    weights = weigh(np.array([[1.0], [np.nan], [1.0]]), ~np.isnan(paths[:, 0]))
    assert weights.ravel().tolist() == [0.5, 0.0, 0.5]
    assert combine(paths, weights).item() == 20


def test_members_are_returned_on_request_beside_the_combination_that_stays_the_same():
    alone, whole = forecast(one(SALES), 3), forecast(one(SALES), 3, members=True)
    assert set(whole["model"]) == {"combination", *POOLS["seasonal"]}
    pd.testing.assert_frame_equal(whole[whole["model"] == "combination"].reset_index(drop=True), alone)


def test_a_model_that_cannot_be_fitted_is_replaced_and_named():
    made = forecast(one(SALES[:6]), 2, models="ets_additive")
    assert "model_failed:ets_additive" in made["note"][0]
    assert made["mean"].tolist() == [SALES[5]] * 2


def test_air_passengers_are_forecast_far_better_than_by_the_seasonal_naive_method(shared_data):
    # Box & Jenkins (1976), series G. The naive method misses 1960 by 10 % (MAPE): the trend.
    y = pd.read_csv(shared_data / "sales_time_series" / "AirPassengers.csv")["value"].to_numpy(float)
    actual = y[-12:]
    error = np.abs(mean_of(y[:-12], 12) - actual).sum() / actual.sum()
    naive = np.abs(mean_of(y[:-12], 12, models="seasonal_naive") - actual).sum() / actual.sum()
    assert naive == pytest.approx(0.1, abs=0.02)
    assert error < 0.5 * naive


def test_weeks_of_a_year_get_a_smooth_season():
    weeks = np.arange(156)
    y = 100 + 30 * np.sin(2 * np.pi * weeks / 52) + RNG.normal(0, 2, 156)
    made = forecast(one(y, freq="W-MON"), 52)["mean"].to_numpy()
    expected = 100 + 30 * np.sin(2 * np.pi * np.arange(156, 208) / 52)
    assert np.abs(made - expected).mean() < 4


def test_a_promotion_known_in_advance_moves_the_forecast_of_its_month_only_where_it_works():
    promotion = (RNG.random(66) < 0.25).astype(float)
    promotion[60:] = [0, 1, 0, 0, 0, 0]
    moved = pd.concat([one(SALES * np.exp(0.4 * promotion[:60]), "works"), one(SALES, "does nothing")])
    known = pd.DataFrame({"ds": pd.date_range("2022-01-01", periods=66, freq="MS"), "promotion": promotion})
    made = forecast(moved, 6, regressors=known).set_index("unique_id")
    plain = forecast(one(SALES), 6)["mean"].to_numpy()
    lift = made.loc["works", "mean"].to_numpy() / plain
    assert lift[1] == pytest.approx(np.exp(0.4), rel=0.1)
    assert np.delete(lift, 1) == pytest.approx(1, abs=0.1)
    assert made.loc["works", "note"].iloc[0] == "regressors_used"
    assert made.loc["does nothing", "note"].iloc[0] == "regressors_unused"
    assert made.loc["does nothing", "mean"].to_numpy() == pytest.approx(plain, rel=0.01)
