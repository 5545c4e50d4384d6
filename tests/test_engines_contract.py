"""The contract of engines: every query of the package answers the same on DuckDB, PostgreSQL and Spark.

The queries are not listed here: the analyses run on the synthetic company, and what they ask is recorded and asked
again elsewhere. A query that no call below reaches fails the first test.
"""

import ast
import contextlib
import inspect
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import salesforecast as sf
from salesforecast import demo, engine, measures, warehouse
from salesforecast.analysis import comparison, deviations, goals, price, progress, quality, records, series, targets
from salesforecast.errors import NoData, SalesforecastError, UnknownName
from salesforecast.present import Show
from salesforecast.schema import TABLES
from salesforecast.settings import Settings
from salesforecast.workbench import SCOPES

pytestmark = pytest.mark.slow
PACKAGE = Path(sf.__file__).parent
ASKING = ("load/rules.py", "workbench", "measures.py", "forecasting", "analysis", "present", "publish")
VIEWS = [
    {},
    {"scope": {"team": "华东一部", "category": "变频器"}},
    {"scope": {"currency": "USD"}, "settings": Settings()},
    {"basis": "payment", "as_of": "2026-06-30"},
]
# What no export of the synthetic company has: foreign money, lines without keys, awkward texts, a column of one's own.
ADDED = r"""
    ALTER TABLE store.transactions ADD COLUMN "x_备注 1" VARCHAR;
    INSERT INTO store.transactions (txn_id, txn_type, date, amount, quantity, cost_amount, currency, status, region,
        customer_id, person_id, product_id, order_id, "x_备注 1", row_key, source_row) VALUES
        ('a', 'order', '2026-10-08', 1000.0050, 3, 7, 'USD', 'valid', '华东', 'o''n\', 'P1', 'none', NULL, '', 'a', 1),
        ('b', 'order', '2026-10-09', 0.3333, 0, NULL, 'USD', NULL, NULL, 'Ä', NULL, NULL, 'B-1', '"', 'b', 2),
        ('c', 'order', '2025-10-09', 999999999.9999, 7, 1, 'JPY', 'valid', 'a', 'ä', '李明', NULL, NULL, NULL, 'c', 3),
        ('d', 'shipment', '2026-10-09', 50, 2, 1, 'USD', 'valid', 'Z', 'z', NULL, NULL, NULL, 'x', 'd', 4),
        ('e', 'return', '2026-10-10', 5, 1, 1, 'USD', 'valid', NULL, 'z', NULL, NULL, 'B-1', NULL, 'e', 5),
        ('f', 'order', '1901-01-01', 5, 1, 1, 'CNY', 'valid', NULL, 'z', NULL, NULL, NULL, NULL, 'f', 6),
        ('g', 'order', '2027-01-01', 5, 1, 1, 'CNY', 'pending', NULL, 'z', NULL, NULL, NULL, NULL, 'g', 7);
    INSERT INTO store.measurements (measure, scope_type, scope_id, grain, period_start, value, row_key) VALUES
        ('fx_rate', 'currency', 'usd', 'month', '2024-01-01', 7.1, 'r1'),
        ('fx_rate', 'currency', 'USD', 'month', '2026-10-01', 7.123456, 'r2');
    INSERT INTO store.customers (customer_id, name, row_key, source_row) VALUES
        ('k1', '同名（北京）有限公司', 'k1', 1), ('k2', '同名(北京)有限公司', 'k2', 2);
    INSERT INTO store.targets (measure, scope_type, scope_id, grain, period_start, value, row_key) VALUES
        ('quantity', 'region', '华东', 'month', '2026-10-01', 10, 't1');
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    demo.write_exports(demo.company(lines=2000), folder)
    sf.import_files([folder], into=folder / "sales.duckdb")
    with engine.connect(folder / "sales.duckdb", write=True) as opened:
        opened.execute(ADDED)
    return folder / "sales.duckdb"


@pytest.fixture(scope="module")
def recorded(store):
    """What every view of the store was asked: a list of {(query, parameters): None}, and the lines that asked."""
    asked, lines = [], set()
    for view in VIEWS:
        found = {}
        with pytest.MonkeyPatch.context() as patch:
            for name in ("rows", "frame"):
                patch.setattr(engine.Engine, name, noted(getattr(engine.Engine, name), found, lines))
            with sf.open(store, **view) as wb:
                ask(wb, everything=not asked)
        asked.append(found)
    with contextlib.suppress(NoData), pytest.MonkeyPatch.context() as patch:  # the queries of an empty store
        patch.setattr(engine.Engine, "rows", noted(engine.Engine.rows, {}, lines))
        engine.connect(store.with_name("empty.duckdb"), write=True).close()
        sf.open(store.with_name("empty.duckdb"))
    with contextlib.suppress(UnknownName), pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.Engine, "rows", noted(engine.Engine.rows, asked[0], lines))
        sf.open(store, scope={"region": "nowhere"})
    return asked, lines


def noted(method, found, lines):
    """Return a method of an engine that also remembers what it is asked, and by which lines of the package."""

    def ask(self, sql, params=None):
        caller = sys._getframe(1)
        if caller.f_code.co_filename != engine.__file__:  # what the engine asks itself is its own affair
            found.setdefault((sql, tuple((params or {}).items())))
            while caller:
                lines.add((caller.f_code.co_filename, caller.f_lineno))
                caller = caller.f_back
        return method(self, sql, params)

    return ask


def ask(wb, everything=True):
    """Call what reaches every query of the package; the forecasts themselves ask nothing that is not here.

    What the views contain decides the rest, so narrower views are asked a few questions only.
    """
    summable = [name for name, each in measures.MEASURES.items() if each.sql]
    views = [
        *(partial(wb.table, name) for name in TABLES),
        partial(measures.values, wb, summable, by=["team", "category"], grain="month"),
        partial(measures.values, wb, summable, by=["currency", "region"]),
        lambda: wb.exclusions,
        lambda: Show(wb),
    ]
    calls = [*views, *analyses(wb)] if everything else views
    for call in calls:
        with contextlib.suppress(NoData):  # a narrow scope lacks this and that
            call()


def analyses(wb):
    dimensions = ["region", "channel", "person_id", "customer_id", "product_id", "category", "team", "currency"]
    summable = [name for name, each in measures.MEASURES.items() if each.sql]
    period = wb.period("2026-10")
    return [
        *(partial(wb.members, kind) for kind in SCOPES),
        partial(wb.names, "people", "person_id"),
        *(partial(measures.values, wb, summable, by=by) for by in dimensions),
        *(partial(measures.values, wb, summable, grain=grain) for grain in ("day", "week", "quarter", "year")),
        partial(measures.values, wb, summable, by="x_备注 1", start="2026-01-01", end="2026-10-31"),
        partial(sf.panel, wb, "revenue", by=["region", "channel"]),
        partial(comparison.totals, wb, summable, comparison.spans(wb, period), ["region"]),
        partial(sf.sales.kpis, wb, period),
        *(partial(sf.sales.findings, wb, wb.period(each)) for each in ("2025-03", "2026-06", "2026-10")),
        partial(sf.market.members, wb, period, "team"),
        partial(sf.market.concentration, wb, period, "customer"),
        partial(deviations.scan, wb, period),
        partial(price.price_index, wb, period),
        partial(goals.period_target, wb, period),
        partial(goals.period_target, wb, period, "quantity"),
        partial(targets.attainment, wb, period),
        partial(progress.daily_values, wb, "revenue", period.start, period.end),
        partial(series.series, wb, "orders"),
        *(partial(each, wb) for room in (quality, records) for each in needing_nothing_else(room)),
        partial(quality.findings, wb, period),
        partial(sf.archive.archived, wb),
    ]


def needing_nothing_else(room):
    """Return the public functions of a module that can be called with a workbench alone."""
    for name, each in inspect.getmembers(room, inspect.isfunction):
        first, *others = inspect.signature(each).parameters.values() or [None]
        own = each.__module__ == room.__name__ and not name.startswith("_")
        if own and first and first.name == "wb" and all(other.default is not other.empty for other in others):
            yield each


def test_every_query_of_the_package_is_asked(recorded):
    _, lines = recorded
    missed = [
        f"{path.relative_to(PACKAGE)}:{call.lineno}"
        for room in ASKING
        for path in ([PACKAGE / room] if room.endswith(".py") else sorted((PACKAGE / room).rglob("*.py")))
        for call in queries(path)
        if not any((str(path), line) in lines for line in range(call.lineno, call.end_lineno + 1))
    ]
    assert missed == []


def queries(path):
    """Return the calls of `sql`, and of `frame` and `rows` of an engine, in a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            holder = getattr(node.func.value, "attr", getattr(node.func.value, "id", ""))
            if node.func.attr == "sql" or (node.func.attr in ("rows", "frame") and holder in ("engine", "store")):
                yield node


