"""Fixtures shared by all tests: a store made from frames, and the third-party data where it is present."""

from pathlib import Path

import pandas as pd
import pytest

from salesforecast import engine
from salesforecast.schema import TABLES

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """The folder of third-party test data; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("third-party test data is not present beside the checkout")
    return SHARED


@pytest.fixture
def make_store(tmp_path):
    """Return a function that writes canonical frames straight into a new store and returns its path."""

    def write(path=None, **tables):
        path = path or tmp_path / "sales.duckdb"
        with engine.connect(path, write=True) as store:
            for name, frame in tables.items():
                write_frame(store, name, pd.DataFrame(frame))
        return path

    return write


def write_frame(store, name, frame):
    """Append a canonical frame to a table of the store; missing columns become their default or null."""
    frame = frame.reset_index(drop=True)
    store.register("incoming", frame)
    columns = [each for each in TABLES[name].columns if each.name in frame.columns or each.default is not None]
    sources = [f'"{each.name}"' if each.name in frame.columns else f"'{each.default}'" for each in columns]
    store.execute(
        f"INSERT INTO store.{name} ({', '.join(engine.quote(each.name) for each in columns)}, row_key) "
        f"SELECT {', '.join(sources)}, CAST(row_number() OVER () AS VARCHAR) FROM incoming"
    )
