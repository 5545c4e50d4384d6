import numpy as np
import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.calendar import Calendar
from salesforecast.errors import BadValue, NoData, UnknownName
from salesforecast.forecasting import accuracy, backtest, calendar_regressors, check_panel, forecast, panel
from salesforecast.forecasting.regression import estimate

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


def history(y, start="2021-01-01", freq="MS", name="A"):
    return pd.DataFrame({"unique_id": name, "ds": pd.date_range(start, periods=len(y), freq=freq), "y": y})


def workdays(made):
    return np.exp(made["workdays"]).round(1).tolist()


def test_the_workdays_of_history_and_horizon_are_known_in_advance():
    # The State Council's calendar of 2026: 1 to 3 January off, 15 to 23 February off, 14 and 28 February worked.
    made = calendar_regressors(Calendar(), history([1.0, 1.0], "2025-12-01"), 2)
    assert made["ds"].astype(str).tolist() == ["2025-12-01", "2026-01-01", "2026-02-01", "2026-03-01"]
    assert workdays(made) == [23, 21, 16, 22]


def test_workdays_of_weeks_quarters_and_periods_dated_by_their_end():
    # Monday 22 December 2025 on; the week of the festival, from 16 February 2026, has none at all.
    weeks = calendar_regressors(Calendar(), history([1.0] * 8, "2025-12-22", "W-MON"), 2)
    assert workdays(weeks) == [5, 4, 5, 5, 5, 5, 5, 6, 0.5, 5]
    ends = calendar_regressors(Calendar(), history([1.0, 1.0], "2025-12-31", "ME"), 1)
    assert workdays(ends) == [23, 21, 16]
    assert workdays(calendar_regressors(Calendar(), history([1.0, 1.0], "2025-10-01", "QS"), 1)) == [61, 59, 61]


def test_each_series_gets_the_periods_it_has_and_its_own_horizon():
    two = pd.concat([history([1.0, 1.0]), history([1.0], "2022-01-01", name="B")])
    made = calendar_regressors(Calendar(), two, 1)
    assert made.groupby("unique_id")["ds"].agg(["min", "max"]).astype(str).values.tolist() == [
        ["2021-01-01", "2021-03-01"],
        ["2022-01-01", "2022-02-01"],
    ]
    with pytest.raises(BadValue, match="horizon"):
        calendar_regressors(Calendar(), two, 0)


def sales(effect, noise=0.02, periods=54):
    """Months of 1,000 with a season; `effect` is the elasticity to workdays."""
    rng = np.random.default_rng(8)
    season = np.tile(rng.normal(0, 0.1, 12), 6)[:periods]
    known = calendar_regressors(Calendar(), history(np.ones(periods)), 6)
    moved = season + effect * (known["workdays"].to_numpy()[:periods] - 3)
    return history(1000 * np.exp(moved + rng.normal(0, noise, periods))), known


def test_a_series_that_moves_with_workdays_is_forecast_far_better_with_them():
    moving, known = sales(effect=1.0)
    informed, plain = (backtest(moving, 6, 3, regressors=each) for each in (known, None))
    assert set(informed["note"]) == {"regressors_used"}
    assert accuracy(informed)["wape"].iloc[0] < 0.6 * accuracy(plain)["wape"].iloc[0]


def test_a_series_that_does_not_move_with_workdays_is_forecast_as_without_them():
    still, known = sales(effect=0.0)
    informed, plain = (forecast(still, 6, regressors=each) for each in (known, None))
    assert set(informed["note"]) == {"regressors_unused"}
    pd.testing.assert_frame_equal(informed.drop(columns="note"), plain.drop(columns="note"))


