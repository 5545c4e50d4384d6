"""Forecasts that add up: base forecasts of all groups made coherent, with intervals and sample paths."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import pandas as pd

from salesforecast.errors import BadPanel, BadValue, lookup
from salesforecast.forecasting.groups import Structure, structure
from salesforecast.forecasting.intervals import common_dependence
from salesforecast.forecasting.paths import main_rows, past_dependence, stated_levels
from salesforecast.forecasting.requests import interval_columns

LARGEST = 5.0  # a past error counts as at most this many interval widths
METHODS = {
    "mint_shrink": "Minimum trace with shrunk error correlations",
    "ols": "Ordinary least squares",
    "bottom_up": "Sums of the finest series",
    "top_down": "The total, split by the finest forecasts",
}


def reconcile(
    forecast: pd.DataFrame,
    nodes: pd.DataFrame,
    backtest: pd.DataFrame | None = None,
    *,
    method: str = "mint_shrink",
    paths: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return forecasts of all series of `aggregate` that add up, with intervals that belong to them.

    `forecast` and `backtest` are those of `sf.forecast(nodes, …)` and `sf.backtest(nodes, …)`, with the same levels.
    The method is one of `METHODS`:

    - `mint_shrink`: the coherent forecast with the least total error variance. Variances and correlations are those of
      the backtest errors, the correlations shrunk to none where errors are few (Wickramasuriya, Athanasopoulos &
      Hyndman 2019, Journal of the American Statistical Association 114(526); Schäfer & Strimmer 2005, Statistical
      Applications in Genetics and Molecular Biology 4(1)). Many origins tell them better than long horizons:
      `sf.backtest(nodes, horizon // 2, windows=24)`. Without a backtest the variances are those that the intervals
      state, and the errors count as uncorrelated.
    - `ols`: the nearest coherent forecast; keeps the total, blind to how well each series is known.
    - `bottom_up`, `top_down`: from one end only.

    Amounts whose history was never negative are not forecast below 0: finest forecasts below are set to 0 and summed
    again. Intervals are quantiles of `paths` coherent sample paths: each of the finest series varies around its
    coherent forecast as its own interval says, series go together as their backtest errors did and, beyond that, as
    much as it takes for the sums to be as uncertain as their own intervals say. Deterministic for one `seed`.

    Returns the columns of `forecast` with `level` and the `by` columns, rows in the order of `nodes`; quantiles and
    rows of members are left out. Raises `BadPanel` where a series of `nodes` has no forecast, `UnknownName` for the
    method.

    >>> months = pd.date_range("2026-01-01", periods=6, freq="MS")
    >>> sales = pd.concat(pd.DataFrame({"unique_id": name, "ds": months, "y": value, "region": name})
    ...                   for name, value in (("A", 1.0), ("B", 2.0)))
    >>> from salesforecast.forecasting import aggregate, forecast
    >>> nodes = aggregate(sales, ["region"])
    >>> reconcile(forecast(nodes, 1), nodes)["mean"].round(6).tolist()
    [3.0, 1.0, 2.0]
    """
    return _Reconciliation(forecast, nodes, backtest, method).frame(paths, seed)


