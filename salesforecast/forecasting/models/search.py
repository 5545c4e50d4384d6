"""One optimiser for all kernels: a shared grid of parameters, then batched Levenberg–Marquardt rounds.

A kernel hands over a function that filters every series with every lane of parameters at once. The search knows nothing
else about the model: one pass over the grid finds a start for each series, each further round is one pass with a
candidate lane and one lane a parameter for the finite differences.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

Filter = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

_STEP = 1e-4  # of a finite difference: parameters are of the order of one
_DAMPING, _TRUST, _CAUTION = 0.3, 0.2, 6.0  # at first, and its factor after a better and a worse candidate


@dataclass(frozen=True)
class Fit:
    """The best parameters found (parameter, series), their sum of squares (series,) and the filter's state for them.

    Where no lane was finite the loss is infinite.
    """

    parameters: np.ndarray
    loss: np.ndarray
    state: np.ndarray


def search(run: Filter, grid: np.ndarray, lower: ArrayLike, upper: ArrayLike, *, series: int, rounds: int = 4) -> Fit:
    """Minimise the sum of squared residuals of each series over its parameters, within bounds.

    `run(parameters)` takes (parameter, lane, series) and returns the residuals (time, lane, series), zero where a
    series has ended, and a state whose last two axes are (lane, series); it must treat each lane and series alone.
    The state of the best lane is kept, so that no pass is needed after the search. `grid` is (parameter, lane), or
    (parameter, lane, series) for a grid of each series' own. A parameter with equal bounds stays where the grid has it.
    Of the `rounds` after the grid the first finds the slopes, each other one tries a candidate.

    >>> t = np.arange(4.0)[:, None, None]
    >>> def decay(p):                                   # y = exp(-p t) with p = 0.5 and p = 2
    ...     return np.exp(-p[0] * t) - np.exp(-np.array([0.5, 2.0]) * t), p
    >>> search(decay, np.array([[0.1, 1.0]]), [0.0], [1.5], series=2, rounds=9).parameters.round(3).tolist()
    [[0.5, 1.5]]
    """
    low, high = np.asarray(lower, dtype=float)[:, None], np.asarray(upper, dtype=float)[:, None]
    best = _best_of_grid(run, grid if grid.ndim == 3 else np.repeat(grid[:, :, None], series, axis=2))
    if rounds < 2:
        return best
    probes, step = _probes(best.parameters, high)
    slopes, damping = _slopes(run(probes)[0], step), np.full(series, _DAMPING)
    for left in reversed(range(rounds - 1)):
        candidate = _propose(best.parameters, slopes, damping, low, high)
        probes, step = _probes(candidate, high) if left else (candidate[:, None], step)
        residuals, state = run(probes)
        loss = _squares(residuals[:, 0])
        better = loss < best.loss
        best = Fit(
            np.where(better, candidate, best.parameters),
            np.where(better, loss, best.loss),
            np.where(better, state[..., 0, :], best.state),
        )
        if left:
            damping = damping * np.where(better, _TRUST, _CAUTION)
            slopes = tuple(
                np.where(better, new, old) for new, old in zip(_slopes(residuals, step), slopes, strict=True)
            )
    return best


def lanes(*values: Sequence[float]) -> np.ndarray:
    """Return the grid (parameter, lane) of all combinations of the values of each parameter.

    >>> lanes([0.1, 0.5], [0.0]).tolist()
    [[0.1, 0.5], [0.0, 0.0]]
    """
    return np.array(list(itertools.product(*values)), dtype=float).T


def stretches(lengths: np.ndarray) -> Iterator[tuple[int, int, slice]]:
    """Yield (start, stop, over): from time `start` to before `stop` no series ends, at `stop` the series `over` do.

    `lengths` are sorted, longest first. A filter runs all series to the end and keeps the state of each when it is
    over: narrowing its arrays to those that go on costs three times what it saves.

    >>> list(stretches(np.array([5, 5, 3])))
    [(0, 3, slice(2, 3, None)), (3, 5, slice(0, 2, None))]
    """
    first = 0
    for stop in np.unique(lengths):
        yield first, int(stop), slice(int((lengths > stop).sum()), int((lengths >= stop).sum()))
        first = int(stop)


def over_time(values: np.ndarray) -> np.ndarray:
    """Sum over the first axis, in the same order for one series as for many.

    NumPy adds a lone column pairwise. The finite differences would magnify the last digit, and a forecast could depend
    on the company in which it was made.

    >>> over_time(np.array([[1.0], [2.0]])).tolist()
    [3.0]
    """
    if values.shape[-1] > 1:
        return values.sum(axis=0)
    return np.repeat(values, 2, axis=-1).sum(axis=0)[..., :1]


def laid_out(y: np.ndarray, lengths: np.ndarray, copies: int, ended: float = 0.0) -> np.ndarray:
    """Return the values (time, lane, series), the same in each lane and `ended` after a series' end.

    A filter turns them into errors in place: operands of one shape cost a third of broadcast ones in a short loop.

    >>> laid_out(np.array([[1.0, 2.0], [3.0, np.nan]]), np.array([2, 1]), 2).tolist()
    [[[1.0, 2.0], [1.0, 2.0]], [[3.0, 0.0], [3.0, 0.0]]]
    """
    inside = np.arange(len(y))[:, None] < lengths
    return np.repeat(np.where(inside, y, ended)[:, None, :], copies, axis=1)


def _best_of_grid(run: Filter, grid: np.ndarray) -> Fit:
    residuals, state = run(grid)
    loss = _squares(residuals)
    chosen, column = loss.argmin(axis=0), np.arange(grid.shape[2])
    return Fit(grid[:, chosen, column], loss[chosen, column], state[..., chosen, column])


def _probes(candidate: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lanes with the candidate first and each parameter moved by a small step in one of its own; the steps."""
    step = np.where(candidate + _STEP > high, -_STEP, _STEP)
    moved = np.repeat(candidate[:, None, :], len(candidate) + 1, axis=1)
    for index in range(len(candidate)):
        moved[index, index + 1] += step[index]
    return moved, step


