"""Complex exponential smoothing, all series at once."""

from __future__ import annotations

import numpy as np

from salesforecast.forecasting.models.decompose import estimate_seasons, upcoming
from salesforecast.forecasting.models.registry import Batch, register
from salesforecast.forecasting.models.search import Fit, laid_out, lanes, over_time, search, stretches

_REAL, _IMAGINARY, _SEASON = (0.4, 0.8, 1.2, 1.6), (1.01,), (0.0, 0.2)
_LOWER, _UPPER = (0.01, 0.9, 0.0), (2.0, 1.1, 0.9)  # the imaginary part around one keeps the path from exploding
_ROUNDS = 3


@register(
    "ces",
    zh="复指数平滑",
    en="Complex exponential smoothing",
    assumptions=(
        "水平与隐含趋势共同缓慢变化,季节可随时间变化。",
        "A slowly moving level and what it does not explain yet, together; the season may move.",
    ),
    source="Svetunkov, Kourentzes & Ord (2022), Naval Research Logistics 69(8), the partial seasonal model; R's smooth",
    least=5,
)
def ces(batch: Batch, horizon: int) -> np.ndarray:
    """CES with a partial season on the seasonally adjusted history, ratios for positive series.

    >>> y = np.tile([1.0, 2, 3, 6], 6)[:, None]
    >>> ces(Batch(y, np.array([24]), 4), 4).round(1).ravel().tolist()
    [1.0, 2.0, 3.0, 6.0]
    """
    y, lengths = batch.y, batch.lengths
    seasons = estimate_seasons(y, lengths, batch.season, np.nanmin(y, axis=0) > 0)
    adjusted = seasons.remove(y)
    places = len(seasons.coming) if len(seasons.coming) > 1 else 0
    fit = _fit(adjusted, lengths, max(10, batch.season), places)
    path = _extended(fit, horizon)
    if places:
        path = path + upcoming(fit.state[2:], lengths, horizon)
    return seasons.restore(np.where(np.isfinite(fit.loss), path, np.nan))


def ces_filter(
    y: np.ndarray, lengths: np.ndarray, parameters: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Run CES over every series and lane: the one-step errors and the states after the end.

    `y` is (time, series), `parameters` (3, lane, series) the real and imaginary part of the complex smoothing parameter
    and the gain of the season, `start` (2 + season, series): level, information potential and the indices of the
    places in the season, none of them for the model without season. Returns the errors (time, lane, series), zero after
    a series' end, and the states (2 + season, lane, series).

    >>> errors, state = ces_filter(np.array([[3.0]]), np.array([1]), np.array([1.5, 1.0, 0.0])[:, None, None],
    ...                            np.array([[2.0], [1.0]]))
    >>> errors.ravel().tolist(), state.ravel().tolist()          # 2 + 0.5·1, and 2 − 0.5·1 + 2.5·1
    ([1.0], [2.5, 4.0])
    """
    season = len(start) - 2
    real, imaginary, turn = parameters
    down, keep, rise, gain = imaginary - 1, 1 - real, real - imaginary, real + imaginary
    states = np.repeat(start[:, None, :], parameters.shape[1], axis=1)
    errors = laid_out(y, lengths, parameters.shape[1])
    kept = np.empty_like(states)
    first_level, first_potential, *ring = states
    move = np.empty_like(rise)
    # Level and potential need each other's old value: the new pair goes to a second place, and the two swap.
    now, then = (first_level, first_potential), (np.empty_like(rise), np.empty_like(rise))
    for first, stop, over in stretches(lengths):
        for time, error in enumerate(errors[first:stop], start=first):
            (level, potential), (new_level, new_potential) = now, then
            np.subtract(error, level, error)
            if season:
                place = ring[time % season]
                np.subtract(error, place, error)
                np.multiply(turn, error, move)
                np.add(place, move, place)
            np.multiply(down, potential, new_level)
            np.multiply(rise, error, move)
            np.add(new_level, move, new_level)
            np.add(new_level, level, new_level)
            np.multiply(keep, potential, new_potential)
            np.multiply(gain, error, move)
            np.add(new_potential, move, new_potential)
            np.add(new_potential, level, new_potential)
            now, then = then, now
        kept[2:, :, over] = states[2:, :, over]
        states[2:, :, over] = 0.0  # from here on without error
        for row, state in enumerate(now):
            kept[row, :, over] = state[:, over]
            state[:, over] = 0.0
    return errors, kept


def _fit(adjusted: np.ndarray, lengths: np.ndarray, opening: int, places: int) -> Fit:
    """Search the parameters from a start at the mean of the opening, as R's smooth and statsforecast set it."""
    count = np.minimum(opening, lengths)
    level = over_time(np.where(np.arange(len(adjusted))[:, None] < count, adjusted, 0.0)) / count
    start = np.concatenate([level[None], level[None] / 1.1, np.zeros((places, len(lengths)))])
    season, most = (_SEASON, _UPPER[2]) if places else ((0.0,), 0.0)

    def run(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return ces_filter(adjusted, lengths, parameters, start)

    grid = lanes(_REAL, _IMAGINARY, season)
    return search(run, grid, _LOWER, (*_UPPER[:2], most), series=len(lengths), rounds=_ROUNDS)


def _extended(fit: Fit, horizon: int) -> np.ndarray:
    (level, potential), (real, imaginary, _) = fit.state[:2], fit.parameters
    path = np.empty((horizon, len(level)))
    for step in range(horizon):
        path[step] = level
        level, potential = level - (1 - imaginary) * potential, level + (1 - real) * potential
    return path
