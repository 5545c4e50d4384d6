"""Forecasts of groups add up, and equal published reconciliations."""

import numpy as np
import pandas as pd
import pytest

from salesforecast.errors import BadPanel, BadValue, UnknownName
from salesforecast.forecasting import aggregate, coherent_paths, reconcile
from salesforecast.forecasting.groups import Structure, structure
from salesforecast.forecasting.hierarchy import METHODS, _correlation_factors, project


def sales(**series):
    """Monthly series named region_team, from a list of values each."""
    parts = []
    for name, values in series.items():
        region, team = name.split("_")
        months = pd.date_range("2026-01-01", periods=len(values), freq="MS")
        parts.append(pd.DataFrame({"unique_id": name, "ds": months, "y": values, "region": region, "team": team}))
    return pd.concat(parts, ignore_index=True)


def stated(nodes, means, width=10.0, steps=1):
    """A forecast frame with the same interval width for every series, as `sf.forecast` returns it."""
    ids = list(dict.fromkeys(nodes["unique_id"]))
    rows = [(name, step, means[name]) for name in ids for step in range(steps)]
    frame = pd.DataFrame(rows, columns=["unique_id", "step", "mean"])
    frame["ds"] = pd.to_datetime("2026-" + (frame["step"] + 7).astype(str).str.zfill(2) + "-01")
    frame["lo_80"], frame["hi_80"] = frame["mean"] - width, frame["mean"] + width
    return frame.assign(model="combination", note="")[["unique_id", "ds", "model", "mean", "lo_80", "hi_80", "note"]]


@pytest.fixture
def nodes():
    return aggregate(sales(N_a=[1.0] * 6, N_b=[2.0] * 6, S_c=[3.0] * 6), ["region", "team"])


def published(shared_data, name):
    return pd.read_csv(shared_data / "hierarchical_daily" / f"{name}.csv", index_col=0)


def greykite_tree(shared_data):
    """00 = 10 + 11, 10 = 20 + 21 + 22, 11 = 23 + 24."""
    names = published(shared_data, "expected_ols").columns
    from scipy import sparse

    return Structure(np.array(names), sparse.csr_array(np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 1, 1.0]])))


def test_ols_equals_the_result_of_the_r_package_hts(shared_data):
    base = published(shared_data, "daily_hierarchical_forecasts").to_numpy().T
    made = project(base, greykite_tree(shared_data), np.ones(8))
    assert np.allclose(made.T, published(shared_data, "expected_ols"), rtol=0, atol=1e-9)


def test_mint_with_the_sample_covariance_equals_the_result_of_the_r_package_hts(shared_data):
    forecasts = published(shared_data, "daily_hierarchical_forecasts")
    errors = (published(shared_data, "daily_hierarchical_actuals") - forecasts).to_numpy()
    made = project(forecasts.to_numpy().T, greykite_tree(shared_data), np.zeros(8), errors.T / np.sqrt(len(errors)))
    assert np.allclose(made.T, published(shared_data, "expected_mint"), rtol=0, atol=1e-9)


def test_low_rank_projection_equals_the_textbook_formula():
    random = np.random.default_rng(1)
    tree = structure(aggregate(sales(N_a=[1.0], N_b=[2.0], S_c=[3.0]), ["region", "team"]))
    summing = tree.add_up(np.eye(3))
    base, factors = random.normal(size=(6, 4)), random.normal(size=(6, 2))
    variances = np.array([4.0, 2.0, 1.0, 1.0, 3.0, 0.5])
    inverse = np.linalg.inv(np.diag(variances) + factors @ factors.T)
    textbook = summing @ np.linalg.solve(summing.T @ inverse @ summing, summing.T @ inverse @ base)
    assert np.allclose(project(base, tree, variances, factors), textbook)


def test_groups_of_a_nested_hierarchy(nodes):
    first = nodes.drop_duplicates("unique_id")
    assert first["unique_id"].tolist() == ["total", "N", "S", "N/a", "N/b", "S/c"]
    assert first["level"].tolist() == ["total", "region", "region", "region/team", "region/team", "region/team"]
    assert first["y"].tolist() == [6.0, 3.0, 3.0, 1.0, 2.0, 3.0]
    assert first["team"].tolist() == ["*", "*", "*", "a", "b", "c"]


