import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.calendar import Calendar
from salesforecast.errors import NoData, UnknownName
from salesforecast.forecasting import check_panel, forecast, panel, spring_festival

LINES = [
    ("2026-01-10", 100, "华东"),
    ("2026-01-20", 50, "华南"),
    ("2026-03-05", 70, "华东"),
    ("2026-04-10", 30, "华东"),
    ("2026-04-12", 20, None),
    ("2026-05-03", 999, "华东"),
]


@pytest.fixture
def wb(make_store):
    lines = pd.DataFrame(LINES, columns=["date", "amount", "region"])
    lines["order_id"] = [f"O{each}" for each in range(len(lines))]
    with sf.open(make_store(transactions=lines), as_of="2026-05-10") as opened:
        yield opened


def values(made):
    return [(row.unique_id, str(row.ds.date())[:7], row.y) for row in made.itertuples()]


def test_a_panel_has_every_complete_month_and_never_the_one_in_progress(wb):
    made = panel(wb)
    assert values(made) == [
        ("total", "2026-01", 150),
        ("total", "2026-02", 0),
        ("total", "2026-03", 70),
        ("total", "2026-04", 50),
    ]
    check_panel(made)


def test_each_member_is_a_series_from_its_first_sale_on(wb):
    made = panel(wb, by="region")
    assert list(made.columns) == ["unique_id", "ds", "y", "region"]
    assert values(made) == [
        ("–", "2026-04", 20),
        ("华东", "2026-01", 100),
        ("华东", "2026-02", 0),
        ("华东", "2026-03", 70),
        ("华东", "2026-04", 30),
        ("华南", "2026-01", 50),
        ("华南", "2026-02", 0),
        ("华南", "2026-03", 0),
        ("华南", "2026-04", 0),
    ]


def test_until_cuts_the_history_and_grain_sets_the_period(wb):
    assert values(panel(wb, until="2026-03"))[-1] == ("total", "2026-03", 70)
    assert values(panel(wb, grain="quarter")) == [("total", "2026-01", 220)]
    assert forecast(panel(wb, grain="quarter"), 1)["ds"].tolist() == [pd.Timestamp("2026-04-01")]


def test_a_ratio_has_no_value_in_a_month_without_sales(wb):
    assert values(panel(wb, "aov")) == [
        ("total", "2026-01", 75),
        ("total", "2026-03", 70),
        ("total", "2026-04", 25),
    ]


def test_what_cannot_be_had_is_said(wb):
    with pytest.raises(NoData, match="No year is complete by 2026-05-10"):
        panel(wb, grain="year")
    with pytest.raises(UnknownName, match="Did you mean 'revenue'"):
        panel(wb, "revenu")
    with pytest.raises(UnknownName, match="Did you mean 'month'"):
        panel(wb, grain="months")


def test_the_spring_festival_share_moves_between_january_and_february():
    months = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2023-01-01", "2024-02-01", freq="MS"), "y": 1.0})
    share = spring_festival(Calendar(), months, 2).set_index("ds")["spring_festival"]
    # 22 January 2023 and 10 February 2024: the 56 days from four weeks before to four weeks after.
    assert share["2023-01-01"] == 31 / 56
    assert share["2024-01-01"] == 19 / 56
    assert share["2024-02-01"] == 29 / 56
    assert share.loc["2023-04-01":"2023-11-01"].sum() == 0
    assert len(share) == 16
    assert 0.99 < share["2024-01-01":].sum() < 1.01


def test_a_series_that_moves_with_the_festival_is_forecast_better_with_it():
    months = pd.DataFrame({"unique_id": "A", "ds": pd.date_range("2019-01-01", "2026-03-01", freq="MS"), "y": 1.0})
    share = spring_festival(Calendar(), months, 1)
    truth = months.assign(y=1000 * (1 - 0.6 * share["spring_festival"].iloc[: len(months)]))
    known = truth[truth["ds"] < "2026-01-01"]
    actual = truth["y"].to_numpy()[-3:]
    plain = forecast(known, 3)["mean"].to_numpy()
    informed = forecast(known, 3, regressors=share)
    assert set(informed["note"]) == {"regressors_used"}
    assert abs(informed["mean"].to_numpy() - actual).sum() < 0.5 * abs(plain - actual).sum()
