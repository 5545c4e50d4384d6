"""Forecast a panel with the peers, in their own interpreter: one method, one output file, its CPU seconds on stdout.

    python run.py METHOD PANEL.parquet OUT.parquet --season 12 --horizon 18

The panel has `unique_id, t, y` (t counts periods); the output `unique_id, step, mean, lo_80, hi_80, lo_95, hi_95`.
"""

import argparse
import json
import logging
import time
import warnings

import numpy as np
import pandas as pd

LEVELS = (80, 95)
NORMAL = {80: 1.2815515655446004, 95: 1.959963984540054}


def main():
    """Read the arguments, warm up on three series, then measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("method", choices=sorted(METHODS))
    parser.add_argument("panel")
    parser.add_argument("out")
    parser.add_argument("--season", type=int, required=True)
    parser.add_argument("--horizon", type=int, required=True)
    parser.add_argument("--singly", action="store_true", help="one call a series")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    panel = pd.read_parquet(arguments.panel)
    forecast = METHODS[arguments.method]
    few = panel[panel["unique_id"].isin(panel["unique_id"].unique()[:3])]
    forecast(few, arguments.season, arguments.horizon)
    panels = [rows for _, rows in panel.groupby("unique_id", sort=False)] if arguments.singly else [panel]
    started = time.process_time()
    parts = [forecast(each, arguments.season, arguments.horizon) for each in panels]
    seconds = time.process_time() - started
    pd.concat(parts, ignore_index=True).to_parquet(arguments.out, index=False)
    print(json.dumps({"cpu_seconds": seconds, "series": int(panel["unique_id"].nunique())}))


def _statsforecast(name):
    def forecast(panel, season, horizon):
        from statsforecast import StatsForecast, models

        model = getattr(models, name)
        chosen = model(season_length=season)
        frame = panel.assign(ds=panel["t"])[["unique_id", "ds", "y"]]
        engine = StatsForecast([chosen], freq=1, n_jobs=1, fallback_model=models.Naive())
        made = engine.forecast(df=frame, h=horizon, level=list(LEVELS))
        alias = str(chosen)
        made = made.rename(columns=lambda each: each.removeprefix(f"{alias}-").replace("-", "_"))
        made = made.rename(columns={alias: "mean"})
        made["step"] = made.groupby("unique_id", sort=False).cumcount() + 1
        return made[_columns()]

    return forecast


def _without_season(forecast):
    return lambda panel, season, horizon: forecast(panel, 1, horizon)


def _each(forecast_one):
    """Return a panel method from one that takes an array: (mean, {level: (lo, hi)})."""

    def forecast(panel, season, horizon):
        parts = []
        for unique_id, rows in panel.groupby("unique_id", sort=False):
            y = rows["y"].to_numpy(float)
            try:
                mean, bounds = forecast_one(y, season, horizon)
                if not np.isfinite(mean).all():
                    raise ValueError
            except Exception:
                mean, bounds = naive(y, 1, horizon)
            block = {"unique_id": unique_id, "step": np.arange(1, horizon + 1), "mean": mean}
            for level, (low, high) in bounds.items():
                block |= {f"lo_{level}": low, f"hi_{level}": high}
            parts.append(pd.DataFrame(block))
        return pd.concat(parts, ignore_index=True)[_columns()]

    return forecast


def naive(y, season, horizon):
    """Forecast by the value one season ago (the last value when there is no season that long)."""
    lag = season if len(y) > season else 1
    mean = np.resize(y[-lag:], horizon)
    spread = np.sqrt(np.mean((y[lag:] - y[:-lag]) ** 2)) if len(y) > lag else 0.0
    widths = spread * np.sqrt(1 + np.arange(horizon) // lag)
    return mean, _normal(mean, widths)


def naive2(y, season, horizon):
    """Naive forecasts of the series adjusted by its classical multiplicative seasons, where these pass M4's test."""
    factors = np.ones(season)
    if season > 1 and len(y) >= 2 * season and y.min() > 0 and _is_seasonal(y, season):
        factors = _seasonal_factors(y, season)
    adjusted = y / factors[np.arange(len(y)) % season]
    steps = factors[np.arange(len(y), len(y) + horizon) % season]
    mean = adjusted[-1] * steps
    spread = np.sqrt(np.mean(np.diff(adjusted) ** 2)) if len(y) > 1 else 0.0
    return mean, _normal(mean, spread * np.sqrt(np.arange(1, horizon + 1)) * steps)


