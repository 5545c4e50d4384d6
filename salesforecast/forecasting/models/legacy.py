"""The forecasters, each registered once with its label, assumptions and source."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from salesforecast.errors import lookup

Fit = Callable[[np.ndarray, int, int], np.ndarray]


@dataclass(frozen=True)
class Model:
    """One forecaster: what it is called, what it assumes, where it comes from and when it applies.

    `fit(y, season, horizon)` returns `horizon` point forecasts. `least` is the shortest history it takes;
    a `seasonal` model also needs two full seasons of at most 24 periods, a `positive` one values above zero.
    """

    name: str
    zh: str
    en: str
    assumptions_zh: str
    assumptions_en: str
    source: str
    fit: Fit
    least: int = 1
    seasonal: bool = False
    positive: bool = False

    def applies(self, y: np.ndarray, season: int) -> bool:
        """Whether the model can be fitted to this history."""
        if len(y) < self.least or (self.positive and y.min() <= 0):
            return False
        return not self.seasonal or (1 < season <= 24 and len(y) >= max(2 * season, 10 + 2 * (season // 2)))


MODELS: dict[str, Model] = {}
COMBINATION = "combination"


def model_label(name: str) -> dict[str, str]:
    """Return the label of a value of the `model` column in both languages.

    >>> model_label("combination")["en"], model_label("theta")["zh"]
    ('Combination of models', 'Theta 法')
    """
    if name == COMBINATION:
        return {"zh": "多模型组合", "en": "Combination of models"}
    model = lookup(MODELS, name, "forecast model")
    return {"zh": model.zh, "en": model.en}


def register(
    name: str,
    *,
    zh: str,
    en: str,
    assumptions: tuple[str, str],
    source: str,
    least: int = 1,
    seasonal: bool = False,
    positive: bool = False,
) -> Callable[[Fit], Fit]:
    """Enter the decorated function into `MODELS`; `assumptions` are a Chinese and an English sentence."""

    def add(fit: Fit) -> Fit:
        MODELS[name] = Model(name, zh, en, *assumptions, source, fit, least, seasonal, positive)
        return fit

    return add


_HYNDMAN = "Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, 3rd ed."
_ETS = "Hyndman, Koehler, Ord & Snyder (2008), Forecasting with Exponential Smoothing; statsmodels ETSModel"


@register(
    "seasonal_naive",
    zh="季节性朴素法",
    en="Seasonal naive",
    assumptions=("下一季与上一季相同。", "The next season repeats the last one."),
    source=f"{_HYNDMAN}, section 5.2",
)
def seasonal_naive(y: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """Repeat the last season; with less than one season, the last value.

    >>> seasonal_naive(np.array([1.0, 2, 3, 4, 5, 6]), 4, 5).tolist()
    [3.0, 4.0, 5.0, 6.0, 3.0]
    """
    last = y[-season:] if len(y) >= season else y[-1:]
    return np.resize(last, horizon)


@register(
    "mean",
    zh="历史均值",
    en="Mean of the last season",
    assumptions=("水平稳定,波动是偶然的。", "A stable level; everything else is chance."),
    source=f"{_HYNDMAN}, section 5.2",
)
def mean(y: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """Mean of the last season, or of the last four points where the season is shorter."""
    return np.full(horizon, y[-max(season, 4) :].mean())


@register(
    "drift",
    zh="漂移法",
    en="Drift",
    assumptions=("首尾连线的趋势继续。", "The line from the first to the last point goes on."),
    source=f"{_HYNDMAN}, section 5.2",
    least=3,
)
def drift(y: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """Extend the line through the first and the last point.

    >>> drift(np.array([1.0, 5, 3]), 1, 2).tolist()
    [4.0, 5.0]
    """
    return y[-1] + np.arange(1, horizon + 1) * (y[-1] - y[0]) / (len(y) - 1)


@register(
    "theta",
    zh="Theta 法",
    en="Theta",
    assumptions=(
        "去季节后是随机游走,并保留一半的长期趋势;正值序列取对数。",
        "A random walk with half the long-run trend once the season is removed; on logs where all are positive.",
    ),
    source="Assimakopoulos & Nikolopoulos (2000), International Journal of Forecasting 16(4); statsmodels ThetaModel",
    least=5,
)
def theta(y: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """Theta method of statsmodels, additive season removed where a test finds one and two seasons are there."""
    from statsmodels.tsa.forecasting.theta import ThetaModel

    positive = y.min() > 0
    values = np.log(y) if positive else y
    seasonal = 1 < season <= 24 and len(y) > 2 * season
    fitted = ThetaModel(values, period=max(season, 2), deseasonalize=seasonal, method="additive").fit()
    path = np.asarray(fitted.forecast(horizon), dtype=float)
    return np.exp(path) if positive else path


@register(
    "ses",
    zh="简单指数平滑",
    en="Simple exponential smoothing",
    assumptions=("水平缓慢变化,无趋势无季节。", "A slowly moving level without trend or season."),
    source=_ETS,
    least=10,
)
def ses(y: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """ETS(A,N,N)."""
    return _ets(y, horizon)


@register(
    "damped_trend",
    zh="阻尼趋势",
    en="Damped trend",
    assumptions=("趋势逐渐变平,无季节。", "A trend that flattens out, no season."),
    source=_ETS,
    least=10,
)
def damped_trend(y: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """ETS(A,Ad,N)."""
    return _ets(y, horizon, trend="add", damped_trend=True)


@register(
    "ets_additive",
    zh="指数平滑(加法季节)",
    en="ETS, additive season",
    assumptions=("水平缓慢变化,季节幅度固定。", "A slowly moving level and a season of fixed size."),
    source=_ETS,
    seasonal=True,
)
def ets_additive(y: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """ETS(A,N,A)."""
    return _ets(y, horizon, seasonal="add", seasonal_periods=season)


@register(
    "ets_multiplicative",
    zh="指数平滑(乘法季节)",
    en="ETS, multiplicative season",
    assumptions=("季节与误差随水平成比例。", "Season and error grow with the level."),
    source=_ETS,
    seasonal=True,
    positive=True,
)
def ets_multiplicative(y: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """ETS(M,N,M)."""
    return _ets(y, horizon, error="mul", seasonal="mul", seasonal_periods=season)


@register(
    "ets_damped",
    zh="指数平滑(阻尼趋势与季节)",
    en="ETS, damped trend and season",
    assumptions=(
        "趋势逐渐变平,季节稳定;正值序列取对数。",
        "A trend that flattens out and a stable season; on logs where all values are positive.",
    ),
    source=_ETS,
    seasonal=True,
)
def ets_damped(y: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """ETS(A,Ad,A), on logs where all values are positive."""
    positive = y.min() > 0
    values = np.log(y) if positive else y
    path = _ets(values, horizon, trend="add", damped_trend=True, seasonal="add", seasonal_periods=season)
    return np.exp(path) if positive else path


def _ets(y: np.ndarray, horizon: int, error: str = "add", **form: object) -> np.ndarray:
    """Forecast with statsmodels' ETS; heuristic start values cost a tenth of estimated ones."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # convergence is judged by the forecast itself, in ensemble.py
        fitted = ETSModel(y, error=error, initialization_method="heuristic", **form).fit(disp=False)
        return np.asarray(fitted.forecast(horizon), dtype=float)
