import numpy as np
import pandas as pd
import pytest

from salesforecast.forecasting import forecast
from salesforecast.forecasting.histories import read
from salesforecast.forecasting.intervals import below_zero, dependence_of, learn, prior, widths
from salesforecast.forecasting.members import Copies
from salesforecast.forecasting.models import Batch
from salesforecast.forecasting.origins import origin_count, past_lengths
from salesforecast.forecasting.records import Record
from salesforecast.forecasting.scales import Base, base_scale, naive_scale, naive_scales


def panel(*histories):
    parts = [
        pd.DataFrame({"unique_id": f"s{each}", "ds": pd.date_range("2020-01-01", periods=len(y), freq="MS"), "y": y})
        for each, y in enumerate(histories)
    ]
    return read(pd.concat(parts))


def record_of(errors):
    """A record of one model whose forecasts were 0 at every origin; `errors` (step, origin, end) is what happened."""
    steps, origins, ends = errors.shape
    lengths = 20 + np.arange(origins)[:, None] * steps + np.zeros(ends, int)
    paths = np.zeros((1, steps, origins + 1, ends))
    last = Copies(np.arange(ends), np.full(ends, 20 + origins * steps))
    blank = np.full((1, ends), np.nan)
    base = Base(np.ones((origins + 1, ends)), np.full((origins + 1, ends), np.nan), np.zeros(ends, bool))
    return Record(
        last, lengths, ("theta",), paths, errors, blank, blank, base, np.zeros((steps, ends), bool), [()] * ends
    )


def test_the_scale_is_the_mean_absolute_seasonal_difference():
    assert naive_scale(np.array([1.0, 2, 3, 5]), 2) == 2.5
    assert naive_scale(np.array([1.0, 4]), 12) == 3.0
    assert naive_scale(np.array([1.0]), 12) == 0.0
    histories = panel([1.0, 2, 3, 5], [7.0, 9])
    assert naive_scales(histories, np.array([0, 1]), np.array([4, 2]), 2).tolist() == [2.5, 2.0]


def test_a_history_that_has_grown_is_not_as_calm_as_when_it_was_small():
    small, large = 10 * np.tile([0.9, 1.1], 12), 1000 * np.tile([0.9, 1.1], 12)
    y = np.stack([np.r_[small, large], np.r_[large, np.full(24, np.nan)]], axis=1)
    grown, steady = base_scale(Batch(y, np.array([48, 24]), 1))[0]
    assert steady == pytest.approx(200, rel=0.05)
    assert naive_scale(y[:, 0], 1) < 125 < grown


def test_one_point_is_no_certainty():
    assert base_scale(Batch(np.array([[10.0]]), np.array([1]), 12))[0].item() == 3.0


def months(y):
    return pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2020-01-01", periods=len(y), freq="MS"), "y": y})


def test_a_step_that_was_recognised_is_no_sign_of_noise():
    noise = np.random.default_rng(1).lognormal(0, 0.1, 60)
    made = forecast(months(100 * noise * np.where(np.arange(60) < 30, 1, 10)), 6)
    assert "level_shift" in made["note"].iloc[0]
    # The level has held for 30 months: it is not expected to fall to a tenth again every few months.
    assert (made["lo_80"] > 300).all()


def test_the_zeros_before_the_first_sale_do_not_make_it_certain():
    late, alone = forecast(months([0.0] * 35 + [100.0]), 1).iloc[0], forecast(months([100.0]), 1).iloc[0]
    assert late["hi_80"] - late["lo_80"] == pytest.approx(alone["hi_80"] - alone["lo_80"], rel=0.2)


def test_intervals_follow_the_errors_of_the_past_and_widen_with_the_horizon():
    # Past errors of 300 series: normal with standard deviation 2 at the first step, 4 at the second.
    errors = np.random.default_rng(3).normal(0, [[[2.0]], [[4.0]]], (2, 8, 300))
    record = record_of(errors)
    shape = learn(record, "theta", 1)
    width = widths(record, "theta", shape).mean(axis=1)
    # A tenth and nine tenths of a normal distribution lie 1.28 standard deviations from its middle.
    assert width * shape.quantile(0.9) == pytest.approx([1.28 * 2, 1.28 * 4], rel=0.1)
    assert width * shape.quantile(0.1) == pytest.approx([-1.28 * 2, -1.28 * 4], rel=0.1)


def test_a_series_that_was_forecast_badly_gets_a_wider_interval():
    errors = np.random.default_rng(4).normal(0, 1, (3, 6, 100))
    errors[:, :, 0] *= 5
    record = record_of(errors)
    found = widths(record, "theta", learn(record, "theta", 1))
    assert found[:, 0].min() > 1.5 * np.median(found[:, 1:])


def test_errors_on_one_side_make_that_side_wider_where_there_are_many():
    errors = np.random.default_rng(5).exponential(1, (2, 3, 400)) - 0.7
    record = record_of(errors)
    many = learn(record, "theta", 1)
    assert many.quantile(0.975) > 2 * -many.quantile(0.025)
    few = record_of(errors[:, :, :2])
    one = learn(few, "theta", 1)
    assert one.quantile(0.975) < 1.5 * -one.quantile(0.025), "six origins say little about sides"


