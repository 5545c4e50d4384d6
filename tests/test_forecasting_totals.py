import numpy as np
import pandas as pd

from salesforecast.forecasting import total

MONTHS = pd.DataFrame(
    {"unique_id": "A", "ds": [1, 2], "model": "theta", "mean": 100.0, "lo_80": 80.0, "hi_80": 120.0, "note": ""}
)
SKEWED = MONTHS.assign(lo_80=90.0, hi_80=140.0)


def test_one_period_keeps_its_own_interval():
    found = total(SKEWED.iloc[:1], level=80).iloc[0]
    assert [found["lo_80"], found["mean"], found["hi_80"]] == [90, 100, 140]


def test_the_sum_is_surer_than_the_sum_of_its_bounds_and_less_sure_than_independence():
    width = total(MONTHS, level=80).eval("hi_80 - lo_80").item()
    assert 40 * 2**0.5 < width < 80


def test_a_forecast_that_may_turn_out_much_higher_has_such_a_sum():
    found = total(SKEWED, level=80).iloc[0]
    assert found["hi_80"] - 200 > 2 * (200 - found["lo_80"])
    chances = [total(SKEWED, target=target)["p_reach"].item() for target in (170.0, 200.0, 260.0, 400.0)]
    assert chances == sorted(chances, reverse=True) and 0 < chances[-1] < chances[0] < 1


def test_what_is_certain_is_reached_or_not():
    certain = MONTHS.assign(lo_80=100.0, hi_80=100.0)
    assert [total(certain, target=each)["p_reach"].item() for each in (200.0, 200.1)] == [1.0, 0.0]
    assert np.isnan(total(certain)["p_reach"].item())


def test_each_series_has_its_own_target_and_the_neighbours_change_nothing():
    both = pd.concat([MONTHS, SKEWED.assign(unique_id="B")])
    found = total(both, target={"B": 230.0}).set_index("unique_id")
    assert np.isnan(found.loc["A", "p_reach"])
    alone = total(SKEWED.assign(unique_id="B"), target=230.0).set_index("unique_id")
    pd.testing.assert_frame_equal(found.loc[["B"]], alone, check_exact=True)


def test_member_rows_take_no_part():
    members = MONTHS.assign(model="combination")
    assert total(pd.concat([members, MONTHS.assign(mean=1e6)]))["mean"].item() == 200