def test_crossed_groups_have_their_own_sums():
    crossed = sales(N_a=[1.0], N_b=[2.0], S_a=[3.0])
    first = aggregate(crossed, ["region", "team"], levels=[["region"], ["team"]])
    assert dict(zip(first["unique_id"], first["y"], strict=True)) == {
        "total": 6.0, "N": 3.0, "S": 3.0, "*/a": 4.0, "*/b": 2.0, "N/a": 1.0, "N/b": 2.0, "S/a": 3.0,
    }  # fmt: skip


def test_a_series_that_ended_counts_as_zero_until_the_common_end():
    nodes = aggregate(sales(N_a=[1.0, 1.0, 1.0], N_b=[5.0]), ["region", "team"])
    assert nodes.loc[nodes["unique_id"] == "N/b", "y"].tolist() == [5.0, 0.0, 0.0]
    assert nodes.loc[nodes["unique_id"] == "total", "y"].tolist() == [6.0, 1.0, 1.0]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_adds_up(nodes, method):
    base = stated(nodes, {"total": 12.0, "N": 4.0, "S": 5.0, "N/a": 1.0, "N/b": 2.0, "S/c": 4.0}, steps=2)
    made = reconcile(base, nodes, method=method).pivot(index="ds", columns="unique_id", values="mean")
    assert np.allclose(made["total"], made["N"] + made["S"])
    assert np.allclose(made["N"], made["N/a"] + made["N/b"])
    assert np.allclose(made["S"], made["S/c"])


def test_bottom_up_and_top_down_keep_their_end(nodes):
    means = {"total": 14.0, "N": 4.0, "S": 5.0, "N/a": 1.0, "N/b": 2.0, "S/c": 4.0}
    up = reconcile(stated(nodes, means), nodes, method="bottom_up").set_index("unique_id")["mean"]
    down = reconcile(stated(nodes, means), nodes, method="top_down").set_index("unique_id")["mean"]
    assert up.to_dict() == {"total": 7.0, "N": 3.0, "S": 4.0, "N/a": 1.0, "N/b": 2.0, "S/c": 4.0}
    assert down.to_dict() == {"total": 14.0, "N": 6.0, "S": 8.0, "N/a": 2.0, "N/b": 4.0, "S/c": 8.0}


def test_the_better_known_series_moves_less(nodes):
    base = stated(nodes, {"total": 12.0, "N": 3.0, "S": 3.0, "N/a": 1.0, "N/b": 2.0, "S/c": 3.0}, width=1.0)
    sure = base["unique_id"] == "total"
    base.loc[sure, ["lo_80", "hi_80"]] = [11.9, 12.1]
    made = reconcile(base, nodes).set_index("unique_id")["mean"]
    assert 11.9 < made["total"] < 12.0


def test_amounts_never_negative_are_not_forecast_below_zero(nodes):
    base = stated(nodes, {"total": 1.0, "N": 1.0, "S": 0.0, "N/a": 3.0, "N/b": 2.0, "S/c": 0.0})
    made = reconcile(base, nodes).set_index("unique_id")
    assert (made[["mean", "lo_80"]] >= 0).all(axis=None)
    assert made.loc["total", "mean"] == pytest.approx(made.loc[["N/a", "N/b", "S/c"], "mean"].sum())


def test_losses_may_be_forecast():
    nodes = aggregate(sales(N_a=[-1.0] * 6, N_b=[-2.0] * 6), ["region", "team"])
    made = reconcile(stated(nodes, {"total": -3.0, "N": -3.0, "N/a": -1.0, "N/b": -2.0}), nodes)
    assert made["mean"].tolist() == pytest.approx([-3.0, -3.0, -1.0, -2.0])


def test_intervals_contain_the_forecast_and_repeat(nodes):
    base = stated(nodes, {"total": 60.0, "N": 30.0, "S": 30.0, "N/a": 10.0, "N/b": 20.0, "S/c": 30.0}, steps=3)
    made = reconcile(base, nodes, seed=3)
    assert (made["lo_80"] < made["mean"]).all() and (made["mean"] < made["hi_80"]).all()
    pd.testing.assert_frame_equal(made, reconcile(base.sample(frac=1, random_state=0), nodes, seed=3))


