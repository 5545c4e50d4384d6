import numpy as np
import pytest

from salesforecast.forecasting.models import intermittent as module
from salesforecast.forecasting.models.intermittent import croston, tsb
from salesforecast.forecasting.models.registry import Batch

RNG = np.random.default_rng(3)


def batch_of(*series):
    lengths = np.array([len(each) for each in series])
    y = np.full((lengths.max(), len(series)), np.nan)
    for column, each in enumerate(series):
        y[: len(each), column] = each
    return Batch(y, lengths, 1)


def sporadic(n, chance=0.3):
    return RNG.poisson(3, n) * (RNG.random(n) < chance).astype(float)


def test_tsb_follows_teunter_syntetos_and_babai(monkeypatch):
    # Demand 0, 6, 0, 2 with both weights 0.5: size starts at 4, chance at 1/2.
    # Chance: 1/4, 5/8, 5/16, 21/32. Size: 4, 5, 5, 3.5. Forecast: 21/32 × 3.5.
    monkeypatch.setattr(module, "WEIGHTS", np.array([0.5]))
    assert tsb(batch_of([0.0, 6, 0, 2]), 2)[:, 0].tolist() == pytest.approx([21 / 32 * 3.5] * 2)


def test_croston_follows_syntetos_and_boylan(monkeypatch):
    # The same demand: size 4, 5, 3.5; interval starts at 4/2 = 2, both demands came after 2 periods: 2, 2.
    monkeypatch.setattr(module, "WEIGHTS", np.array([0.5]))
    assert croston(batch_of([0.0, 6, 0, 2]), 1)[0, 0] == pytest.approx((1 - 0.25) * 3.5 / 2)


def test_croston_updates_at_demands_only(monkeypatch):
    # Two periods without demand change nothing for Croston, while the chance of TSB fades.
    monkeypatch.setattr(module, "WEIGHTS", np.array([0.2]))
    before, after = np.r_[np.tile([0.0, 5], 20)], np.r_[np.tile([0.0, 5], 20), 0, 0]
    assert croston(batch_of(before), 1)[0, 0] == pytest.approx(croston(batch_of(after), 1)[0, 0], rel=0.02)
    assert tsb(batch_of(after), 1)[0, 0] < 0.75 * tsb(batch_of(before), 1)[0, 0]


def test_the_weights_are_those_with_the_smallest_squared_error():
    steady, obsolete = np.tile([0.0, 0, 4], 40), np.r_[np.tile([0.0, 0, 4], 30), np.zeros(30)]
    made = tsb(batch_of(steady, obsolete), 1)[0]
    assert made[0] == pytest.approx(4 / 3, rel=0.07), "a steady demand is forecast at its mean"
    assert made[1] < 0.6, "one that has died fades away"


@pytest.mark.parametrize("model", [tsb, croston])
def test_a_series_does_not_depend_on_its_neighbours(model):
    series = [sporadic(n) for n in (90, 60, 60, 24, 5)]
    together = model(batch_of(*series), 3)
    for column, each in enumerate(series):
        np.testing.assert_allclose(model(batch_of(each), 3)[:, 0], together[:, column], rtol=1e-9)


@pytest.mark.parametrize("model", [tsb, croston])
def test_no_demand_at_all_is_forecast_as_zero_and_constant_demand_as_itself(model):
    made = model(batch_of(np.zeros(12), np.full(12, 7.0)), 2)
    assert made[:, 0].tolist() == [0, 0]
    assert made[:, 1] == pytest.approx([7, 7], rel=0.03), "croston's correction of 2.5 % remains"
