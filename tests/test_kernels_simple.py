import numpy as np

from salesforecast.forecasting.models.registry import Batch
from salesforecast.forecasting.models.simple import drift, mean, seasonal_naive


def test_the_simple_forecasters_read_the_end_of_each_history():
    y = np.array([[9, 1, 2, 3, 4, 5], [1, 7, *[np.nan] * 4]]).T
    two = Batch(y, np.array([6, 2]), season=4)

    assert seasonal_naive(two, 5).T.tolist() == [[2, 3, 4, 5, 2], [7, 7, 7, 7, 7]]
    assert mean(two, 2).T.tolist() == [[3.5, 3.5], [4.0, 4.0]]
    assert drift(two, 2)[:, 1].tolist() == [13, 19]
