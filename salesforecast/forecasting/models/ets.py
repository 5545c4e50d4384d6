"""Exponential smoothing in its error, trend, season forms ANN, AAdN, ANA, AAdA and MNM, all series at once."""

from __future__ import annotations

import numpy as np

from salesforecast.forecasting.models.decompose import logs, seasonal_indices, upcoming
from salesforecast.forecasting.models.registry import Batch, register
from salesforecast.forecasting.models.search import Fit, laid_out, lanes, over_time, search, stretches

_SOURCE = (
    "Hyndman, Koehler, Ord & Snyder (2008), Forecasting with Exponential Smoothing; "
    "start values of the season shrunk after Miller & Williams (2003)"
)
_LEVEL, _SLOPE, _SEASON = (0.05, 0.2, 0.5, 0.9), (0.1,), (0.02, 0.2)
_LEAST, _MOST = 1e-4, 1 - 1e-4
_DAMPING = (0.8, 0.98)  # of a trend from period to period, as in Hyndman et al. and R's ets
_BLOCK = 8
_ROUNDS = 3  # deeper fits are closer to the history, not to the future


@register(
    "ses",
    zh="简单指数平滑",
    en="Simple exponential smoothing",
    assumptions=("水平缓慢变化,无趋势无季节。", "A slowly moving level without trend or season."),
    source=_SOURCE,
    least=10,
)
def ses(batch: Batch, horizon: int) -> np.ndarray:
    """ETS(A,N,N).

    >>> ses(Batch(np.full((12, 1), 5.0), np.array([12]), 1), 2).round(6).tolist()
    [[5.0], [5.0]]
    """
    return _additive(batch, batch.y, horizon)


@register(
    "damped_trend",
    zh="阻尼趋势",
    en="Damped trend",
    assumptions=("趋势逐渐变平,无季节。", "A trend that flattens out, no season."),
    source=_SOURCE,
    least=10,
)
def damped_trend(batch: Batch, horizon: int) -> np.ndarray:
    """ETS(A,Ad,N).

    >>> line = np.arange(1.0, 21.0)[:, None]
    >>> path = damped_trend(Batch(line, np.array([20]), 1), 3).ravel()
    >>> bool((np.diff(path) > 0).all() and path[2] < 23)
    True
    """
    return _additive(batch, batch.y, horizon, damped=True)


@register(
    "ets_additive",
    zh="指数平滑(加法季节)",
    en="ETS, additive season",
    assumptions=("水平缓慢变化,季节幅度固定。", "A slowly moving level and a season of fixed size."),
    source=_SOURCE,
    seasonal=True,
)
def ets_additive(batch: Batch, horizon: int) -> np.ndarray:
    """ETS(A,N,A).

    >>> y = np.tile([1.0, 2, 3, 6], 5)[:, None]
    >>> ets_additive(Batch(y, np.array([20]), 4), 4).round(3).ravel().tolist()
    [1.0, 2.0, 3.0, 6.0]
    """
    return _additive(batch, batch.y, horizon, seasonal=True)


@register(
    "ets_damped",
    zh="指数平滑(阻尼趋势与季节)",
    en="ETS, damped trend and season",
    assumptions=(
        "趋势逐渐变平,季节稳定;全部为明显正值时取对数。",
        "A trend that flattens out and a stable season; on logs where all values are clearly positive.",
    ),
    source=_SOURCE,
    seasonal=True,
)
def ets_damped(batch: Batch, horizon: int) -> np.ndarray:
    """ETS(A,Ad,A), on logs where no value is zero, negative or near zero.

    >>> y = np.tile([1.0, 2, 3, 6], 5)[:, None]
    >>> ets_damped(Batch(y, np.array([20]), 4), 4).round(3).ravel().tolist()
    [1.0, 2.0, 3.0, 6.0]
    """
    y, logged = logs(batch.y)
    path = _additive(batch, y, horizon, damped=True, seasonal=True)
    return np.where(logged, np.exp(path), path)


