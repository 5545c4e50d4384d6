import numpy as np
import pandas as pd
import pytest

from salesforecast.errors import BadValue
from salesforecast.forecasting import accuracy, leaderboard

ROWS = pd.DataFrame(
    {
        "unique_id": "A", "ds": [1, 2] * 2, "cutoff": 0, "model": ["combination"] * 2 + ["theta"] * 2,
        "mean": [95.0, 105.0, 80.0, 90.0], "naive": [90.0, 90.0] * 2, "y": 100.0, "scale": 10.0, "note": "",
    }
)  # fmt: skip


def test_models_are_ranked_by_their_error_against_the_seasonal_naive_method():
    found = leaderboard(ROWS)
    assert found["model"].tolist() == ["combination", "seasonal_naive", "theta"]
    assert found["rank"].tolist() == [1, 2, 3]
    # Errors 5, 5 against 10, 10; and 20, 10 against 10, 10.
    assert found["skill"].tolist() == pytest.approx([0.5, 0, -0.5])


def test_a_model_is_judged_by_the_rows_it_has():
    # The second series is easy for everybody; theta did not forecast it.
    easy = ROWS.iloc[:2].assign(unique_id="B", mean=100.0, naive=101.0)
    found = leaderboard(pd.concat([ROWS, easy])).set_index("model")
    assert found.loc["theta", "rows"] == 2 and found.loc["theta", "skill"] == pytest.approx(-0.5)
    assert found.loc["combination", "skill"] == pytest.approx(1 - 10 / 22)


def test_ranks_start_anew_in_every_group():
    two = pd.concat([ROWS.assign(region="N"), ROWS.assign(unique_id="B", region="S", mean=100.0)])
    found = leaderboard(two, by="region")
    assert found.groupby("region")["rank"].max().to_dict() == {"N": 3, "S": 3}


def test_a_series_without_scale_has_no_skill_but_a_wape():
    found = leaderboard(ROWS.assign(scale=0.0))
    assert found["skill"].isna().all() and found["wape"].notna().all()


def test_lag_is_another_word_for_step():
    by_lag, by_step = accuracy(ROWS, by="lag"), accuracy(ROWS, by="step")
    assert by_lag["lag"].tolist() == by_step["step"].tolist() == [1, 1, 1, 2, 2, 2]
    with pytest.raises(BadValue, match="has no column 'nowhere'"):
        leaderboard(ROWS, by="nowhere")


def test_many_groups_are_judged_at_once():
    many = pd.concat([ROWS.assign(unique_id=each, y=100.0 + each) for each in range(300)])
    found = accuracy(many, by="unique_id")
    assert len(found) == 900
    alone = accuracy(many[many["unique_id"] == 7])
    numbers = ["wape", "mase", "smape", "bias"]
    np.testing.assert_allclose(found[found["unique_id"] == 7][numbers], alone[numbers])


def test_rows_without_an_outcome_are_left_out():
    rows = pd.DataFrame({"unique_id": "A", "ds": [1, 2], "model": "theta", "mean": 90.0, "cutoff": 0})
    rows = rows.assign(y=[100.0, None], naive=80.0, scale=10.0, lo_80=80.0, hi_80=110.0)
    judged = accuracy(rows).set_index("model").loc["theta"]
    assert judged["rows"] == 1
    assert judged["coverage_80"] == 1.0
    assert judged["smape"] == pytest.approx(2 * 10 / 190)