def _squares(residuals: np.ndarray) -> np.ndarray:
    """Sum of squares over time; infinite where it is not finite."""
    total = over_time(np.square(residuals))
    return np.where(np.isfinite(total), total, np.inf)


def _slopes(residuals: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return J'J (parameter, parameter, series) and J'r (parameter, series)."""
    base = residuals[:, 0]
    change = [(residuals[:, index + 1] - base) / step[index] for index in range(len(step))]
    size = len(change)
    squares = np.empty((size, size, base.shape[1]))
    for row, column in itertools.combinations_with_replacement(range(size), 2):
        squares[row, column] = squares[column, row] = over_time(change[row] * change[column])
    return squares, np.array([over_time(slope * base) for slope in change])


def _propose(
    parameters: np.ndarray,
    slopes: tuple[np.ndarray, ...],
    damping: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """One damped Gauss–Newton step; a parameter at its bound that would leave it does not take part."""
    squares, gradient = slopes
    free = ~(((parameters <= low) & (gradient > 0)) | ((parameters >= high) & (gradient < 0)))
    squares, gradient = squares * free * free[:, None], gradient * free
    diagonal = np.einsum("iis->is", squares)
    # The small share of the largest slope keeps the system regular where a parameter has no effect.
    ridge = damping * diagonal + 1e-9 * diagonal.max(axis=0) + 1e-300
    system = squares + np.eye(len(ridge))[:, :, None] * ridge
    sound = np.isfinite(system).all(axis=(0, 1)) & np.isfinite(gradient).all(axis=0)
    system = np.where(sound, system, np.eye(len(ridge))[:, :, None])
    step = np.linalg.solve(system.transpose(2, 0, 1), np.where(sound, gradient, 0.0).T[:, :, None])[:, :, 0].T
    return np.clip(parameters - step, low, high)