@register(
    "ets_multiplicative",
    zh="指数平滑(乘法季节)",
    en="ETS, multiplicative season",
    assumptions=("季节与误差随水平成比例。", "Season and error grow with the level."),
    source=_SOURCE,
    seasonal=True,
    positive=True,
)
def ets_multiplicative(batch: Batch, horizon: int) -> np.ndarray:
    """ETS(M,N,M).

    >>> y = np.tile([1.0, 2, 3, 6], 5)[:, None]
    >>> ets_multiplicative(Batch(y, np.array([20]), 4), 4).round(3).ravel().tolist()
    [1.0, 2.0, 3.0, 6.0]
    """
    fit = fit_multiplicative(batch.y, batch.lengths, batch.season)
    path = fit.state[0] * upcoming(fit.state[1:], batch.lengths, horizon)
    return np.where(np.isfinite(fit.loss), path, np.nan)


def fit_additive(
    y: np.ndarray, lengths: np.ndarray, season: int, *, damped: bool, seasonal: bool, rounds: int = _ROUNDS
) -> Fit:
    """Fit ETS(A,N|Ad,N|A) by least squares; the start values are a line and the shrunk seasonal indices.

    `y` is (time, series), NaN after a series' end. The parameters are the gain α of the level, the share of it that is
    the gain of the slope, the damping, and the share of 1 − α that is the gain of the season; those of an absent part
    do not count. The state is that of `additive_filter`.
    """
    series = len(lengths)
    indices = seasonal_indices(y, season, np.full(series, False)) if seasonal else np.zeros((0, series))
    adjusted = y - indices[np.arange(len(y)) % season] if seasonal else y
    start = np.concatenate([_line(adjusted, lengths, season, damped), indices])

    def run(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        level, slope, damping, share = parameters
        gains = np.stack([level, level * slope, (1 - level) * share])
        return additive_filter(y, lengths, gains, damping if damped else None, start)

    grid = lanes(_LEVEL, _SLOPE if damped else (0.0,), (0.9,), _SEASON if seasonal else (0.0,))
    free = np.array([True, damped, damped, seasonal])
    lower = np.where(free, [_LEAST, _LEAST, _DAMPING[0], _LEAST], grid[:, 0])
    upper = np.where(free, [_MOST, _MOST, _DAMPING[1], _MOST], grid[:, 0])
    return search(run, grid, lower, upper, series=series, rounds=rounds)


def fit_multiplicative(y: np.ndarray, lengths: np.ndarray, season: int, *, rounds: int = _ROUNDS) -> Fit:
    """Fit ETS(M,N,M) by maximum likelihood; the start values are a mean and the shrunk seasonal indices.

    Shapes as in `fit_additive`. The parameters are the gain α of the level and the share of 1 − α that is the gain of
    the season, the state that of `multiplicative_filter`.
    """
    indices = seasonal_indices(y, season, np.full(len(lengths), True))
    level = _line(y / indices[np.arange(len(y)) % season], lengths, season, damped=False)[:1]
    start = np.concatenate([level, indices])
    logs = over_time(np.where(np.arange(len(y))[:, None] < lengths, np.log(y), 0.0))
    blocks = np.arange(0, len(y), _BLOCK)

    def run(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        level, share = parameters
        ratios, state = multiplicative_filter(y, lengths, np.stack([level, share * (1 - level)]), start)
        # The likelihood is that of least squares once the relative errors are multiplied by the geometric mean of the
        # fits. Products of a few ratios save most of the logarithms.
        surprise = over_time(np.log(np.multiply.reduceat(ratios, blocks, axis=0)))
        return (ratios - 1) * np.exp((logs - surprise) / lengths), state

    return search(run, lanes(_LEVEL, _SEASON), [_LEAST] * 2, [_MOST] * 2, series=len(lengths), rounds=rounds)


def additive_filter(
    y: np.ndarray, lengths: np.ndarray, gains: np.ndarray, damping: np.ndarray | None, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Run ETS(A,·,·) over every series and lane: the one-step errors and the states after the end.

    `y` is (time, series), `gains` (3, lane, series) for level, slope and season, `damping` (lane, series) or None
    without slope, `start` (2 + season, series): level, slope and the indices of the places in the season, none of them
    for a model without season. Returns the errors (time, lane, series), zero after a series' end, and the states
    (2 + season, lane, series).

    >>> errors, state = additive_filter(np.array([[2.0], [4.0]]), np.array([2]), np.full((3, 1, 1), 0.5), None,
    ...                                 np.array([[1.0], [0.0]]))
    >>> errors.ravel().tolist(), state.ravel().tolist()                # level 1, 1.5, then 2.75
    ([1.0, 2.5], [2.75, 0.0])
    """
    season = len(start) - 2
    states = np.repeat(start[:, None, :], gains.shape[1], axis=1)
    errors = laid_out(y, lengths, gains.shape[1])
    if damping is not None:  # the slope is kept damped, the level one step ahead: each is then one addition
        gains = np.stack([gains[0], gains[1] * damping, gains[2]])
        states[1] *= damping
        states[0] += states[1]
    kept = np.empty_like(states)
    level, slope, *ring = states
    rise, tilt, turn = gains
    move = np.empty_like(rise)
    for first, stop, over in stretches(lengths):
        for time, error in enumerate(errors[first:stop], start=first):
            np.subtract(error, level, error)
            if season:
                place = ring[time % season]
                np.subtract(error, place, error)
                np.multiply(turn, error, move)
                np.add(place, move, place)
            if damping is not None:
                np.multiply(slope, damping, slope)
                np.multiply(tilt, error, move)
                np.add(slope, move, slope)
                np.add(level, slope, level)
            np.multiply(rise, error, move)
            np.add(level, move, level)
        kept[..., over] = states[..., over]
        states[..., over] = 0.0  # from here on without error
    if damping is not None:
        kept[0] -= kept[1]
        kept[1] /= damping
    return errors, kept


def multiplicative_filter(
    y: np.ndarray, lengths: np.ndarray, gains: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Run ETS(M,N,M) over every series and lane: ratios of value to one-step forecast and the states after the end.

    Shapes as in `additive_filter`, with `gains` (2, lane, series) for level and season and `start` (1 + season,
    series); ratios are one after a series' end, and the relative error is the ratio less one.

    >>> ratios, state = multiplicative_filter(np.array([[2.0], [3.0]]), np.array([2]), np.full((2, 1, 1), 0.5),
    ...                                       np.array([[1.0], [1.0]]))
    >>> ratios.ravel().round(3).tolist(), state.ravel().round(3).tolist()   # level and index 1.5, fit 2.25
    ([2.0, 1.333], [1.75, 1.75])
    """
    season = len(start) - 1
    states = np.repeat(start[:, None, :], gains.shape[1], axis=1)
    ratios = laid_out(y, lengths, gains.shape[1], ended=1.0)
    kept = np.empty_like(states)
    level, *ring = states
    rise, turn = gains
    still, stay = 1 - rise, 1 - turn
    move = np.empty_like(rise)
    for first, stop, over in stretches(lengths):
        for time, ratio in enumerate(ratios[first:stop], start=first):
            place = ring[time % season]
            np.multiply(level, place, move)
            np.divide(ratio, move, ratio)
            np.multiply(rise, ratio, move)
            np.add(move, still, move)
            np.multiply(level, move, level)
            np.multiply(turn, ratio, move)
            np.add(move, stay, move)
            np.multiply(place, move, place)
        kept[..., over] = states[..., over]
    for _, stop, over in stretches(lengths):
        ratios[stop:, :, over] = 1.0
    return ratios, kept


def _additive(batch: Batch, y: np.ndarray, horizon: int, *, damped: bool = False, seasonal: bool = False) -> np.ndarray:
    fit = fit_additive(y, batch.lengths, batch.season, damped=damped, seasonal=seasonal)
    level, slope = fit.state[:2]
    path = np.repeat(level[None], horizon, axis=0)
    if damped:
        path = path + slope * np.cumsum(fit.parameters[2] ** np.arange(1, horizon + 1)[:, None], axis=0)
    if seasonal:
        path = path + upcoming(fit.state[2:], batch.lengths, horizon)
    return np.where(np.isfinite(fit.loss), path, np.nan)


def _line(adjusted: np.ndarray, lengths: np.ndarray, season: int, damped: bool) -> np.ndarray:
    """Start level and slope (2, series): a line through the first two seasons, at least ten points; or their mean."""
    count = np.minimum(max(10, 2 * season), lengths)
    time = np.arange(1.0, len(adjusted) + 1)[:, None]
    values = np.where(time <= count, adjusted, 0.0)
    middle, centre = over_time(values) / count, (count + 1) / 2
    if not damped:
        return np.stack([middle, np.zeros_like(middle)])
    offset = np.where(time <= count, time - centre, 0.0)
    slope = over_time(offset * values) / over_time(np.square(offset))
    return np.stack([middle - slope * centre, slope])
