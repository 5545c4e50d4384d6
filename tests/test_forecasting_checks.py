import numpy as np
import pandas as pd
import pytest

from salesforecast.errors import BadPanel, BadValue, UnknownName
from salesforecast.forecasting import check_panel, fill_gaps, forecast
from salesforecast.forecasting.histories import read

MONTHS = pd.date_range("2025-01-01", periods=4, freq="MS")


def small(**columns):
    return pd.DataFrame({"unique_id": "EU", "ds": MONTHS, "y": [1.0, 2.0, 3.0, 4.0]} | columns)


def test_a_good_panel_comes_back_sorted_with_its_other_columns():
    shuffled = small(region="EU").iloc[[2, 0, 3, 1]]
    checked = check_panel(shuffled)
    assert checked["y"].tolist() == [1, 2, 3, 4]
    assert list(checked.columns) == ["unique_id", "ds", "y", "region"]
    assert shuffled["y"].tolist() == [3, 1, 4, 2], "the argument is left alone"


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"unique_id": "EU"}, "A panel is a DataFrame"),
        (small().drop(columns="y"), "Panel has no column y; it has unique_id, ds.* Rename"),
        (small().iloc[:0], "Panel has no rows"),
        (small(unique_id=["EU", None, "EU", "EU"]), "1 rows without unique_id"),
        (small(y=["1", "2", "many", "4"]), "Column y holds 'many', which is no number"),
        (small(y=[1, 2, np.inf, 4]), "Column y is infinite in 1 rows, first in series 'EU'"),
        (small(y=np.nan), "Series 'EU' has no value at all"),
        (small(ds=["2025-01-01", "soon", "2025-03-01", "2025-04-01"]), "which is no date"),
        (small(ds=[1, 2, 3, 4]), "Column ds holds numbers such as 1"),
        (small(ds=MONTHS[[0, 1, 1, 3]]), "1 duplicate rows, first for series 'EU' at 2025-02-01.*Sum them"),
        (small(y=[1, np.nan, 3, 4]), "Panel has 1 gaps, first in series 'EU' at 2025-02-01"),
        (small(ds=MONTHS + pd.to_timedelta([0, 40, 0, 70], "D")), "duplicate|no whole"),
    ],
)
def test_a_broken_panel_is_refused_with_what_is_wrong(broken, says):
    with pytest.raises(BadPanel, match=says):
        check_panel(broken)


def test_a_forecast_refuses_a_broken_panel_too():
    with pytest.raises(BadPanel, match="infinite"):
        forecast(small(y=[1, 2, np.inf, 4]), 2)


def test_gaps_become_zero_or_are_interpolated_as_asked():
    holes = small().iloc[[0, 2, 3]]
    assert fill_gaps(holes)["y"].tolist() == [1, 0, 3, 4]
    assert fill_gaps(holes, value=None)["y"].tolist() == [1, 2, 3, 4]
    assert fill_gaps(holes)["unique_id"].tolist() == ["EU"] * 4
    check_panel(fill_gaps(holes))


@pytest.mark.parametrize(
    ("freq", "grain"),
    [("D", "day"), ("W-MON", "week"), ("MS", "month"), ("ME", "month"), ("QS-FEB", "quarter"), ("YS", "year")],
)
def test_the_frequency_comes_from_the_dates_and_continues_into_the_future(freq, grain):
    dates = pd.date_range("2024-01-31", periods=8, freq=freq)
    panel = pd.DataFrame({"unique_id": "A", "ds": dates[:6], "y": np.arange(6.0)})
    assert read(panel).frequency.grain == grain
    assert forecast(panel, 2)["ds"].tolist() == list(dates[6:])


@pytest.mark.parametrize(("freq", "season"), [("14D", 26), ("28D", 13), ("2MS", 6), ("2ME", 6), ("6MS", 2)])
def test_periods_of_two_or_four_are_known_by_their_distance(freq, season):
    dates = pd.date_range("2024-01-31", periods=9, freq=freq)
    panel = pd.DataFrame({"unique_id": "A", "ds": dates[:6], "y": np.arange(6.0)})
    assert read(panel).frequency.season == season
    made = forecast(panel, 3)
    assert made["ds"].tolist() == list(dates[6:])
    assert "gaps_filled" not in made["note"].iloc[0]


def test_a_few_sales_some_weeks_apart_are_no_rhythm():
    dates = pd.to_datetime(["2025-01-06", "2025-01-20", "2025-02-17", "2025-03-31"])
    assert read(pd.DataFrame({"unique_id": "A", "ds": dates, "y": 1.0})).frequency.season == 52


def test_a_series_off_its_own_grid_has_no_say_even_among_few():
    odd = small(unique_id="odd", ds=pd.to_datetime(["2025-01-01", "2025-01-15", "2025-02-03", "2025-03-20"]))
    made = forecast(pd.concat([small(), small(unique_id="US"), odd]), 1)
    assert made["unique_id"].tolist() == ["EU", "US"]
    assert made.attrs["refused"] == {"odd": "irregular_dates"}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"ds": ["2025-01-01", "2025-02-01", "2025-03-01", "9999-12-31"]}, "9999-12-31 in 1 rows; expected dates from"),
        ({"ds": ["2025年1月", "2025年2月", "2025年3月", "2025年4月"]}, "ds holds '2025年1月', which is no date"),
        ({"ds": ["2025-01-01", "2025-02-01", "2025-03-01", "soon"]}, "ds holds 'soon', which is no date"),
        ({"ds": pd.date_range("2025-01-01", periods=4, freq="h")}, "one row per series and day"),
        ({"y": pd.to_timedelta([1, 2, 3, 4], unit="D")}, "timedelta"),
        ({"y": [1, 2, 3, 1e300]}, "infinite in 1 rows"),
        ({"unique_id": 7, "y": np.nan}, "Series 7 has no value"),
    ],
)
def test_what_would_become_nonsense_is_refused_in_one_line(changed, says):
    with pytest.raises(BadPanel, match=says) as caught:
        check_panel(small(**changed))
    assert "\n" not in str(caught.value)


