"""Forecasts of more series than one process holds: Spark spreads buckets of series, each forecast as one process would.

One process takes 100,000 monthly series; this is for what lies beyond. It needs the extra `[spark]` (pyspark 4 and
Java 17), and the package installed where Spark's Python workers run.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd

from salesforecast.errors import BadPanel, BadValue, NoData
from salesforecast.forecasting import backtests, calibrations, forecasts, requests
from salesforecast.forecasting.checks import HUGE, KEYS, columns_of
from salesforecast.forecasting.intervals import Calibration

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame

SERIES_PER_BUCKET = 2_000
FAILED = "failed"
IRREGULAR = "irregular_dates"
_BUCKET = "bucket"
_LOG = logging.getLogger(__name__)

# A panel to a frame, with the keywords bound.
Call = Callable[[pd.DataFrame], pd.DataFrame]


def forecast_spark(
    frame: DataFrame,
    horizon: int,
    *,
    buckets: int | None = None,
    retries: int = 1,
    calibration: Calibration | None = None,
    **keywords: Any,
) -> DataFrame:
    """Forecast every series of a Spark frame; rows, values and notes are those of `forecast` in one process.

    `frame`: one row per series and period, columns `unique_id`, `ds` (date or timestamp) and `y`; `keywords` are those
    of `forecast`; `regressors` is a pandas frame that every bucket receives. Series go to `buckets` of about 2,000 by
    a hash of their id. What is learnt from many series at once is learnt first, from the very sample of series that
    one process would use (`calibration_sample`), and every bucket receives it; give `calibration` to learn it
    elsewhere. That pass runs at the call; the forecasts are made when the result is used.

    Returns a Spark frame with the columns of `forecast`, in no order; `ds` keeps its type. A series that cannot be
    forecast has one row with the reason in `note` and everything else empty. A bucket that fails is tried `retries`
    times more and then halved, again and again, so that only series that fail alone are lost (note `failed`). Where a
    worker dies, Spark itself repeats the bucket (`spark.task.maxFailures`).

    Raises like `forecast`, and `BadPanel` for missing columns, empty ids or dates, or a frame without rows.

    >>> forecast_spark(spark.table("monthly_revenue"), 12).write.saveAsTable("forecast")  # doctest: +SKIP
    """
    keywords = {"horizon": horizon, **keywords}
    return _in_buckets(frame, forecasts.forecast, keywords, buckets, retries, calibration)


def backtest_spark(
    frame: DataFrame,
    horizon: int,
    windows: int = 3,
    *,
    buckets: int | None = None,
    retries: int = 1,
    calibration: Calibration | None = None,
    **keywords: Any,
) -> DataFrame:
    """Repeat `forecast_spark` at the last cutoffs of every series; rows and values are those of `backtest`.

    Arguments, buckets and failures as in `forecast_spark`; a series too short for a cutoff has no row.

    >>> backtest_spark(spark.table("monthly_revenue"), 3).groupBy("cutoff").count()  # doctest: +SKIP
    """
    keywords = {"horizon": horizon, "windows": windows, **keywords}
    return _in_buckets(frame, backtests.backtest, keywords, buckets, retries, calibration)


def attempt(panel: pd.DataFrame, call: Call, retries: int) -> pd.DataFrame:
    """Return what `call` makes of a panel; where it fails, of its halves, down to the series that fail alone.

    `call` is tried once and `retries` times more before the panel is halved. A series that fails, or that `call` lists
    in `attrs["refused"]`, becomes a row of `unique_id` and `note`.

    >>> def call(panel):
    ...     return panel.assign(mean=1 / panel["y"].map(int), note="")[["unique_id", "mean", "note"]]
    >>> attempt(pd.DataFrame({"unique_id": ["A", "B", "C"], "y": [1.0, float("nan"), 4.0]}), call, retries=0)
      unique_id  mean    note
    0         A  1.00
    1         B   NaN  failed
    2         C  0.25
    """
    ids = panel["unique_id"].drop_duplicates()
    lost = FAILED
    for left in reversed(range(1 + retries)):
        # Whatever goes wrong with one bucket must not lose the others; the worker's log has what it was.
        try:
            made = call(panel)
        except BadPanel:
            lost = columns_of(panel).refused()[0] or IRREGULAR
            break
        except NoData:
            return pd.DataFrame({"unique_id": ids.iloc[:0], "note": ""})
        except Exception as error:
            _LOG.warning("%s series failed (%r); %s more attempts", len(ids), error, left)
            continue
        reasons = made.attrs.get("refused", {})
        unread = ids[ids.astype(str).isin(list(reasons))]
        rows = pd.DataFrame({"unique_id": unread, "note": unread.astype(str).map(reasons)})
        return _stacked([made, rows])
    if len(ids) == 1:
        return pd.DataFrame({"unique_id": ids, "note": lost})
    first = panel["unique_id"].isin(ids.iloc[: len(ids) // 2])
    return _stacked([attempt(part, call, retries) for part in (panel[first], panel[~first])])


def _in_buckets(
    frame: DataFrame,
    function: Callable[..., pd.DataFrame],
    keywords: dict[str, Any],
    buckets: int | None,
    retries: int,
    calibration: Calibration | None,
) -> DataFrame:
    from pyspark.sql import functions as f

    for name, value, least in (("buckets", buckets, 1), ("retries", retries, 0)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise BadValue(f"{name} is {value!r}. Give a whole number from {least} on.")
    tidy = _tidy(frame)
    schema = _schema(frame, function, keywords)
    series = _count(tidy)
    if calibration is None:
        calibration = _calibration(tidy, series, keywords)
    keywords = {**keywords, "calibration": calibration}
    count = buckets or -(-series // SERIES_PER_BUCKET)
    target = _arrow_schema(schema)

    def forecast_bucket(table: pa.Table) -> pa.Table:
        import pyarrow as pa

        panel = table.select(list(KEYS)).to_pandas()
        made = attempt(panel, lambda part: function(part, **keywords), retries)
        return pa.Table.from_pandas(made.reindex(columns=target.names), schema=target, preserve_index=False)

    # Arrow tables, not pandas frames, cross the border (applyInArrow, not applyInPandas): pyspark 4 does not know the
    # text and date types of pandas 3.
    bucket = f.pmod(f.xxhash64(f.col("unique_id").cast("string")), f.lit(count))
    grouped = tidy.withColumn(_BUCKET, bucket).repartition(count, _BUCKET).groupBy(_BUCKET)
    with _arrow_alone():
        result = grouped.applyInArrow(forecast_bucket, schema)
    dates = {"ds", "cutoff"} & set(target.names)
    return result.withColumns({name: f.col(name).cast(frame.schema["ds"].dataType) for name in dates})


def _tidy(frame: DataFrame) -> DataFrame:
    """Return the columns of a panel: dates without a time zone, numbers as doubles."""
    from pyspark.sql import functions as f

    missing = [column for column in KEYS if column not in frame.columns]
    if missing:
        raise BadPanel(
            f"Panel has no column {', '.join(missing)}; it has {', '.join(frame.columns)}. "
            "Rename your columns to unique_id, ds and y."
        )
    kind = frame.schema["ds"].dataType.typeName()
    if kind not in ("date", "timestamp", "timestamp_ntz"):
        raise BadPanel(f"Column ds is {kind}. Make it a date: frame.withColumn('ds', to_date('ds')).")
    y = f.nullif(f.col("y").cast("double"), f.lit(float("nan")))
    return frame.select("unique_id", f.col("ds").cast("timestamp_ntz"), y.alias("y"))


def _count(tidy: DataFrame) -> int:
    """Return the number of series; raises `BadPanel` for what makes a whole panel unreadable."""
    from pyspark.sql import functions as f

    def empty(column: str) -> Column:
        return f.count_if(f.col(column).isNull())

    row = tidy.agg(f.count_distinct("unique_id"), empty("unique_id"), empty("ds")).first()
    series, without_id, without_date = row if row else (0, 0, 0)
    if without_id:
        raise BadPanel(f"Panel has {without_id} rows without unique_id. Name or drop them.")
    if without_date:
        raise BadPanel(f"Column ds is empty in {without_date} rows. Give every row its date or drop it.")
    if not series:
        raise BadPanel("Panel has no rows. Give at least one series with one value.")
    return int(series)


def _calibration(tidy: DataFrame, series: int, keywords: dict[str, Any]) -> Calibration:
    """Learn from the sample of one process; only ids that may belong to it and its own rows reach the driver."""
    import pyarrow as pa
    from pyspark.sql import functions as f

    readable = (f.count("ds") == f.size(f.collect_set(f.to_date("ds")))) & (f.max(f.abs("y")) <= HUGE)
    known = f.when(f.col("y").isNotNull(), f.col("ds"))
    ends = (f.when(readable, each(known)).alias(name) for name, each in (("first", f.min), ("last", f.max)))
    lives = tidy.groupBy("unique_id").agg(*ends)
    target = _arrow_schema(lives.schema)

    def candidates(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        found = taught_by(pa.Table.from_batches(batches, schema=target).to_pandas())
        yield pa.RecordBatch.from_pandas(found, schema=target, preserve_index=False)

    with _arrow_alone():
        chosen = taught_by(lives.mapInArrow(candidates, lives.schema).toArrow().to_pandas())["unique_id"].tolist()
    if not chosen:  # nothing is readable: any series serves to say why
        chosen = [row["unique_id"] for row in tidy.take(1)]
    panel = tidy.where(f.col("unique_id").isin(chosen)).toArrow().to_pandas()
    whole = series if series > len(chosen) else None
    told = {name: value for name, value in keywords.items() if name not in ("level", "quantiles", "progress")}
    return calibrations.calibrate(panel, series=whole, **told)


def taught_by(lives: pd.DataFrame) -> pd.DataFrame:
    """Return the series that a calibration may learn from, at the end of a panel or at any earlier date.

    `lives` has one row per series: `unique_id, first, last` (its first and last known period, empty where it cannot be
    read). At each date the sample is that of the series there are by then, so all of these samples are kept; and one
    series of every pair of dates, because these decide at which cutoffs a backtest looks. What holds for a whole is
    found among what holds for its parts.

    >>> taught_by(pd.DataFrame({"unique_id": ["A", "B"], "first": [1, 2], "last": [9, 9]}))["unique_id"].tolist()
    ['A', 'B']
    """
    lives = lives.dropna(subset=["first"])
    sample: list[object] = []
    kept = set(lives.drop_duplicates(["first", "last"])["unique_id"])
    for _, born in lives.groupby("first"):
        sample = requests.calibration_sample([*sample, *born["unique_id"]]).tolist()
        kept.update(sample)
    return lives[lives["unique_id"].isin(kept)]


def _schema(frame: DataFrame, function: Callable[..., pd.DataFrame], keywords: dict[str, Any]) -> Any:
    """Return the Spark schema of the result, taken from a small example; raises for bad arguments."""
    from pyspark.sql import types as t

    periods = 3 + keywords["horizon"] if isinstance(keywords["horizon"], int) else 3
    example = pd.DataFrame(
        {"unique_id": "A", "ds": pd.date_range("2026-01-01", periods=periods, freq="MS"), "y": range(periods)}
    )
    made = function(example, **{**keywords, "regressors": None})
    kinds = {"f": t.DoubleType(), "i": t.LongType(), "b": t.BooleanType(), "M": t.TimestampNTZType()}
    fields = [
        frame.schema["unique_id"] if name == "unique_id" else t.StructField(name, kinds.get(kind.kind, t.StringType()))
        for name, kind in made.dtypes.items()
    ]
    return t.StructType([t.StructField(each.name, each.dataType, True) for each in fields])


def _arrow_schema(schema: Any) -> pa.Schema:
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(schema)


@contextmanager
def _arrow_alone() -> Iterator[None]:
    """Silence pyspark's word on pandas 3 where only Arrow tables cross the border."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        yield


def _stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    there = [each for each in parts if len(each)] or parts[:1]
    return pd.concat(there, ignore_index=True) if len(there) > 1 else there[0].reset_index(drop=True)