@pytest.fixture(scope="module")
def in_postgres(store, postgres):
    address = f"{postgres}&schema=crm"
    copied = warehouse.copy_store(store, address)
    assert copied["transactions"] > 4000
    return address


@pytest.fixture(scope="module")
def in_spark(store, spark_session, tmp_path_factory):
    address = f"spark:{tmp_path_factory.mktemp('lake')}"
    warehouse.copy_store(store, address)
    return address


@pytest.mark.parametrize("where", ["in_postgres", "in_spark"])
@pytest.mark.parametrize("place", range(len(VIEWS)))
def test_every_query_answers_the_same(where, place, store, recorded, request):
    asked, _ = recorded
    address = request.getfixturevalue(where)
    with sf.open(store, **VIEWS[place]) as here, sf.open(address, **VIEWS[place]) as there:
        wrong = [
            f"{difference}\n    {' '.join(sql.split())} {dict(params)}"
            for sql, params in asked[place]
            for difference in differences(here.engine, there.engine, sql, dict(params))
        ]
    assert len(asked[place]) > 20
    assert wrong == [], f"{len(wrong)} of {len(asked[place])}:\n" + "\n".join(wrong[:10])


def differences(here, there, sql, params):
    """Yield what differs; ordered queries are compared row by row, money and ratios to one part in a billion."""
    try:
        expected, found = here.frame(sql, params), there.frame(sql, params)
    except SalesforecastError as error:
        yield str(error)
        return
    if expected.shape != found.shape:
        yield f"{expected.shape} became {found.shape}"
        return
    found.columns = expected.columns = [
        left if left.startswith("count") or "(" in left else right
        for left, right in zip(expected.columns, found.columns, strict=True)
    ]
    if "ORDER BY" not in sql.rpartition(")")[2]:
        expected, found = in_order(expected), in_order(found)
    for column in expected.columns:
        left, right = expected[column], found[column]
        if pd.api.types.is_numeric_dtype(left) and pd.api.types.is_numeric_dtype(right):
            left, right = (each.to_numpy("float64", na_value=np.nan) for each in (left, right))
            same = np.isclose(left, right, rtol=1e-9, atol=0, equal_nan=True)
        else:
            same = ((left == right) | (left.isna() & right.isna())).to_numpy(dtype=bool, na_value=False)
        if not same.all():
            at = int(np.flatnonzero(~same)[0])
            rows = f"{expected.iloc[at].tolist()} became {found.iloc[at].tolist()}"
            yield f"{column}, row {at} of {len(expected)}: {rows}"


def in_order(frame):
    """Return the rows in an order that rounding of numbers does not change."""
    texts = pd.DataFrame(
        {
            place: frame.iloc[:, place].map(lambda each: f"{each:.6g}" if isinstance(each, float) else str(each))
            for place in range(frame.shape[1])
        }
    )
    return frame.iloc[texts.sort_values(list(texts)).index].reset_index(drop=True) if len(texts.columns) else frame