def coherent_paths(
    forecast: pd.DataFrame,
    nodes: pd.DataFrame,
    backtest: pd.DataFrame | None = None,
    *,
    method: str = "mint_shrink",
    paths: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return sample paths of all series that add up on every path: `unique_id, path, ds, y`.

    Arguments as of `reconcile`. Errors of one path are dependent between series as in the backtest and between
    periods by the mean correlation of neighbouring backtest errors; sums over periods and groups keep their
    distribution.
    """
    made = _Reconciliation(forecast, nodes, backtest, method)
    drawn = np.stack(list(made.draws(paths, seed)))  # step, node, path
    steps, count, _ = drawn.shape
    return pd.DataFrame(
        {
            "unique_id": np.repeat(made.ids, steps * paths),
            "path": np.tile(np.arange(1, paths + 1), count * steps),
            "ds": np.tile(np.repeat(made.dates, paths), count),
            "y": drawn.transpose(1, 0, 2).ravel(),
        }
    )


def project(base: np.ndarray, tree: Structure, variances: np.ndarray, factors: np.ndarray | None = None) -> np.ndarray:
    """Return the coherent values nearest to `base` in the metric of the error covariance W.

    `base` is (series, columns). W = diag(`variances`) + `factors` @ `factors`.T, so that the covariance of ten thousand
    series never has to be written down: with C the constraints (aggregate − sum of its finest = 0), the answer
    base − W C' (C W C')⁻¹ C base needs one sparse factorisation and as many extra columns as there are factors
    (Woodbury). `variances` of 1 without factors is OLS; the factors R'/√n of n in-sample errors alone (variances 0)
    are MinT with the sample covariance.
    """
    if not tree.aggregates:
        return base
    gap = base[: tree.aggregates] - tree.sums @ base[tree.aggregates :]
    weights = _solve(tree, variances, factors, gap)
    back = np.concatenate([weights, -(tree.sums.T @ weights)])  # C' weights
    shift = variances[:, None] * back
    if factors is not None:
        shift = shift + factors @ (factors.T @ back)
    coherent = base - shift
    # Sums are taken anew, so that rounding of the solver is not left in them.
    return tree.add_up(coherent[tree.aggregates :])


def _solve(tree: Structure, variances: np.ndarray, factors: np.ndarray | None, gap: np.ndarray) -> np.ndarray:
    """Return (C W C')⁻¹ gap."""
    from scipy import sparse
    from scipy.sparse.linalg import splu

    count = tree.aggregates
    spread = None if factors is None else factors[:count] - tree.sums @ factors[count:]  # C factors
    if not variances.any():
        if spread is None:
            raise BadValue("The error covariance is zero. Give variances or factors.")
        return np.linalg.lstsq(spread @ spread.T, gap, rcond=None)[0]
    plain = sparse.diags_array(variances[:count]) + tree.sums @ sparse.diags_array(variances[count:]) @ tree.sums.T
    factored = splu(sparse.csc_array(plain))
    solved = factored.solve(np.ascontiguousarray(gap))
    if spread is None:
        return solved
    inner = factored.solve(np.ascontiguousarray(spread))
    core = np.eye(spread.shape[1]) + spread.T @ inner
    return solved - inner @ np.linalg.solve(core, spread.T @ solved)


class _Reconciliation:
    """Base forecasts as arrays (series, steps), with the dependence of their errors."""

    def __init__(self, forecast: pd.DataFrame, nodes: pd.DataFrame, backtest: pd.DataFrame | None, method: str) -> None:
        lookup(METHODS, method, "reconciliation method")
        self.method, self.tree = method, structure(nodes)
        self.groups = nodes.drop_duplicates("unique_id").drop(columns=["ds", "y"])
        self.ids = self.tree.ids
        self.rows = main_rows(forecast)
        self.levels = stated_levels(forecast)
        mean = self._wide("mean")
        self.dates = mean.columns.to_numpy()
        self.mean = mean.to_numpy(float)
        self.bounds = {name: self._wide(name).to_numpy(float) for name in interval_columns(self.levels)}
        self.deviation = _deviation(self.mean, self.bounds, min(self.levels))
        least = nodes.groupby("unique_id")["y"].min().reindex(self.ids).to_numpy(float)
        self.floor = np.where(least[self.tree.aggregates :] >= 0, 0.0, -np.inf)[:, None]
        self.factors = _correlation_factors(_errors(backtest, self.ids, min(self.levels)))
        self.past = _past_deviation(backtest, self.ids, self.deviation)
        self.persistence = _persistence(backtest, len(self.dates))
        self.coherent = np.concatenate([self._coherent(step) for step in range(len(self.dates))], axis=1)

    def frame(self, paths: int, seed: int) -> pd.DataFrame:
        """Return what `reconcile` returns."""
        mean = self.coherent
        bounds = {name: np.empty_like(mean) for name in self.bounds}
        for step, drawn in enumerate(self.draws(paths, seed)):
            for level in self.levels:
                low, high = np.quantile(drawn, [(1 - level / 100) / 2, (1 + level / 100) / 2], axis=1)
                # The forecast lies inside its interval however skewed the paths are.
                bounds[f"lo_{level:g}"][:, step] = np.minimum(low, mean[:, step])
                bounds[f"hi_{level:g}"][:, step] = np.maximum(high, mean[:, step])
        made = pd.DataFrame(
            {
                "unique_id": np.repeat(self.ids, len(self.dates)),
                "ds": np.tile(self.dates, len(self.ids)),
                **{name: each.ravel() for name, each in {"mean": mean, **bounds}.items()},
            }
        )
        whole = made.merge(self.rows[["unique_id", "ds", "model", "note"]], on=["unique_id", "ds"])
        whole = self.groups.merge(whole, on="unique_id")
        return whole[["unique_id", "ds", "model", *made.columns[2:], "note", *self.groups.columns[1:]]]

    def draws(self, paths: int, seed: int) -> Iterator[np.ndarray]:
        """Yield coherent values (series, paths) of one step after the other.

        The finest series vary around their coherent forecast as their own intervals say; the aggregates are their sums.
        """
        if paths < 2:
            raise BadValue(f"paths is {paths}. Give at least 2; 1000 make smooth intervals.")
        random = np.random.default_rng(seed)
        count = self.tree.aggregates
        finest = self.factors[count:]
        alone = np.sqrt(np.maximum(0.0, 1 - (finest**2).sum(axis=1)))[:, None]
        keep, renew = self.persistence, np.sqrt(1 - self.persistence**2)
        chain = None
        for step in range(len(self.dates)):
            new = [_antithetic(random, rows, paths) for rows in (len(finest), finest.shape[1], 1)]
            chain = new if chain is None else [keep * old + renew * each for old, each in zip(chain, new, strict=True)]
            own, shared, common = chain
            together = self._together(step)
            normal = np.sqrt(1 - together) * (alone * own + finest @ shared) + np.sqrt(together) * common
            values = self.coherent[count:, [step]] + self._deviations(step, normal)
            yield self.tree.add_up(np.maximum(values, self.floor))

    def _together(self, step: int) -> float:
        """Return how much of the finest errors is common to all, so that sums are as uncertain as their intervals say.

        The correlations of few backtest errors are shrunk towards none, which alone would make sums look too certain.
        """
        count = self.tree.aggregates
        if not count:
            return 0.0
        deviation = self.deviation[:, step]
        own, finest = deviation[count:], self.factors[count:]
        independent = self.tree.sums @ (own**2 * np.maximum(0.0, 1 - (finest**2).sum(axis=1)))
        apart = independent + ((self.tree.sums @ (finest * own[:, None])) ** 2).sum(axis=1)
        joint = (self.tree.sums @ own) ** 2
        shares = np.linspace(0.0, 1.0, 101)[:, None]
        ratio = np.log(((1 - shares) * apart + shares * joint) / deviation[:count] ** 2)
        levels = self.groups.set_index("unique_id")["level"].loc[self.ids[:count]].to_numpy()
        mean = np.mean([ratio[:, levels == level].mean(axis=1) for level in dict.fromkeys(levels)], axis=0)
        return float(shares[np.argmin(np.abs(mean)), 0])

    def _deviations(self, step: int, normal: np.ndarray) -> np.ndarray:
        """Turn standard normal draws of the finest series into departures with the stated quantiles."""
        count = self.tree.aggregates
        scores = np.array([NormalDist().inv_cdf((1 + level / 100) / 2) for level in sorted(self.levels)])
        knots = np.concatenate([-scores[::-1], [0.0], scores])
        names = [f"{side}_{level:g}" for side, way in (("lo", -1), ("hi", 1)) for level in sorted(self.levels)[::way]]
        stated = [self.bounds[name][count:, step] - self.mean[count:, step] for name in names]
        values = np.stack([*stated[: len(scores)], np.zeros(len(stated[0])), *stated[len(scores) :]], axis=1)
        slopes = np.diff(values) / np.diff(knots)
        piece = np.clip(np.searchsorted(knots, normal) - 1, 0, slopes.shape[1] - 1)
        return np.take_along_axis(values, piece, 1) + np.take_along_axis(slopes, piece, 1) * (normal - knots[piece])

    def _coherent(self, step: int) -> np.ndarray:
        """Return the forecasts (series, 1) of one step, made to add up."""
        base, count = self.mean[:, [step]], self.tree.aggregates
        if self.method == "bottom_up" or not count:
            finest = base[count:]
        elif self.method == "top_down":
            sums = base[count:].sum(axis=0)
            equal = np.full_like(base[count:], 1 / (len(base) - count))
            finest = base[0] * np.divide(base[count:], sums, out=equal, where=sums != 0)
        elif self.method == "ols":
            finest = project(base, self.tree, np.ones(len(base)))[count:]
        else:
            deviation = np.where(np.isnan(self.past), self.deviation[:, step], self.past)
            loadings = self.factors * deviation[:, None]
            alone = deviation**2 - (loadings**2).sum(axis=1)
            finest = project(base, self.tree, alone, loadings)[count:]
        return self.tree.add_up(np.maximum(finest, self.floor))

    def _wide(self, column: str) -> pd.DataFrame:
        wide = self.rows.pivot(index="unique_id", columns="ds", values=column).reindex(self.ids)
        if wide.isna().to_numpy().any():
            name = wide.index[wide.isna().any(axis=1)][0]
            raise BadPanel(
                f"Series {name!r} has no {column} for every period of the forecast. Forecast the whole panel of "
                "aggregate() at once: reconcile(forecast(nodes, horizon), nodes)."
            )
        return wide


def _deviation(mean: np.ndarray, bounds: dict[str, np.ndarray], level: float) -> np.ndarray:
    """Return the standard deviation that an interval states, never quite 0."""
    width = bounds[f"hi_{level:g}"] - bounds[f"lo_{level:g}"]
    least = 1e-9 * max(float(np.abs(mean).max()), 1e-300)
    return np.maximum(width / (2 * NormalDist().inv_cdf((1 + level / 100) / 2)), least)


def _errors(backtest: pd.DataFrame | None, ids: np.ndarray, level: float) -> np.ndarray:
    """Return past errors (cutoff and step, series) in units of the intervals stated for them; 0 where there is none."""
    if backtest is None:
        return np.zeros((0, len(ids)))
    rows = main_rows(backtest)
    width = (rows[f"hi_{level:g}"] - rows[f"lo_{level:g}"]).to_numpy(float)
    error = (rows["y"] - rows["mean"]).to_numpy(float)
    ratio = np.divide(error, width, out=np.zeros(len(rows)), where=width > 0)
    table = rows.assign(error=np.clip(ratio, -LARGEST, LARGEST))
    wide = table.pivot(index=["cutoff", "ds"], columns="unique_id", values="error").reindex(columns=ids)
    return wide.sort_index().fillna(0.0).to_numpy()


def _past_deviation(backtest: pd.DataFrame | None, ids: np.ndarray, stated: np.ndarray) -> np.ndarray:
    """Return the root mean square of each series' past errors, NaN where there is none; never quite 0."""
    if backtest is None:
        return np.full(len(ids), np.nan)
    rows = main_rows(backtest)
    squared = ((rows["y"] - rows["mean"]) ** 2).groupby(rows["unique_id"]).mean().reindex(ids).to_numpy(float)
    return np.maximum(np.sqrt(squared), 1e-3 * stated.min(axis=1))


def _persistence(backtest: pd.DataFrame | None, steps: int) -> float:
    """Return the mean correlation between the errors of neighbouring steps."""
    if steps < 2:
        return 0.0
    found = common_dependence(steps) if backtest is None else past_dependence(backtest, steps)
    return float(np.clip(np.diagonal(found, offset=1).mean(), 0.0, 0.95))


def _correlation_factors(errors: np.ndarray) -> np.ndarray:
    """Return F (series, errors) with F F' the shrunk off-diagonal correlation of errors (rows) of series (columns).

    Schäfer & Strimmer (2005): the share of sampling variance in the squared correlations is what is taken away. Sums
    over all pairs of series come from products over pairs of rows, which are few.
    """
    count = len(errors)
    if count < 3:
        return np.zeros((errors.shape[1], 0))
    length = np.sqrt((errors**2).sum(axis=0))
    unit = np.divide(errors, length, out=np.zeros_like(errors), where=length > 0)
    squares = unit**2
    pairs = float(((unit @ unit.T) ** 2).sum())
    between = pairs - float((squares.sum(axis=0) ** 2).sum())  # squared correlations of different series
    spread = float((squares.sum(axis=1) ** 2).sum()) - float((squares**2).sum()) - between / count
    variance = spread * count / (count - 1)
    shrink = 1.0 if between <= 0 else float(np.clip(variance / between, 0.0, 1.0))
    return np.sqrt(1 - shrink) * unit.T


def _antithetic(random: np.random.Generator, rows: int, paths: int) -> np.ndarray:
    """Return standard normal draws (rows, paths), each with its mirror image, so that their mean is 0."""
    half = random.standard_normal((rows, (paths + 1) // 2))
    return np.concatenate([half, -half], axis=1)[:, :paths]
