"""What the fiscal year comes to: sold so far, the rest of the month in progress, and the months ahead."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.calendar import Calendar
from salesforecast.settings import parse_settings


def lines(*rows):
    """One order line per (date, amount)."""
    frame = pd.DataFrame(rows, columns=["date", "amount"])
    dates = pd.to_datetime(frame["date"]).dt.date
    return frame.assign(date=dates, order_id=[f"SO{number}" for number in range(len(frame))])


def forecast_of(*months, mean=40.0, width=10.0):
    """A forecast as `sf.forecast` returns it: 40 a month, give or take 10."""
    return pd.DataFrame(
        {"unique_id": "total", "ds": pd.to_datetime(months), "model": "theta", "mean": mean, "lo_80": mean - width,
         "hi_80": mean + width, "note": ""}
    )  # fmt: skip


def year_of(make_store, sales, target=135.0):
    """A store with a target for the year 2026."""
    year = {
        "measure": "revenue", "scope_type": "company", "scope_id": "*", "grain": "year",
        "period_start": date(2026, 1, 1), "value": float(target),
    }  # fmt: skip
    return make_store(transactions=sales, targets=pd.DataFrame([year]))


def outlook(store, forecast, as_of, period, **keywords):
    with sf.open(store, as_of=as_of, **keywords) as wb:
        return sf.targets.outlook(wb, period, forecast)


SALES = lines(("2026-01-05", 5), ("2026-10-15", 50), ("2026-11-02", 6))
TWO_MONTHS = forecast_of("2026-11-01", "2026-12-01")


def test_the_month_in_progress_is_what_is_sold_and_the_rest_of_its_forecast(make_store):
    # Friday 13 November 2026: 10 of 21 workdays are over, 11/21 of the month are still to come.
    frame = outlook(year_of(make_store, SALES), TWO_MONTHS, "2026-11-13", "2026-11")
    november, december = (frame.iloc[each] for each in (10, 11))
    rest = 11 / 21
    assert (november["kind"], november["actual"]) == ("partial", 6)
    assert november[["lo_80", "forecast", "hi_80"]].tolist() == pytest.approx(
        [6 + 40 * rest - 10 * rest**0.5, 6 + 40 * rest, 6 + 40 * rest + 10 * rest**0.5]
    )
    assert december[["actual", "lo_80", "forecast", "hi_80"]].tolist()[1:] == [30, 40, 50]
    facts = frame.attrs
    assert facts["actual"] == 55, "of complete months"
    assert facts["landing"] == pytest.approx(55 + 6 + 40 * rest + 40)


def test_the_interval_of_the_year_shrinks_with_what_is_left_of_the_month(make_store):
    store = year_of(make_store, SALES)
    early, late = (outlook(store, TWO_MONTHS, as_of, "2026-11").attrs for as_of in ("2026-11-03", "2026-11-27"))
    assert late["hi_80"] - late["lo_80"] < 0.8 * (early["hi_80"] - early["lo_80"])


def test_the_interval_of_the_month_is_as_wide_as_its_curve_was_wrong(make_store):
    # One month sells all on its first workday, the next on its last, the other way round a year later: no curve fits.
    def month(start, regular):
        days = pd.bdate_range(start, start + pd.offsets.MonthEnd(0))
        return (
            [(days[0], 50), (days[-1], 50)] if regular else [(days[-1 if (start.month + start.year) % 2 else 0], 100)]
        )

    starts = pd.date_range("2023-01-01", "2026-10-01", freq="MS")
    widths = {}
    for regular in (True, False):
        sold = lines(*[(day.date(), amount) for start in starts for day, amount in month(start, regular)])
        store = make_store(path=None if regular else make_store().with_name("other.duckdb"), transactions=sold)
        row = outlook(store, forecast_of("2026-10-01", mean=100.0, width=10.0), "2026-10-16", "2026-10").iloc[9]
        widths[regular] = row["hi_80"] - row["forecast"]
    assert widths[True] < 10
    assert widths[False] > 40, "half of the month's 100, more or less"


def test_on_the_last_workday_the_year_lands_where_it_stands(make_store):
    sales = lines(("2025-12-01", 60), ("2026-01-05", 5), ("2026-10-15", 50), ("2026-12-02", 38))
    facts = outlook(year_of(make_store, sales, 120), forecast_of("2026-12-01"), "2026-12-30", "2026-12").attrs
    # 22 of December's 23 workdays are over; last December nothing was sold after its first day, which counts a third.
    rest = 40 * (1 / 23) * 2 / 3
    assert facts["landing"] == pytest.approx(55 + 38 + rest)


def test_the_year_never_lands_below_what_is_sold(make_store):
    sales = lines(("2026-01-05", 5), ("2026-10-15", 50), ("2026-12-02", 100))
    wild = forecast_of("2026-12-01", width=400.0)
    frame = outlook(year_of(make_store, sales, 150), wild, "2026-12-18", "2026-12")
    assert frame["lo_80"].iloc[11] == 100
    assert frame.attrs["lo_80"] == 155
    assert frame.attrs["landing"] > 155
    assert frame.attrs["p_reach"] > 0.5, "150 are sold already"


def test_a_target_that_is_sold_already_is_reached(make_store):
    sales = lines(("2026-01-05", 50), ("2026-12-02", 100))
    facts = outlook(year_of(make_store, sales, 120), forecast_of("2026-12-01"), "2026-12-30", "2026-12").attrs
    assert facts["landing"] == pytest.approx(150 + 40 / 23)
    assert facts["p_reach"] > 0.999


def test_time_progress_by_workdays_tells_the_rest_of_the_month_where_the_settings_say_so(make_store):
    # Last November everything was sold on its first workday.
    sales = lines(("2025-10-31", 1), ("2025-11-03", 60), ("2025-12-31", 1), ("2026-11-02", 6))
    settings = parse_settings({"definitions": {"time_progress": "workdays"}})
    store = year_of(make_store, sales)
    seasonal = outlook(store, TWO_MONTHS, "2026-11-13", "2026-11").iloc[10]["forecast"]
    even = outlook(store, TWO_MONTHS, "2026-11-13", "2026-11", settings=settings).iloc[10]["forecast"]
    assert even == pytest.approx(6 + 40 * 11 / 21)
    assert seasonal == pytest.approx(6 + 40 * 11 / 21 * 2 / 3), "one year of history counts a third"


def test_the_months_of_a_year_not_begun_are_forecast_alone(make_store):
    ahead = forecast_of(*[f"2027-{month:02d}-01" for month in range(1, 13)])
    frame = outlook(year_of(make_store, SALES), ahead, "2026-12-31", "2026-Q4")
    assert set(frame["kind"]) == {"forecast"}
    assert (frame.attrs["period"], frame.attrs["landing"], frame.attrs["actual"]) == ("2027", 480, 0)


def test_a_forecast_that_misses_the_month_in_progress_leaves_it_and_the_landing_open(make_store):
    frame = outlook(year_of(make_store, SALES), forecast_of("2026-12-01"), "2026-11-13", "2026-11")
    assert np.isnan(frame["forecast"].iloc[10])
    assert frame["forecast"].iloc[11] == 40
    assert frame.attrs == {}


def test_the_own_forecast_of_the_year_knows_the_workdays_of_its_months(make_store):
    # Every workday brings 1,000, give or take 1 %: October 2025 has 18 workdays, October 2024 had 19.
    months = pd.date_range("2022-01-01", "2025-09-01", freq="MS")
    calendar = Calendar()
    noise = np.random.default_rng(3).normal(1, 0.01, len(months))
    workdays = [calendar.workdays(each, each + pd.offsets.MonthEnd(0)) for each in months]
    sold = lines(*zip(months.astype(str), 1000 * np.array(workdays) * noise, strict=True))
    with sf.open(make_store(transactions=sold), as_of="2025-09-30") as wb:
        frame = sf.targets.outlook(wb, "2025-09")
        record = sf.targets.track_record(wb).set_index("model")
    made = frame["forecast"].iloc[9:].to_numpy()
    assert made == pytest.approx([18_000, 20_000, 23_000], rel=0.05)
    assert record.loc["combination", "wape"] < 0.5 * record.loc["seasonal_naive", "wape"]
