"""Forecasts in Spark's buckets are those of one process, whatever the ids, the dates or the trouble of one bucket."""

import sys

import numpy as np
import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.errors import BadPanel, BadValue, UnknownName
from salesforecast.forecasting import spark as buckets


def monthly(names, periods=30):
    """Return series of different lengths, scale and season; all end in the same month."""
    parts = []
    for number, name in enumerate(names):
        length = periods - number % min(7, periods - 1)
        time = np.arange(periods - length, periods)
        noise = np.sin(1.7 * (time + number) ** 1.3)
        y = 100 * (number + 1) * (1 + 0.01 * time + 0.2 * np.sin(2 * np.pi * (time + number) / 12) + 0.05 * noise)
        ds = pd.date_range("2024-01-01", periods=periods, freq="MS")[-length:]
        parts.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": y}))
    return pd.concat(parts, ignore_index=True)


def test_a_bucket_that_fails_once_is_tried_again():
    asked = []

    def call(panel):
        asked.append(len(panel))
        if len(asked) == 1:
            raise OSError("the disk was busy")
        return panel.assign(mean=1.0, note="")[["unique_id", "mean", "note"]]

    made = buckets.attempt(monthly(["A"], 5), call, retries=1)
    assert asked == [5, 5]
    assert made["note"].eq("").all()


def test_a_series_that_fails_alone_does_not_take_others_with_it():
    def call(panel):
        if "C" in set(panel["unique_id"]):
            raise MemoryError
        return panel.drop_duplicates("unique_id").assign(mean=1.0, note="")[["unique_id", "mean", "note"]]

    made = buckets.attempt(monthly("ABCDEFG", 10), call, retries=0).set_index("unique_id")
    assert made.loc["C", "note"] == "failed"
    assert made["mean"].drop("C").eq(1).all()
    assert sorted(made.index) == list("ABCDEFG")


def test_a_refused_series_has_one_row_with_the_reason():
    def call(panel):
        made = panel[panel["unique_id"] == "A"].assign(mean=1.0, note="")[["unique_id", "mean", "note"]]
        made.attrs["refused"] = {"B": "duplicate_periods"}
        return made

    made = buckets.attempt(monthly("AB", 2), call, retries=0)
    assert made["note"].tolist() == ["", "", "duplicate_periods"]


@pytest.fixture(scope="module")
def session():
    """A local Spark of two cores."""
    pytest.importorskip("pyarrow")
    sql = pytest.importorskip("pyspark.sql")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        builder = sql.SparkSession.builder.master("local[2]").appName("tests")
        for name, value in {"spark.ui.enabled": "false", "spark.sql.session.timeZone": "Asia/Shanghai"}.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        yield session
        session.stop()


def spread(session, panel, ds="timestamp"):
    """Return a panel as a Spark frame."""
    import pyarrow as pa

    return session.createDataFrame(pa.Table.from_pandas(panel, preserve_index=False)).selectExpr(
        "unique_id", f"cast(ds as {ds}) as ds", "y"
    )


def collected(made, *keys):
    """Return a Spark frame in the order of one process."""
    return made.toArrow().to_pandas().sort_values(["unique_id", *keys, "ds"], ignore_index=True)


@pytest.mark.slow
@pytest.mark.parametrize("ds", ["timestamp", "timestamp_ntz", "date"])
def test_buckets_give_what_one_process_gives(session, ds):
    panel = monthly([f"分店{number:02}" for number in range(40)])
    made = buckets.forecast_spark(spread(session, panel, ds), 6, buckets=3, level=(80, 97.5))
    assert made.schema["ds"].dataType.typeName() == ds
    found, expected = collected(made), sf.forecast(panel, 6, level=(80, 97.5))
    if ds != "timestamp":  # an Arrow timestamp carries its zone; the wall time is what was sent
        found["ds"] = pd.to_datetime(found["ds"])
        assert (found["ds"] == expected["ds"]).all()
    assert found["note"].tolist() == expected["note"].tolist()
    numbers = ["mean", "lo_80", "hi_80", "lo_97.5", "hi_97.5"]
    np.testing.assert_allclose(found[numbers], expected[numbers], rtol=1e-9)


