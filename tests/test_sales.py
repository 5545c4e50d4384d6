"""Headline figures, series, trend and level shifts."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.analysis.levels import benjamini_hochberg, steps
from salesforecast.analysis.trend import decompose
from salesforecast.errors import BadValue, NoData, UnknownName
from salesforecast.settings import parse_settings


def lines(*rows, **columns):
    """One order line per (date, amount); a negative amount is a return."""
    frame = pd.DataFrame(
        {
            "date": [date.fromisoformat(day) for day, _ in rows],
            "amount": [abs(amount) for _, amount in rows],
            "txn_type": ["order" if amount >= 0 else "return" for _, amount in rows],
            "order_id": [f"SO{number}" for number in range(len(rows))],
        }
    )
    return frame.assign(**columns)


def monthly(values, start="2023-01-01", **columns):
    """One order on the tenth of each month."""
    days = pd.date_range(start, periods=len(values), freq="MS") + pd.Timedelta(days=9)
    return lines(*zip(days.strftime("%Y-%m-%d"), np.asarray(values, float).round(2), strict=True), **columns)


@pytest.fixture
def october(make_store):
    """Two Octobers, a September and a return: small enough to add up in the head."""
    store = make_store(
        transactions=lines(
            ("2024-01-02", 10), ("2025-03-10", 50), ("2025-10-15", 100), ("2026-09-15", 80),
            ("2026-10-15", 150), ("2026-10-20", -40),
        )
    )  # fmt: skip
    with sf.open(store, as_of="2026-10-31") as wb:
        yield wb


def test_returns_reduce_revenue(october):
    assert sf.sales.kpis(october, "2026-10").loc["revenue", "value"] == 150 - 40


def test_a_period_is_compared_with_the_year_before_and_the_period_before(october):
    row = sf.sales.kpis(october, "2026-10").loc["revenue"]
    assert (row["last_year"], row["previous"]) == (100, 80)
    assert row["yoy"] == pytest.approx(0.10)
    assert row["mom"] == pytest.approx(110 / 80 - 1)


def test_year_to_date_and_twelve_months_end_with_the_period(october):
    row = sf.sales.kpis(october, "2026-10").loc["revenue"]
    assert (row["ytd"], row["ytd_last_year"]) == (80 + 110, 50 + 100)
    assert (row["rolling12"], row["rolling12_last_year"]) == (80 + 110, 50 + 100)


def test_revenue_per_workday_uses_the_workdays_of_each_month(october):
    row = sf.sales.kpis(october, "2026-10").loc["revenue"]
    # 18 workdays in both Octobers, 22 in September 2026 (Sunday the 20th is worked).
    assert row["per_workday"] == pytest.approx(110 / 18)
    assert row["per_workday_yoy"] == pytest.approx(0.10)
    assert row["per_workday_mom"] == pytest.approx(
        (110 / 18) / (80 / october.calendar.workdays("2026-09-01", "2026-09-30")) - 1
    )


def test_measures_whose_columns_were_not_loaded_say_so(october):
    row = sf.sales.kpis(october, "2026-10").loc["gm"]
    assert np.isnan(row["value"])
    assert "no_data" in row["note"]


def test_the_return_rate_changes_in_points(october):
    row = sf.sales.kpis(october, "2026-10").loc["return_rate"]
    assert row["value"] == pytest.approx(40 / 150)
    assert row["yoy"] == pytest.approx(40 / 150 - 0)


def test_without_a_complete_base_there_is_no_year_over_year(make_store):
    store = make_store(transactions=lines(("2025-10-20", 100), ("2026-10-15", 150)))
    with sf.open(store, as_of="2026-10-31") as wb:
        row = sf.sales.kpis(wb, "2026-10").loc["revenue"]
    assert np.isnan(row["last_year"]) and np.isnan(row["yoy"])
    assert row["note"] == "no_base no_target"


def test_growth_on_a_negative_base_is_undefined(make_store):
    store = make_store(transactions=lines(("2024-01-02", 10), ("2025-10-15", -40), ("2026-10-15", 150)))
    with sf.open(store, as_of="2026-10-31") as wb:
        row = sf.sales.kpis(wb, "2026-10").loc["revenue"]
    assert row["last_year"] == -40
    assert np.isnan(row["yoy"])


def test_an_unfinished_month_is_compared_with_the_same_number_of_workdays(make_store):
    # By Friday 6 November 2026 five workdays have passed; so they had by 13 October 2026 and by 7 November 2025.
    store = make_store(
        transactions=lines(
            ("2024-01-02", 1), ("2025-11-07", 20), ("2025-11-10", 1000), ("2026-10-13", 30), ("2026-10-14", 1000),
            ("2026-11-06", 60),
        )
    )  # fmt: skip
    with sf.open(store, period="2026-11") as wb:
        row = sf.sales.kpis(wb, "2026-11").loc["revenue"]
    assert wb.as_of == date(2026, 11, 6)
    assert (row["value"], row["previous"], row["last_year"]) == (60, 30, 20)
    assert "partial" in row["note"]


def test_a_month_is_finished_when_only_a_weekend_is_left(make_store):
    store = make_store(transactions=lines(("2024-01-02", 1), ("2025-10-31", 20), ("2026-10-30", 60)))
    with sf.open(store, period="2026-10") as wb:
        row = sf.sales.kpis(wb, "2026-10").loc["revenue"]
    assert wb.as_of == date(2026, 10, 30)  # a Friday
    assert row["last_year"] == 20
    assert "partial" not in row["note"]


def test_february_is_compared_together_with_january(make_store):
    # Spring Festival: 29 January 2025, 17 February 2026.
    store = make_store(
        transactions=lines(
            ("2024-01-02", 1), ("2025-01-10", 60), ("2025-02-20", 100), ("2026-01-10", 120), ("2026-02-05", 50),
            ("2026-03-20", 1),
        )
    )  # fmt: skip
    with sf.open(store, as_of="2026-03-31") as wb:
        february = sf.sales.kpis(wb, "2026-02").loc["revenue"]
        january = sf.sales.kpis(wb, "2026-01").loc["revenue"]
        march = sf.sales.kpis(wb, "2026-03").loc["revenue"]
    assert february["yoy"] == pytest.approx(-0.5)
    assert (february["festival"], february["festival_last_year"]) == (170, 160)
    assert february["festival_yoy"] == pytest.approx(170 / 160 - 1)
    assert "festival" in february["note"] and "festival" in january["note"]
    assert np.isnan(january["festival_yoy"])
    assert "festival" not in march["note"]


def test_year_to_date_follows_the_fiscal_year(make_store):
    store = make_store(transactions=lines(("2026-03-20", 1000), ("2026-04-10", 5), ("2026-05-08", 7)))
    settings = parse_settings({"fiscal": {"year_start_month": 4}})
    with sf.open(store, as_of="2026-05-31", settings=settings) as wb:
        assert sf.sales.kpis(wb, "2026-05").loc["revenue", "ytd"] == 12


def test_the_target_of_the_month_stands_beside_the_value(make_store):
    store = make_store(
        transactions=lines(("2026-10-12", 90)),
        targets=pd.DataFrame(
            {"measure": ["revenue"], "scope_type": ["company"], "scope_id": ["*"], "grain": ["month"],
             "period_start": [date(2026, 10, 1)], "value": [100.0]}
        ),
    )  # fmt: skip
    with sf.open(store, as_of="2026-10-31") as wb:
        row = sf.sales.kpis(wb, "2026-10").loc["revenue"]
    assert (row["target"], row["attainment"]) == (100, 0.9)


def test_a_period_outside_the_data_is_refused(october):
    with pytest.raises(NoData, match="2019-01"):
        sf.sales.kpis(october, "2019-01")


def test_a_series_has_every_month_with_explicit_zeros(october):
    frame = sf.sales.series(october, periods=3)
    assert frame["period_start"].dt.strftime("%Y-%m").tolist() == ["2026-08", "2026-09", "2026-10"]
    assert frame["value"].tolist() == [0, 80, 110]
    assert frame["complete"].all()


def test_a_ratio_without_sales_is_unknown_not_zero(october):
    frame = sf.sales.series(october, "return_rate", periods=3)
    assert np.isnan(frame["value"].iloc[0])
    assert frame["value"].iloc[1] == 0


def test_a_series_by_member_fills_each_member(make_store):
    store = make_store(
        transactions=lines(("2026-09-10", 5), ("2026-10-12", 7), region=["东", "西"]),
    )
    with sf.open(store, as_of="2026-10-20") as wb:
        frame = sf.sales.series(wb, by=["region"])
    assert frame.pivot(index="region", columns="period_start", values="value").to_numpy().tolist() == [[5, 0], [0, 7]]
    assert frame["complete"].tolist() == [True, False, True, False]


def test_an_unknown_measure_names_the_nearest(october):
    with pytest.raises(UnknownName, match="Did you mean 'revenue'"):
        sf.sales.series(october, "revenu")
    with pytest.raises(BadValue, match="month"):
        sf.sales.series(october, grain="fortnight")


def test_daily_values_accumulate(october):
    frame = sf.sales.daily(october, "2026-10").set_index("date")
    assert frame.loc["2026-10-14", "cumulative"] == 0
    assert frame.loc["2026-10-15", "cumulative"] == 150
    assert frame.loc["2026-10-31", "cumulative"] == 110


SEASON = np.array([0.9, 0.8, 1.1, 1.0, 1.0, 1.1, 0.9, 0.9, 1.0, 1.0, 1.1, 1.2])


def noisy(count, growth=0.01, noise=0.02, seed=5):
    """A series with a season, a monthly growth and multiplicative noise."""
    time = np.arange(count)
    chance = np.exp(np.random.default_rng(seed).normal(0, noise, count))
    return 1000 * (1 + growth) ** time * SEASON[time % 12] * chance


def test_trend_and_season_add_up_to_the_expectation(make_store):
    with sf.open(make_store(transactions=monthly(noisy(46))), as_of="2026-10-31") as wb:
        frame = sf.sales.trend(wb)
    assert frame["value"].to_numpy() == pytest.approx(
        (frame["trend"] + frame["seasonal"] + frame["remainder"]).to_numpy()
    )
    assert frame["expected"].to_numpy() == pytest.approx((frame["trend"] + frame["seasonal"]).to_numpy())
    assert frame.attrs["slope"] == pytest.approx(1.01**12 - 1, abs=0.03)
    assert frame.attrs["slope_lo"] < 1.01**12 - 1 < frame.attrs["slope_hi"]
    assert not frame["anomaly"].any()


def test_an_outlier_month_is_an_anomaly_and_the_only_one(make_store):
    values = noisy(46)
    values[31] *= 1.4
    with sf.open(make_store(transactions=monthly(values)), as_of="2026-10-31") as wb:
        frame = sf.sales.trend(wb)
    assert frame.loc[frame["anomaly"], "period_start"].dt.strftime("%Y-%m").tolist() == ["2025-08"]
    row = frame.loc[31]
    assert row["value"] / row["expected"] == pytest.approx(1.4, abs=0.08)
    assert row["expected_lo"] < row["expected"] < row["expected_hi"] < row["value"]


def test_the_unfinished_month_is_not_decomposed(make_store):
    with sf.open(make_store(transactions=monthly(noisy(47))), as_of="2026-11-12") as wb:
        frame = sf.sales.trend(wb)
    assert not frame["complete"].iloc[-1]
    assert np.isnan(frame["trend"].iloc[-1])
    assert not np.isnan(frame["trend"].iloc[-2])


def test_less_than_two_years_have_no_trend_and_say_so(make_store):
    with sf.open(make_store(transactions=monthly(noisy(20))), as_of="2024-08-31") as wb:
        frame = sf.sales.trend(wb)
    assert frame["trend"].isna().all()
    assert frame.attrs["note"] == "no_decomposition"
    assert frame["anomaly"].isna().all()


def test_a_moving_festival_is_not_an_anomaly():
    # The festival month loses 40 %; it is the first of the season, or the second.
    late = np.array([0, 1, 0, 1, 0])
    effect = np.zeros(60)
    for year, shift in enumerate(late):
        effect[12 * year + shift] = 1.0
    values = noisy(60) * np.exp(-0.5 * effect)
    without, taken_out = decompose(values, 12), decompose(values, 12, effect[:, None])
    assert taken_out.calendar and not without.calendar
    assert taken_out.parts["remainder"].abs().max() < 0.5 * without.parts["remainder"].abs().max()


def test_series_with_returns_are_decomposed_without_logarithms():
    values = noisy(36) - 1200
    found = decompose(values, 12)
    assert not found.log
    assert found.parts["expected"].to_numpy() == pytest.approx(values, abs=250)


def test_the_nile_fell_in_1899():
    # Cobb (1978), Biometrika 65: the annual flow at Aswan dropped by about 250 in 1899, after the first dam.
    from statsmodels.datasets import nile

    flow = nile.load_pandas().data
    (place, size, error, p_value), *rest = steps(flow["volume"].to_numpy())
    assert flow["year"].iloc[place] == 1899
    assert size - 1.96 * error < -250 < size + 1.96 * error
    assert p_value < 0.001
    assert rest == []


def test_growth_and_chance_are_no_steps():
    rng = np.random.default_rng(3)
    found = [steps(0.01 * np.arange(46) + rng.normal(0, 0.03, 46)) for _ in range(60)]
    assert sum(bool(each) for each in found) <= 2  # 1 % of series, by the corrected p value


def test_a_lasting_shift_is_dated_and_measured(make_store):
    values = noisy(46)
    values[34:] *= 0.75
    with sf.open(make_store(transactions=monthly(values)), as_of="2026-10-31") as wb:
        found = sf.sales.change_points(wb)
    assert len(found) == 1
    row = found.iloc[0]
    assert row["period_start"] == pd.Timestamp("2025-11-01")
    assert row["change_lo"] < -0.25 < row["change_hi"]
    # The three say the same: both sides of the step on the fitted line.
    assert row["after"] == pytest.approx(row["before"] * (1 + row["change_pct"]))
    assert row["change"] == pytest.approx(row["after"] - row["before"])


def test_the_shift_of_one_member_is_found_among_several(make_store):
    shifted = noisy(46, seed=1)
    shifted[36:] *= 0.7
    store = make_store(
        transactions=pd.concat(
            [monthly(shifted, region="西"), *(monthly(noisy(46, seed=n), region=f"区{n}") for n in range(2, 5))]
        )
    )
    with sf.open(store, as_of="2026-10-31") as wb:
        found = sf.sales.change_points(wb, by="region")
    assert found[["slice", "period_start"]].to_numpy().tolist() == [["西", pd.Timestamp("2026-01-01")]]


def test_a_scan_ranks_the_member_that_departs_from_its_own_usual(make_store):
    odd = noisy(46, seed=1)
    odd[-1] *= 1.5
    store = make_store(
        transactions=pd.concat(
            [monthly(odd, region="西"), *(monthly(noisy(46, seed=n), region=f"区{n}") for n in range(2, 5))]
        )
    )
    with sf.open(store, as_of="2026-10-31") as wb:
        found = sf.sales.scan(wb)
    assert found.loc[0, ["dimension", "member", "anomaly"]].tolist() == ["region", "西", True]
    assert not found["anomaly"].iloc[1:].any()


def test_a_price_rise_is_told_from_a_richer_mix(make_store):
    days = pd.date_range("2023-01-01", periods=36, freq="MS") + pd.Timedelta(days=9)
    rows = []
    for number, day in enumerate(days):
        for product, price in (("便宜", 10.0), ("昂贵", 100.0)):
            # The dear product sells more and more: the average price climbs without any price change.
            quantity = 50 if product == "便宜" else 5 + number
            rise = 1.08 if number >= 24 else 1.0
            noise = 1 + 0.005 * (-1) ** number
            rows.append((day.date(), quantity * price * noise, quantity, product, "稳价"))
            rows.append((day.date(), quantity * price * rise * noise, quantity, f"{product}2", "涨价"))
    frame = pd.DataFrame(rows, columns=["date", "amount", "quantity", "product_id", "category"])
    with sf.open(make_store(transactions=frame.assign(order_id="x")), as_of="2025-12-31") as wb:
        found = sf.sales.price_changes(wb)
    assert found["category"].tolist() == ["涨价"]
    assert found.loc[0, "period_start"] == pd.Timestamp("2025-01-01")
    assert found.loc[0, "change_pct"] == pytest.approx(0.08, abs=0.01)


def test_correcting_for_many_tests_follows_the_published_example():
    # Benjamini and Hochberg (1995), section 3.2: of 15 p values, four are discoveries at 0.05.
    p_values = np.array(
        [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
         0.7590, 1.0]
    )  # fmt: skip
    assert int((benjamini_hochberg(p_values) <= 0.05).sum()) == 4


def verdict(make_store, month, *more):
    """The verdict of a winter month; Spring Festival: 29 January 2025, 17 February 2026."""
    store = make_store(
        transactions=lines(
            ("2024-01-02", 1), ("2025-01-10", 60), ("2025-02-20", 100), ("2026-01-10", 120), ("2026-02-05", 50), *more
        )
    )  # fmt: skip
    with sf.open(store, as_of="2026-02-28") as wb:
        return sf.sales.findings(wb, month)[0]


def test_the_verdict_of_february_leads_with_both_months(make_store):
    found = verdict(make_store, "2026-02")
    assert found.kind == "period_result_festival_no_target"
    assert found.sums_up
    assert (found.amount, found.values["festival"]) == (170 - 160, 170)


def test_the_verdict_of_january_waits_for_february(make_store):
    assert verdict(make_store, "2026-01").kind == "period_result_january_no_target"


def margin_of(make_store, tmp_path, orders):
    """So many orders of 100 a period, whose cost scatters by 10 around 60 last year and around 70 this year."""
    scatter = [10 * (-1) ** number for number in range(orders)]
    store = make_store(
        path=tmp_path / f"{orders}.duckdb",
        transactions=lines(
            ("2024-01-02", 100), *[("2025-10-15", 100)] * orders, *[("2026-10-15", 100)] * orders,
            cost_amount=[60.0, *(60.0 + each for each in scatter), *(70.0 + each for each in scatter)],
        ),
    )  # fmt: skip
    with sf.open(store, as_of="2026-10-31") as wb:
        (found,) = [each for each in sf.sales.findings(wb, "2026-10") if each.kind == "margin_drop"]
    assert found.values["change"] == pytest.approx(-0.1)
    return found.certainty


def test_few_orders_make_a_change_of_margin_uncertain(make_store, tmp_path):
    # Standard error of the change with 4 orders: 0.1 · sqrt(2 / 3) = 0.082, so t = 1.22 with 3 degrees of freedom.
    assert margin_of(make_store, tmp_path, 1) == 0
    assert margin_of(make_store, tmp_path, 4) == pytest.approx(0.692, abs=0.001)
    assert margin_of(make_store, tmp_path, 40) > 0.99


@pytest.mark.parametrize(("share", "kind"), [(0.99, "outlier_wholly_member"), (0.7, "outlier_member")])
def test_a_member_that_explains_nearly_all_is_said_to_explain_almost_all(make_store, share, kind):
    north, south = noisy(46, noise=0.005) / 2, noisy(46, noise=0.005, seed=6) / 2
    north[40] += 500 * share
    south[40] += 500 * (1 - share)
    store = make_store(transactions=pd.concat([monthly(north, region="北"), monthly(south, region="南")]))
    with sf.open(store, as_of="2026-10-31") as wb:
        (found,) = [each for each in sf.sales.findings(wb, "2026-10") if each.kind.startswith("outlier")]
    assert (found.kind, dict(found.slice)) == (kind, {"region": "北"})


def test_the_trend_marks_spring_festival_where_it_fell(make_store):
    days = pd.date_range("2024-01-15", "2026-03-15", freq="MS")
    path = make_store(transactions={"date": days, "amount": [100.0] * len(days)})
    with sf.open(path) as wb:
        frame = sf.sales.trend(wb).set_index("period_start")
    marked = frame.index[frame["event"] == "spring_festival"].strftime("%Y-%m").tolist()
    assert marked == ["2024-02", "2025-01", "2026-02"]