def test_without_a_past_the_prior_holds():
    shape = prior(12, 24)
    assert shape.growth[[0, 12]].tolist() == [1, pytest.approx(np.sqrt(2))]
    record = record_of(np.full((2, 3, 4), np.nan))
    assert learn(record, "theta", 12).quantile(0.9) == prior(12, 2).quantile(0.9)
    quantiles = [shape.quantile(each) for each in (0.01, 0.1, 0.5, 0.9, 0.99)]
    assert quantiles == sorted(quantiles) and quantiles[2] == pytest.approx(0, abs=1e-9)


def test_quantiles_never_cross_even_where_past_errors_end():
    errors = np.random.default_rng(6).standard_t(3, (2, 3, 5))
    record = record_of(errors)
    shape = learn(record, "theta", 1)
    quantiles = [shape.quantile(each) for each in np.linspace(0.001, 0.999, 200)]
    assert (np.diff(quantiles) >= -1e-12).all()


def test_nothing_lies_below_zero_so_a_bound_at_zero_leaves_all_the_rest_above():
    shape = prior(1, 1)
    chance = below_zero(np.array([0.0, 1.0, 50.0]), np.ones(3), shape)
    assert chance.tolist() == [0.5, pytest.approx(0.2, abs=0.05), 0]


def test_the_correlation_of_two_steps_is_learned_and_shrunk_to_one_half():
    rng = np.random.default_rng(8)
    common, own = rng.normal(0, 1, (1, 1, 3000)), rng.normal(0, 1, (4, 1, 3000))
    assert dependence_of(common + 0 * own)[0, 3] == pytest.approx(1, abs=0.02)
    assert dependence_of(own)[0, 3] == pytest.approx(0, abs=0.05)
    assert dependence_of(np.full((4, 1, 2), np.nan))[0].tolist() == pytest.approx([1, 0.5, 0.5, 0.5])
    # Only the first two steps were ever seen: the rest is as far as is known.
    part = np.where(np.arange(4)[:, None, None] < 2, common + 0 * own, np.nan)
    found = dependence_of(part)
    assert found[2, 3] == pytest.approx(found[0, 1], abs=0.05) and np.linalg.eigvalsh(found).min() > 0


def test_a_small_panel_looks_back_more_often_and_never_into_less_than_two_seasons():
    assert [origin_count(each) for each in (1, 30, 100, 10**5)] == [12, 10, 3, 3]
    assert past_lengths(60, 12, 12, 3) == (48, 52, 56)
    assert past_lengths(200, 12, 12, 12)[0] == 152
    assert min(past_lengths(40, 12, 6, 12)) == 25
    assert past_lengths(7, 1, 4, 3) == (3, 4, 6)
    assert past_lengths(3, 12, 6, 3) == ()


def test_levels_and_quantiles_tell_the_same():
    rows = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2022-01-01", periods=40, freq="MS")})
    made = forecast(rows.assign(y=100 + 10 * np.sin(np.arange(40.0))), 4, level=80, quantiles=(0.1, 0.9))
    assert made["q_0.1"].tolist() == made["lo_80"].tolist() and made["q_0.9"].tolist() == made["hi_80"].tolist()


def generated(seed, count=200, n=48, horizon=6):
    rng = np.random.default_rng(seed)
    level = 100 * np.exp(np.cumsum(rng.normal(0.003, 0.03, (count, n + horizon)), axis=1))
    season = 1 + 0.2 * np.sin((np.arange(n + horizon) + rng.integers(12, size=(count, 1))) * np.pi / 6)
    return level * season * np.exp(rng.normal(0, 1, level.shape) * rng.uniform(0.03, 0.15, (count, 1)))


def sparse(seed, count=200, n=60, horizon=6):
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.15, 0.6, (count, 1))
    return (rng.random((count, n + horizon)) < share) * np.ceil(rng.lognormal(1, 0.6, (count, n + horizon)))


@pytest.mark.slow
@pytest.mark.parametrize("make", [generated, sparse])
def test_80_and_95_per_cent_intervals_hold_on_generated_series(make):
    horizon, inside = 6, {80: [], 95: []}
    for seed in (7, 8, 9):
        y = make(seed)
        rows = pd.DataFrame(
            {
                "unique_id": np.repeat([f"s{each:03}" for each in range(len(y))], y.shape[1]),
                "ds": np.tile(pd.date_range("2021-01-01", periods=y.shape[1], freq="MS"), len(y)),
                "y": y.ravel(),
            }
        )
        known = rows["ds"] < rows["ds"].unique()[-horizon]
        made = forecast(rows[known], horizon).merge(rows, on=["unique_id", "ds"])
        for level, shares in inside.items():
            shares.append(made["y"].between(made[f"lo_{level}"], made[f"hi_{level}"]).mean())
    for level, shares in inside.items():
        assert np.mean(shares) == pytest.approx(level / 100, abs=0.03)