def _is_seasonal(y, season):
    """Return whether the autocorrelation at one season is significant at 90 % (Makridakis et al. 2020)."""
    if len(y) < 3 * season:
        return False
    centred = y - y.mean()
    total = (centred**2).sum()
    if total == 0:
        return False
    found = [(centred[lag:] * centred[:-lag]).sum() / total for lag in range(1, season + 1)]
    limit = 1.645 * np.sqrt((1 + 2 * np.sum(np.square(found[:-1]))) / len(y))
    return abs(found[-1]) > limit


def _seasonal_factors(y, season):
    weights = np.ones(season) if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5]
    trend = np.convolve(y, weights / weights.sum(), "valid")
    start = len(weights) // 2
    ratios = y[start : start + len(trend)] / trend
    where = np.arange(start, start + len(trend)) % season
    factors = np.array([ratios[where == each].mean() for each in range(season)])
    return factors / factors.mean()


def smooth_es(y, season, horizon):
    """Forecast with the port of ADAM: exponential smoothing chosen by AICc, its own prediction intervals."""
    from smooth import ES

    model = ES(model="ZXZ", lags=[season] if season > 1 else [1])
    model.fit(y)
    made = model.predict(h=horizon, interval="prediction", level=[each / 100 for each in LEVELS])
    low, high = np.asarray(made.lower), np.asarray(made.upper)
    bounds = {level: (low[:, at], high[:, at]) for at, level in enumerate(LEVELS)}
    return np.asarray(made.mean, float).ravel(), bounds


def statsmodels_loop(y, season, horizon):
    """Forecast with the exponential smoothing form of least AICc, fitted one by one, as many do by hand."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    seasonal = ("add", "mul") if season > 1 and len(y) >= 2 * season + 2 and y.min() > 0 else ()
    forms = [(trend, season_form) for trend in (None, "add") for season_form in (None, *seasonal)]
    fits = []
    for trend, form in forms:
        extra = {"seasonal": form, "seasonal_periods": season} if form else {}
        fits.append(ETSModel(y, error="add", trend=trend, damped_trend=bool(trend), **extra).fit(disp=False))
    best = min(fits, key=lambda each: each.aicc)
    made = best.get_prediction(start=len(y), end=len(y) + horizon - 1)
    bounds = {}
    for level in LEVELS:
        frame = np.asarray(made.pred_int(alpha=1 - level / 100))
        bounds[level] = (frame[:, 0], frame[:, 1])
    return np.asarray(made.predicted_mean), bounds


def prophet(y, season, horizon):
    """Forecast with Prophet's defaults on dates of the right spacing."""
    from prophet import Prophet

    step = {12: "MS", 4: "QS", 52: "W-MON", 1: "YS", 7: "D"}[season]
    dates = pd.date_range("2000-01-01", periods=len(y) + horizon, freq=step)
    bounds = {}
    for level in LEVELS:
        np.random.seed(1)
        model = Prophet(interval_width=level / 100, weekly_seasonality=season == 7, daily_seasonality=False)
        model.fit(pd.DataFrame({"ds": dates[: len(y)], "y": y}))
        made = model.predict(pd.DataFrame({"ds": dates[len(y) :]}))
        bounds[level] = (made["yhat_lower"].to_numpy(), made["yhat_upper"].to_numpy())
    return made["yhat"].to_numpy(), bounds


def _normal(mean, widths):
    return {level: (mean - NORMAL[level] * widths, mean + NORMAL[level] * widths) for level in LEVELS}


def _columns():
    return ["unique_id", "step", "mean", *(f"{side}_{level}" for level in LEVELS for side in ("lo", "hi"))]


METHODS = {
    "seasonal_naive": _each(naive),
    "naive2": _each(naive2),
    "dot": _statsforecast("DynamicOptimizedTheta"),
    "ces": _statsforecast("AutoCES"),
    "ets": _statsforecast("AutoETS"),
    "ets_plain": _without_season(_statsforecast("AutoETS")),
    "arima": _statsforecast("AutoARIMA"),
    "smooth": _each(smooth_es),
    "statsmodels": _each(statsmodels_loop),
    "prophet": _each(prophet),
}

if __name__ == "__main__":
    main()
