"""Real exports nobody made for us: totals are those published with the files (SOURCE.md beside each)."""

import pytest

from salesforecast import engine
from salesforecast.load import import_files

FIGURES = "count(*), sum(amount), sum(quantity), count(DISTINCT order_id), min(date)::VARCHAR, max(date)::VARCHAR"

# lines, sales, quantity, orders, first day, last day, profit
NEW_EDITION = (10_194, 2_326_534.3543, 38_654, 5_111, "2019-01-03", "2022-12-30", 292_296.8146)
CLASSIC_EDITION = (9_994, 2_297_200.8603, 37_873, 5_009, "2016-01-03", "2019-12-30", 286_397.0217)


@pytest.fixture
def figures(tmp_path, shared_data):
    """Import paths of the third-party data; return the report and a function for queries."""

    def load(*paths, **options):
        report = import_files([shared_data / path for path in paths], tmp_path / "s.duckdb", **options)
        assert (report.files["read"] == report.files[["stored", "rejected", "excluded"]].sum(axis=1)).all()

        def rows(sql):
            with engine.connect(tmp_path / "s.duckdb") as store:
                return store.rows(sql)

        return report, rows

    return load


def test_the_chinese_workbook(figures):
    report, rows = figures("superstore_cn/superstore_cn.xls")
    ((count, amount, quantity, orders, first, last),) = rows(f"SELECT {FIGURES} FROM store.transactions")
    assert (count, quantity, orders, first, last) == (10_000, 37_675, 2_773, "2014-01-01", "2017-12-30")
    assert float(amount) == pytest.approx(16_117_548.237, abs=0.01)
    ((profit, regions, customers),) = rows(
        "SELECT sum(amount - cost_amount), count(DISTINCT region), count(DISTINCT customer_id) FROM store.transactions"
    )
    assert float(profit) == pytest.approx(2_156_559.517, abs=0.05)
    assert (regions, customers) == (6, 790)
    assert rows("SELECT count(*) FROM store.customers") == [(790,)]
    assert rows("SELECT count(*) FROM store.people") == [(6,)]
    assert "退货 is not imported" in report.warnings[0]


def test_the_chinese_csv_files_in_three_encodings(figures):
    report, rows = figures("superstore_cn/*.csv")
    assert rows("SELECT count(*) FROM store.transactions") == [(3_000,)]
    assert rows("SELECT DISTINCT customer_id FROM store.transactions WHERE customer_id LIKE '曾惠%'") == [
        ("曾惠-14485",)
    ]
    assert report.files["rejected"].sum() == 0


@pytest.mark.parametrize(
    ("path", "count", "amount", "quantity", "orders", "first", "last", "profit"),
    [
        ("sample_superstore.xls", *NEW_EDITION),
        ("sample_superstore_orders.csv.gz", *NEW_EDITION),
        ("superstore_classic_9994_orders.csv.gz", *CLASSIC_EDITION),
    ],
)  # fmt: skip
def test_the_american_editions_with_day_first_and_month_first_dates(
    figures, path, count, amount, quantity, orders, first, last, profit
):
    _, rows = figures(f"superstore_us/{path}")
    ((*found, total, gained),) = rows(
        "SELECT count(*), sum(quantity), count(DISTINCT order_id), min(date)::VARCHAR, max(date)::VARCHAR, "
        "sum(amount), sum(amount - cost_amount) FROM store.transactions"
    )
    assert found == [count, quantity, orders, first, last]
    assert float(total) == pytest.approx(amount, abs=0.001)
    assert float(gained) == pytest.approx(profit, abs=0.05)


def test_order_lines_joined_with_their_orders(figures):
    report, rows = figures("northwind")
    ((count, amount, _, orders, first, last),) = rows(f"SELECT {FIGURES} FROM store.transactions")
    assert (count, orders, first, last) == (2_155, 830, "1996-07-04", "1998-05-06")
    assert float(amount) == pytest.approx(1_265_793.0395, abs=0.001)
    assert rows("SELECT CAST(sum(list_amount) AS DOUBLE), count(DISTINCT customer_id), count(DISTINCT person_id) "
                "FROM store.transactions") == [(pytest.approx(1_354_458.59, abs=0.001), 89, 9)]  # fmt: skip
    assert [rows(f"SELECT count(*) FROM store.{each}")[0][0] for each in ("customers", "people", "products")] == [
        91,
        9,
        77,
    ]
    assert len(report.warnings) == 6  # categories, suppliers, shippers, region, territories, employee_territories


def test_day_first_orders_blank_lines_and_month_targets(figures):
    report, rows = figures("ecommerce_india_targets")
    ((count, amount, quantity, orders, first, last),) = rows(f"SELECT {FIGURES} FROM store.transactions")
    assert (count, amount, quantity, orders, first, last) == (1_500, 431_502, 5_615, 500, "2018-04-01", "2019-03-31")
    assert rows("SELECT sum(amount - cost_amount) FROM store.transactions") == [(23_955,)]
    assert rows(
        "SELECT count(*), sum(value), min(period_start)::VARCHAR, max(period_start)::VARCHAR FROM store.targets"
    ) == [(36, 435_900, "2018-04-01", "2019-03-01")]
    attained = rows(
        "SELECT scope_id, round(100 * (SELECT sum(amount) FROM store.transactions AS t "
        "WHERE t.category = scope_id) / sum(value), 2) FROM store.targets "
        "WHERE scope_type = 'category' GROUP BY 1 ORDER BY 1"
    )
    assert attained == [("Clothing", 79.92), ("Electronics", 128.11), ("Furniture", 95.70)]
    assert report.files["rejected"].sum() == 0
