import datetime as dt
import sqlite3
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from salesforecast import cli, engine
from salesforecast.errors import BadInput, BadValue, UnknownName
from salesforecast.load import import_sql, load_recipe
from salesforecast.load.database import _text

pytest.importorskip("sqlalchemy")
pytestmark = pytest.mark.slow  # needs the extra


@pytest.fixture
def crm(tmp_path):
    """The URL of a SQLite database with 25,000 orders."""
    connection = sqlite3.connect(tmp_path / "crm.db")
    connection.execute("CREATE TABLE orders (no TEXT, order_date TEXT, net REAL, client TEXT)")
    rows = [
        (f"A{each:05}", f"2026-{each % 12 + 1:02}-05", each * 0.5, "甲" if each % 2 else None) for each in range(25_000)
    ]
    connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return f"sqlite:///{tmp_path}/crm.db"


QUERY = "SELECT no AS order_id, order_date, net AS amount, client AS customer FROM orders"


def test_a_query_goes_the_way_of_a_file(crm, tmp_path):
    report = import_sql(crm, QUERY, tmp_path / "sales.duckdb")
    row = report.files.iloc[0]
    assert (row.file, row.table, row["read"], row.stored) == ("query on crm", "transactions", 25_000, 25_000)
    with engine.connect(tmp_path / "sales.duckdb") as store:
        found = store.rows("SELECT sum(amount), count(customer_id), min(order_id), max(date) FROM store.transactions")
    assert found == [(Decimal("156243750.0000"), 12_500, "A00000", dt.date(2026, 12, 5))]


def test_the_same_rows_again_change_nothing(crm, tmp_path):
    import_sql(crm, QUERY, tmp_path / "sales.duckdb")
    again = import_sql(crm, QUERY, tmp_path / "sales.duckdb").files.iloc[0]
    assert (again.stored, "nothing to do" in again.note) == (0, True)


def test_table_and_mapping_settle_what_names_do_not_tell(crm, tmp_path):
    report = import_sql(
        crm, "SELECT no AS a, order_date AS b, net AS c FROM orders LIMIT 9", tmp_path / "sales.duckdb",
        table="transactions", mapping={"order_id": "a", "date": "b", "amount": "c"}, dry_run=True,
    )  # fmt: skip
    assert report.files["read"].tolist() == [9]
    with pytest.raises(UnknownName, match="transactions"):
        import_sql(crm, QUERY, tmp_path / "sales.duckdb", table="transaction")
    with pytest.raises(BadValue, match="Leave one"):
        import_sql(crm, QUERY, tmp_path / "sales.duckdb", table="deals", mapping={"people": {}})


@pytest.mark.parametrize(
    ("url", "query", "says"),
    [
        (None, "DELETE FROM orders", "has to be one SELECT"),
        (None, "/* x */ WITH x AS (SELECT 1) DELETE FROM orders", "readonly database"),
        (None, "SELECT 1; DELETE FROM orders", "one statement"),
        (None, "SELECT * FROM orders WHERE 0", "gives no rows"), (None, "SELECT * FROM nowhere", "no such table"),
        (None, "missing.sql", "cannot be read from missing.sql"),
        ("sqlite:///no/such.db", QUERY, "No SQLite database"), ("env:NO_SUCH_VARIABLE", QUERY, "is not set"),
        ("nonsense", QUERY, "no URL of a database"), ("oracle+nodriver://h/x", QUERY, "No driver"),
    ],
)  # fmt: skip
def test_what_cannot_be_queried_is_refused_and_nothing_is_written(crm, tmp_path, url, query, says):
    with pytest.raises(BadInput, match=says):
        import_sql(url or crm, query, tmp_path / "sales.duckdb")
    assert not (tmp_path / "sales.duckdb").exists()
    with sqlite3.connect(tmp_path / "crm.db") as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (25_000,)
    connection.close()


def test_a_password_appears_nowhere(tmp_path):
    url = "postgresql://li:geheim%21@127.0.0.1:1/crm?sslpassword=hush"
    with pytest.raises(BadInput) as caught:
        import_sql(url, QUERY, tmp_path / "sales.duckdb")
    assert "refused" in str(caught.value) and "li:***@" in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("geheim", "hush"))


def test_a_recipe_repeats_a_query_through_a_variable(crm, tmp_path, monkeypatch):
    monkeypatch.setenv("CRM_URL", crm)
    report = import_sql("env:CRM_URL", QUERY, tmp_path / "sales.duckdb")
    arguments = load_recipe(report.save_recipe(tmp_path / "crm.toml"))
    assert (arguments["url"], arguments["query"]) == ("env:CRM_URL", QUERY)
    assert import_sql(**arguments).files["note"].str.contains("nothing to do").all()


def test_the_command_line_imports_a_query_from_a_file(crm, tmp_path):
    (tmp_path / "orders.sql").write_text(f"-- orders\n{QUERY};\n", encoding="utf-8")
    store = tmp_path / "sales.duckdb"
    done = CliRunner().invoke(
        cli.app, ["import", "--sql", crm, "--query", str(tmp_path / "orders.sql"), "--into", str(store)]
    )
    assert "25,000 stored" in done.output
    wrong = CliRunner().invoke(cli.app, ["import", "--sql", crm, "--into", str(store)])
    assert isinstance(wrong.exception, BadValue)


def test_values_become_the_text_of_an_export():
    at = dt.datetime(2026, 1, 5, 8, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    values = [None, True, 7.0, 0.1, float("nan"), Decimal("1E+3"), at, dt.date(2026, 1, 5), b"x", ["a", 1], "a\0b"]
    assert [_text(value) for value in values] == [
        "", "true", "7", "0.1", "", "1000", "2026-01-05 00:00:00Z", "2026-01-05", "x", "a; 1", "ab",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_real_postgresql_is_read_and_never_written(postgres, tmp_path):
    import psycopg

    with psycopg.connect(postgres) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS shop")
        connection.execute("DROP TABLE IF EXISTS shop.orders")
        connection.execute(
            "CREATE TABLE shop.orders AS SELECT 'A' || i AS order_id, now()::date AS order_date, 1.25 * i AS amount, "
            "'客户' || i % 7 AS customer, timestamptz '2026-01-05 23:30+00' AS at FROM generate_series(1, 30000) AS i"
        )
    query = "SELECT order_id, at AS order_date, amount, customer FROM shop.orders WHERE order_id LIKE 'A%'"
    report = import_sql(postgres, query, tmp_path / "sales.duckdb")
    assert report.files[["read", "stored"]].values.tolist() == [[30_000, 30_000]]
    with engine.connect(tmp_path / "sales.duckdb") as store:
        # 23:30 UTC is the next day in Shanghai.
        found = store.rows("SELECT sum(amount), min(date), count(DISTINCT customer_id) FROM store.transactions")
    assert found == [(Decimal("562518750.0000"), dt.date(2026, 1, 6), 7)]
    with pytest.raises(BadInput, match=r"data-modifying|read-only"):
        import_sql(postgres, "WITH x AS (DELETE FROM shop.orders RETURNING 1) SELECT * FROM x", tmp_path / "b.duckdb")
    with psycopg.connect(postgres) as connection:
        assert connection.execute("SELECT count(*) FROM shop.orders").fetchone() == (30_000,)
