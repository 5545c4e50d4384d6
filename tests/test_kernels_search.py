import numpy as np

from salesforecast.forecasting.models.search import laid_out, lanes, over_time, search, stretches


def line(y):
    """Residuals of y = a + b·t for every lane, and the parameters as state."""
    time = np.arange(len(y))[:, None, None]
    return lambda p: (y[:, None, :] - p[0] - p[1] * time, p.copy())


def test_a_linear_model_is_solved():
    y = 2 + 0.5 * np.arange(10.0)[:, None] + np.array([0.0, 1.0])

    fit = search(line(y), lanes([0.0], [0.0]), [-9, -9], [9, 9], series=2, rounds=12)

    np.testing.assert_allclose(fit.parameters, [[2.0, 3.0], [0.5, 0.5]], atol=1e-5)
    np.testing.assert_allclose(fit.loss, 0, atol=1e-8)
    np.testing.assert_allclose(fit.state, fit.parameters)


def test_parameters_stay_within_their_bounds():
    y = 2 + 0.5 * np.arange(10.0)[:, None]

    fit = search(line(y), lanes([0.0], [0.0]), [-9, 0], [9, 0.2], series=1, rounds=8)

    assert fit.parameters[1, 0] == 0.2
    np.testing.assert_allclose(fit.parameters[0, 0], y.mean() - 0.2 * 4.5, atol=1e-4)


def test_a_parameter_with_equal_bounds_stays_where_the_grid_has_it():
    y = 2 + 0.5 * np.arange(10.0)[:, None]

    fit = search(line(y), lanes([0.0], [0.1]), [-9, 0.1], [9, 0.1], series=1, rounds=8)

    assert fit.parameters[1, 0] == 0.1


def test_a_grid_of_each_series_own_is_taken():
    y = 2 + 0.5 * np.arange(10.0)[:, None] + np.array([0.0, 1.0])
    grid = np.array([[[0.0, 3.0]], [[0.0, 0.5]]])

    fit = search(line(y), grid, [-9, -9], [9, 9], series=2, rounds=0)

    assert fit.parameters.tolist() == [[0.0, 3.0], [0.0, 0.5]]
    assert fit.loss[1] == 0


def test_a_series_that_cannot_be_filtered_has_an_infinite_loss_and_harms_no_other():
    y = 2 + 0.5 * np.arange(10.0)[:, None] + np.array([0.0, 0.0])
    broken = y.copy()
    broken[3, 1] = np.nan
    with np.errstate(all="ignore"):
        fit = search(line(broken), lanes([0.0], [0.0]), [-9, -9], [9, 9], series=2, rounds=5)
    alone = search(line(y[:, :1]), lanes([0.0], [0.0]), [-9, -9], [9, 9], series=1, rounds=5)

    assert fit.loss[1] == np.inf
    assert fit.parameters[:, 0].tolist() == alone.parameters[:, 0].tolist()


def test_a_parameter_without_effect_does_not_stop_the_others():
    y = np.full((10, 1), 3.0)

    fit = search(lambda p: (y[:, None, :] - p[0], p), lanes([0.0], [0.5]), [-9, 0], [9, 1], series=1, rounds=8)

    np.testing.assert_allclose(fit.parameters.ravel(), [3.0, 0.5], atol=1e-6)


def test_stretches_end_where_series_end():
    found = list(stretches(np.array([6, 4, 4, 1])))

    assert found == [(0, 1, slice(3, 4)), (1, 4, slice(1, 3)), (4, 6, slice(0, 1))]


def test_a_sum_over_time_is_the_same_to_the_last_digit_for_one_series_as_for_many():
    values = np.random.default_rng(1).normal(size=(1000, 5))

    assert over_time(values[:, :1])[0] == over_time(values)[0]


def test_values_are_laid_out_for_every_lane_and_ended_series():
    out = laid_out(np.array([[1.0, 2.0], [3.0, np.nan]]), np.array([2, 1]), 3, ended=1.0)

    assert out.shape == (2, 3, 2)
    assert out[1, 2].tolist() == [3.0, 1.0]