def test_a_regressor_that_was_significant_but_made_past_forecasts_worse_is_left_out():
    # It explains the first three years and the opposite of the last one and a half.
    moving, known = sales(effect=0.0)
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.2, len(known))
    turned = np.where(np.arange(54) < 36, 1.0, -0.6) * noise[:54]
    broken = moving.assign(y=moving["y"] * np.exp(turned))
    regressors = known[["unique_id", "ds"]].assign(event=noise)
    informed, plain = (forecast(broken, 6, regressors=each) for each in (regressors, None))
    assert estimate(broken["y"].to_numpy(), noise[:, None], 12, 6).notes == ("regressors_used",)
    assert set(informed["note"]) == {"regressors_unused"}
    assert informed["mean"].tolist() == plain["mean"].tolist()


def test_a_month_knows_its_share_of_the_workdays_around_spring_festival():
    # 10 February 2024: eight workdays before it in February (Sunday the 4th was worked), ten after it (also the 18th).
    made = calendar_regressors(Calendar(), history([1.0] * 25, "2023-01-01"), 2).set_index("ds")
    before, after = made["festival_before"].round(2), made["festival_after"].round(2)
    assert before["2024-01":"2024-03"].tolist() == [0.47, 0.53, 0]
    assert after["2024-01":"2024-03"].tolist() == [0, 0.67, 0.33]
    assert before["2023-01"].tolist() == [0.93]  # one of the fifteen was 30 December 2022
    assert made["festival_after"]["2025-01":"2025-03"].sum() == pytest.approx(1)
    assert "festival_before" not in calendar_regressors(Calendar("US"), history([1.0]), 1)
    assert list(calendar_regressors(Calendar(), history([1.0, 1.0], "2025-10-01", "QS"), 1)) == [
        "unique_id",
        "ds",
        "workdays",
    ]


def test_weeks_and_days_know_the_days_off_of_the_festival():
    weeks = calendar_regressors(Calendar(), history([1.0] * 10, "2026-01-05", "W-MON"), 1).set_index("ds")
    assert weeks["festival"].round(2).tolist() == [0, 0, 0, 0, 0, 0.11, 0.78, 0.11, 0, 0, 0]  # 15 to 23 February
    days = calendar_regressors(Calendar(), history([1.0] * 120, "2026-01-01", "D"), 3).set_index("ds")
    assert days["festival"].sum() == 9 and days["holiday"]["2026-01"].tolist()[:4] == [1, 1, 1, 0]
    # Ten workdays from the 3rd to the 14th (a worked Saturday), and the weekend between them.
    assert days["festival_before"]["2026-02"].sum() == 12


def test_where_january_is_never_reported_february_has_the_mean_workdays_of_both():
    whole = history([1.0] * 36, "2022-01-01")
    merged = whole[whole["ds"].dt.month != 1]
    known = calendar_regressors(Calendar(), merged, 3)
    plain = calendar_regressors(Calendar(), whole, 3)
    months = plain.set_index("ds")["workdays"].pipe(np.exp)
    mean = (months["2023-01-01"] + months["2023-02-01"]) / 2
    assert np.exp(known.set_index("ds")["workdays"]["2023-02-01"]) == pytest.approx(mean)
    assert known[["festival_before", "festival_after"]].to_numpy().max() == 0


def test_a_series_that_moves_with_spring_festival_is_forecast_better_with_it():
    rng = np.random.default_rng(11)
    periods = 60
    known = calendar_regressors(Calendar(), history(np.ones(periods), "2019-06-01"), 8)
    moved = (
        known[["festival_before", "festival_after"]].to_numpy()[:periods] @ [0.35, -0.3] + known["workdays"][:periods]
    )
    season = np.tile(rng.normal(0, 0.1, 12), 6)[:periods]
    moving = history(1000 * np.exp(season + moved - 3 + rng.normal(0, 0.02, periods)).to_numpy(), "2019-06-01")
    informed, plain = (backtest(moving, 8, 3, regressors=each) for each in (known, None))
    assert accuracy(informed)["wape"].iloc[0] < 0.6 * accuracy(plain)["wape"].iloc[0]