def test_paths_add_up_and_depend_from_month_to_month(nodes):
    base = stated(nodes, {"total": 60.0, "N": 30.0, "S": 30.0, "N/a": 10.0, "N/b": 20.0, "S/c": 30.0}, steps=2)
    paths = coherent_paths(base, nodes, paths=400).pivot(index=["path", "ds"], columns="unique_id", values="y")
    assert np.allclose(paths["total"], paths["N/a"] + paths["N/b"] + paths["S/c"])
    by_month = paths["total"].unstack("ds")
    assert by_month.corr().iloc[0, 1] > 0.3


def errors_of(nodes, errors):
    """A backtest in which every forecast was 100 and missed by `errors` (rows: cutoffs, columns: series)."""
    ids = list(dict.fromkeys(nodes["unique_id"]))
    cutoffs = pd.date_range("2020-01-01", periods=len(errors), freq="MS")
    frame = pd.DataFrame(errors, index=cutoffs, columns=ids).rename_axis("cutoff").reset_index()
    frame = frame.melt("cutoff", var_name="unique_id", value_name="error")
    return frame.assign(
        ds=frame["cutoff"] + pd.DateOffset(months=1), model="combination", mean=100.0, lo_80=90.0, hi_80=110.0,
        y=100.0 + frame["error"],
    )  # fmt: skip


def test_regions_that_fail_together_widen_the_interval_of_the_total(nodes):
    random = np.random.default_rng(0)
    common, own = random.normal(size=(60, 1)) * 8, random.normal(size=(60, 6)) * 8
    base = stated(nodes, {"total": 600.0, "N": 300.0, "S": 300.0, "N/a": 100.0, "N/b": 200.0, "S/c": 300.0})
    width = {}
    for name, errors in (("together", common + 0.1 * own), ("alone", own)):
        made = reconcile(base, nodes, errors_of(nodes, errors), method="bottom_up").set_index("unique_id")
        width[name] = made.loc["total", "hi_80"] - made.loc["total", "lo_80"]
    assert width["together"] > 1.4 * width["alone"]


def test_errors_of_chance_are_shrunk_away_and_real_ones_stay():
    random = np.random.default_rng(2)
    noise = random.normal(size=(12, 40))
    factor = random.normal(size=(12, 1)) + 0.3 * random.normal(size=(12, 40))
    assert (_correlation_factors(noise) ** 2).sum(axis=1).max() < 0.35
    assert (_correlation_factors(factor) ** 2).sum(axis=1).min() > 0.8


def test_a_single_group_is_left_as_it_is():
    nodes = aggregate(sales(N_a=[1.0] * 6), ["region"])
    made = reconcile(stated(nodes, {"total": 4.0, "N": 4.0}), nodes)
    assert made["mean"].tolist() == pytest.approx([4.0, 4.0])


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda panel: panel.drop(columns="team"), BadPanel, "no column team"),
        (lambda panel: panel.drop(index=1), BadPanel, "fill_gaps"),
        (lambda panel: panel.assign(team="x"), BadPanel, "share one combination"),
        (lambda panel: panel.assign(region="*"), BadPanel, "Rename"),
    ],
)
def test_a_panel_that_makes_no_tree_is_refused(change, error, says):
    panel = sales(N_a=[1.0, 1.0, 1.0], N_b=[2.0, 2.0, 2.0])
    with pytest.raises(error, match=says):
        aggregate(change(panel), ["region", "team"])


def test_a_wrong_argument_is_refused(nodes):
    with pytest.raises(UnknownName, match="column of the hierarchy"):
        aggregate(sales(N_a=[1.0]), ["region", "team"], levels=[["city"]])
    with pytest.raises(BadValue, match="by is empty"):
        aggregate(sales(N_a=[1.0]), [])
    base = stated(nodes, {"total": 6.0, "N": 3.0, "S": 3.0, "N/a": 1.0, "N/b": 2.0, "S/c": 3.0})
    with pytest.raises(UnknownName, match="mint_shrink"):
        reconcile(base, nodes, method="mint")
    with pytest.raises(BadPanel, match="'S/c' has no mean"):
        reconcile(base[base["unique_id"] != "S/c"], nodes)
    with pytest.raises(BadValue, match="no interval"):
        reconcile(base.drop(columns=["lo_80", "hi_80"]), nodes)