def test_levels_and_quantiles_may_come_from_numpy():
    made = forecast(small(), 1, level=np.array([50, 90]), quantiles=np.linspace(0.25, 0.75, 2))
    assert list(made.columns[4:]) == ["lo_50", "hi_50", "lo_90", "hi_90", "q_0.25", "q_0.75", "note"]


@pytest.mark.parametrize(
    ("keywords", "error", "says"),
    [
        ({"horizon": 0}, BadValue, "horizon is 0"),
        ({"horizon": 1.5}, BadValue, "horizon is 1.5"),
        ({"level": 101}, BadValue, "level is 101"),
        ({"level": ()}, BadValue, r"level is \(\)"),
        ({"season": 0}, BadValue, "season is 0"),
        ({"models": "thetta"}, UnknownName, "Did you mean 'theta'"),
        ({"models": []}, BadValue, "models is empty"),
    ],
)
def test_a_bad_argument_is_refused_with_the_way_out(keywords, error, says):
    with pytest.raises(error, match=says):
        forecast(small(), **({"horizon": 2} | keywords))


FUTURE = pd.date_range("2025-01-01", periods=6, freq="MS")


@pytest.mark.parametrize(
    ("regressors", "says"),
    [
        ([1, 2], "no DataFrame"),
        (pd.DataFrame({"ds": FUTURE}), "has only ds"),
        (pd.DataFrame({"ds": FUTURE, "promotion": "yes"}), "'promotion' is not numeric"),
        (pd.DataFrame({"ds": FUTURE, "promotion": [0, 1, np.nan, 0, 0, 0]}), "empty or infinite"),
        (pd.DataFrame({"ds": FUTURE[:4], "promotion": 0.0}), "misses 2 periods of series 'EU', first 2025-05-01"),
        (pd.DataFrame({"ds": FUTURE, "unique_id": "US", "promotion": 0.0}), "no rows for series 'EU'"),
        (pd.DataFrame({"ds": FUTURE[[0, 0]], "promotion": 0.0}), "two rows for one period"),
    ],
)
def test_regressors_must_be_numbers_for_every_period_of_history_and_horizon(regressors, says):
    with pytest.raises(BadValue, match=says):
        forecast(small(), 2, regressors=regressors)


def test_the_gap_that_is_named_is_the_first_one():
    several = pd.concat([small(), small(unique_id="US").iloc[[0, 3]], small(unique_id="ZA", y=[1, np.nan, 3, 4])])
    with pytest.raises(BadPanel, match="Panel has 3 gaps, first in series 'US' at 2025-02-01"):
        check_panel(several)


def test_filled_rows_take_the_other_columns_of_the_row_before():
    holes = small(region=["N", "N", "S", "S"]).iloc[[0, 1, 3]]
    filled = fill_gaps(holes, 0)
    assert filled["region"].tolist() == ["N", "N", "N", "S"]
    assert filled["ds"].tolist() == list(MONTHS) and list(filled.columns) == list(holes.columns)


def test_a_gap_is_filled_along_the_season_before_and_with_nothing_after_it():
    y = np.tile(np.arange(12.0), 3) + np.repeat([0.0, 10, 20], 12)
    months = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2022-01-01", periods=36, freq="MS"), "y": y})
    holes = months.drop(index=[17, 18])
    assert fill_gaps(holes, value=None)["y"].tolist() == y.tolist()
    then = fill_gaps(holes.iloc[:20], value=None)["y"]
    assert then.tolist() == y[:22].tolist(), "a history cut later is filled alike"


def test_series_that_cannot_be_read_are_refused_and_the_others_go_on():
    several = pd.concat(
        [
            small(),
            small(unique_id="empty", y=np.nan),
            small(unique_id="infinite", y=[1, 2, np.inf, 4]),
            small(unique_id="twice", ds=MONTHS[[0, 1, 1, 3]]),
        ]
    )
    made = forecast(several, 2)
    assert made["unique_id"].tolist() == ["EU", "EU"]
    assert made.attrs["refused"] == {
        "empty": "no_values",
        "infinite": "infinite_values",
        "twice": "duplicate_periods",
    }


def test_one_irregular_series_does_not_change_the_grain_of_many():
    many = [small(unique_id=f"s{each:02}") for each in range(30)]
    odd = small(unique_id="odd", ds=pd.to_datetime(["2025-01-01", "2025-01-09", "2025-02-01", "2025-03-20"]))
    made = forecast(pd.concat([*many, odd]), 1)
    assert set(made["ds"]) == {pd.Timestamp("2025-05-01")}
    assert made.attrs["refused"] == {"odd": "irregular_dates"}


def test_ids_of_mixed_types_have_an_order():
    assert forecast(pd.concat([small(unique_id=7), small(unique_id="10")]), 1)["unique_id"].tolist() == ["10", 7]