@pytest.mark.slow
def test_many_series_learn_from_the_sample_of_one_process(session):
    panel = monthly(range(1_300), periods=16)
    panel.loc[panel["unique_id"].eq(5), "y"] = np.inf
    frame = spread(session, pd.concat([panel, panel[panel["unique_id"] == 7]]), "date")
    readable = panel[~panel["unique_id"].isin([5, 7])]
    how = {"models": "seasonal_naive"}
    for found, expected, keys in (
        (buckets.forecast_spark(frame, 2, **how), sf.forecast(readable, 2, **how), []),
        (buckets.backtest_spark(frame, 2, 2, **how), sf.backtest(readable, 2, 2, **how), ["cutoff"]),
    ):
        rows = collected(found, *keys)
        assert rows.loc[rows["mean"].isna(), "note"].tolist() == ["infinite_values", "duplicate_periods"]
        rows = rows[rows["mean"].notna()]
        expected = expected.sort_values(["unique_id", *keys, "ds"])
        assert rows["unique_id"].tolist() == expected["unique_id"].tolist()
        np.testing.assert_allclose(rows[["mean", "lo_80"]], expected[["mean", "lo_80"]], rtol=1e-9)


@pytest.mark.slow
def test_backtests_in_buckets_are_those_of_one_process(session):
    panel = monthly(["north", "south", "west"])
    found = collected(buckets.backtest_spark(spread(session, panel, "date"), 3, 2, buckets=2), "cutoff")
    expected = sf.backtest(panel, 3, 2).sort_values(["unique_id", "cutoff", "ds"], ignore_index=True)
    assert pd.to_datetime(found["cutoff"]).tolist() == expected["cutoff"].tolist()
    np.testing.assert_allclose(found[["y", "mean", "hi_95"]], expected[["y", "mean", "hi_95"]], rtol=1e-9)


@pytest.mark.slow
def test_unreadable_series_are_rows_with_a_reason(session):
    panel = monthly(["A", "B", "C", "D"])
    panel.loc[panel["unique_id"].eq("B"), "y"] = None
    twice = pd.concat([panel, panel[panel["unique_id"] == "C"]])
    found = collected(buckets.forecast_spark(spread(session, twice, "date"), 2, buckets=2))
    lost = found[found["mean"].isna()].set_index("unique_id")["note"].to_dict()
    assert lost == {"B": "no_values", "C": "duplicate_periods"}
    assert found["mean"].notna().sum() == 4


@pytest.mark.slow
def test_what_concerns_the_whole_frame_is_said_at_the_call(session):
    frame = spread(session, monthly(["A", "B"]))
    with pytest.raises(BadValue, match="horizon is 0"):
        buckets.forecast_spark(frame, 0)
    with pytest.raises(BadValue, match="buckets is 0"):
        buckets.forecast_spark(frame, 1, buckets=0)
    with pytest.raises(UnknownName, match="No forecast model named 'crystal_ball'"):
        buckets.forecast_spark(frame, 1, models="crystal_ball")
    with pytest.raises(BadPanel, match="no column y"):
        buckets.forecast_spark(frame.drop("y"), 1)
    with pytest.raises(BadPanel, match="Column ds is string"):
        buckets.forecast_spark(frame.selectExpr("unique_id", "cast(ds as string) as ds", "y"), 1)
    with pytest.raises(BadPanel, match="rows without unique_id"):
        buckets.forecast_spark(frame.selectExpr("cast(null as string) as unique_id", "ds", "y"), 1)
    with pytest.raises(BadPanel, match="no rows"):
        buckets.forecast_spark(frame.where("y < 0"), 1)
    with pytest.raises(BadPanel, match="has no value at all"):
        buckets.forecast_spark(frame.selectExpr("unique_id", "ds", "cast(null as double) as y"), 1)
