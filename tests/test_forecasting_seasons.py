import numpy as np
import pytest

from salesforecast.forecasting import seasons
from salesforecast.forecasting.models.registry import Batch

RNG = np.random.default_rng(8)
WEEKS = 365.25 / 7


def batch_of(*series, season=52):
    lengths = np.array([len(each) for each in series])
    y = np.full((lengths.max(), len(series)), np.nan)
    for column, each in enumerate(series):
        y[: len(each), column] = each
    return Batch(y, lengths, season)


def yearly(n, size=0.2, start=0):
    t = np.arange(start, start + n)
    return size * np.sin(2 * np.pi * t / WEEKS) + size / 2 * np.cos(4 * np.pi * t / WEEKS)


def walk(n, size=0.03):
    return np.cumsum(RNG.normal(0, size, n))


def test_the_season_of_weekly_sales_is_found_under_a_random_walk_and_continued():
    y = 1000 * np.exp(walk(260, 0.02) + yearly(260) + 0.01 * np.arange(260))
    season = seasons.profile(batch_of(y), 52)
    assert season.log.tolist() == [True], "it has grown with the level"
    assert season.season == 1
    expected, found = yearly(52, start=260), season.future[:, 0]
    assert np.corrcoef(found, expected)[0, 1] > 0.95
    assert np.abs(found - expected).max() < 0.15, "the season moves by 0.55 from trough to peak"


def test_a_christmas_peak_of_two_weeks_is_continued_from_two_and_a_half_years():
    weeks = (np.arange(143) + 20) % WEEKS
    y = 50 + 40 * np.exp(-0.5 * ((weeks - 47) / 1.2) ** 2) + RNG.normal(0, 1, 143)
    season = seasons.profile(batch_of(y[:120]), 23)
    restored = season.restore(np.full((23, 1), 50.0))[:, 0]
    assert np.argmax(restored) == np.argmax(y[120:]) or np.ptp(y[120:]) < 20
    assert np.abs(restored - y[120:]).mean() < 4


@pytest.mark.parametrize("weeks", [104, 208, 416])
def test_hardly_anything_is_taken_from_random_walks_without_a_season(weeks):
    series = [np.exp(walk(weeks)) for _ in range(40)]
    season = seasons.profile(batch_of(*series), 13)
    change = season.future - season.history[-1]
    # The walks themselves move by 0.03 × √13 = 0.11 in as many weeks.
    assert np.sqrt((change**2).mean()) < 0.035


def test_what_was_removed_is_restored():
    grown = [1000 * np.exp(walk(n) + yearly(n) + 0.01 * np.arange(n)) for n in (300, 150)]
    series = [*grown, 200 * yearly(120) + RNG.normal(0, 5, 120)]
    batch = batch_of(*series)
    season = seasons.profile(batch, 4)
    assert season.log.tolist() == [True, True, False], "negative values have a season of differences"
    base = season.remove(batch)
    assert (base.season, base.lengths.tolist()) == (1, [300, 150, 120])
    again = np.where(season.log, base.y * np.exp(season.history), base.y + season.history)
    np.testing.assert_allclose(again, batch.y)
    assert np.std(np.diff(base.y[:150, 1])) < np.std(np.diff(batch.y[:150, 1])), "what is left is smoother"


def test_the_year_is_taken_out_of_days_and_the_weekdays_stay():
    t = np.arange(1096)
    weekday = np.array([0.0, 0.1, 0.1, 0.2, 0.5, 0.8, 0.4])
    y = 10 * np.exp(weekday[t % 7] + 0.3 * np.sin(2 * np.pi * t / 365.25) + RNG.normal(0, 0.05, 1096))
    batch = batch_of(y[:1000], y[:400], season=7)
    season = seasons.profile(batch, 96)
    assert season.season == 7
    assert not season.history[:, 1].any(), "400 days show no year"
    base = np.log(season.remove(batch).y[:994, 0]).reshape(-1, 7)
    assert base.mean(axis=0) - base.mean() == pytest.approx(weekday - weekday.mean(), abs=0.02)
    change = season.future[:, 0] - 0.3 * np.sin(2 * np.pi * t[1000:] / 365.25)
    assert np.abs(change).max() < 0.06


@pytest.mark.parametrize("season", [1, 4, 12, 24])
def test_other_seasons_are_left_to_the_models(season):
    batch = batch_of(10 + RNG.random(300), season=season)
    found = seasons.profile(batch, 5)
    np.testing.assert_array_equal(found.remove(batch).y, batch.y)
    assert found.remove(batch).season == season
    assert not found.future.any()


def test_a_history_of_less_than_seven_quarters_is_left_alone():
    season = seasons.profile(batch_of(np.exp(yearly(95)), np.exp(yearly(90))), 5)
    assert season.history[:, 0].any()
    assert not season.history[:, 1].any()


def test_a_series_does_not_depend_on_its_neighbours():
    series = [np.exp(walk(n) + yearly(n)) for n in (300, 300, 300, 180, 104, 30)]
    together = seasons.profile(batch_of(*series), 13)
    for column, each in enumerate(series):
        alone = seasons.profile(batch_of(each), 13)
        np.testing.assert_allclose(alone.future[:, 0], together.future[:, column], rtol=1e-9, atol=1e-12)


def test_the_end_of_a_longer_history_changes_nothing_before():
    y = np.exp(walk(300) + yearly(300))
    cut, spoiled = y[:200], np.r_[y[:200], 99 * np.ones(100)]
    alone = seasons.profile(batch_of(cut), 5)
    beside = seasons.profile(batch_of(spoiled, cut), 5)
    np.testing.assert_allclose(alone.future[:, 0], beside.future[:, 1], rtol=1e-9)


def test_odd_histories_raise_nothing_and_warn_of_nothing():
    hole = np.exp(walk(120))
    hole[7] = np.nan
    batch = batch_of(np.full(150, 3.0), np.zeros(130), hole, np.r_[np.zeros(100), 5.0], np.array([2.0]))
    season = seasons.profile(batch, 3)
    assert np.isfinite(season.future).all()
    np.testing.assert_allclose(season.remove(batch).y[:, [0, 1, 4]], batch.y[:, [0, 1, 4]], atol=1e-9)


@pytest.mark.parametrize("season", [25, 26, 30, 365])
def test_any_long_season_can_be_taken_out(season):
    t = np.arange(3 * season)
    y = 10 + 3 * np.cos(2 * np.pi * t / season) + RNG.normal(0, 0.1, len(t))
    found = seasons.profile(batch_of(y, season=season), season)
    level = np.full((season, 1), 10.0)
    expected = 10 + 3 * np.cos(2 * np.pi * np.arange(season) / season)
    assert np.abs(found.restore(level)[:, 0] - expected).max() < 0.5
