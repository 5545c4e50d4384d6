"""What a query means on DuckDB, it means elsewhere, or it is refused."""

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pytest

from salesforecast.errors import BadValue

pytest.importorskip("sqlglot")
pytestmark = pytest.mark.slow  # needs the extras

from salesforecast.warehouse.dialect import check, output_names, translate  # noqa: E402


def both(query, **params):
    """Return a query as PostgreSQL and as Spark, quotes of names left out."""
    return [translate(query, name, params).replace('"', "").replace("`", "") for name in ("postgres", "spark")]


def test_whole_numbers_divide_into_fractions_and_by_zero_into_nothing():
    postgres, spark = both("SELECT count(*) / 2, a / b / c FROM t")
    assert spark == (
        "SELECT CAST(COUNT(*) AS DOUBLE) / 2, CAST((CAST(a AS DOUBLE) / NULLIF(b, 0)) AS DOUBLE) / NULLIF(c, 0) FROM t"
    )
    assert postgres == spark.replace("DOUBLE", "DOUBLE PRECISION")


def test_means_are_not_rounded_to_decimals():
    assert both("SELECT avg(amount) FROM t")[1] == "SELECT AVG(CAST(amount AS DOUBLE)) FROM t"


def test_the_sum_of_nothing_is_nothing():
    assert both("SELECT sum(NULL) FROM t")[1] == "SELECT SUM(CAST(NULL AS DOUBLE)) FROM t"


def test_missing_values_sort_last_in_both_directions():
    assert both("SELECT a FROM t ORDER BY a, b DESC") == [
        "SELECT a FROM t ORDER BY a, b DESC NULLS LAST", "SELECT a FROM t ORDER BY a NULLS LAST, b DESC",
    ]  # fmt: skip


def test_group_by_all_names_what_is_no_aggregate():
    query = "SELECT a, sum(b) FILTER (WHERE c) + 1, sum(b) OVER (), (SELECT max(d) FROM u), e + 1 FROM t GROUP BY ALL"
    assert both(query)[0].endswith("FROM t GROUP BY 1, 3, 4, 5")
    assert both("SELECT sum(a) FROM t GROUP BY ALL")[0] == "SELECT SUM(a) FROM t"
    assert both("SELECT a, b FROM t UNION ALL SELECT 1, 2 ORDER BY ALL DESC")[0].endswith(
        "ORDER BY 1 DESC NULLS LAST, 2 DESC NULLS LAST"
    )


def test_names_keep_their_meaning():
    assert translate('SELECT Amount AS "Total", "x_备注" FROM Sales', "postgres") == (
        'SELECT "amount" AS "Total", "x_备注" FROM "sales"'
    )
    assert output_names("SELECT Amount AS Total FROM Sales") == ["Total"]
    assert translate("SELECT people.name FROM store.people", "spark") == (
        "SELECT `people`.`name` FROM `store_people` AS `people`"
    )


@pytest.mark.parametrize(
    ("value", "postgres"),
    [
        ("O'Neill\\", "'O''Neill\\'"),
        ("'; DROP TABLE t --", "'''; DROP TABLE t --'"),
        (dt.date(2026, 1, 31), "CAST('2026-01-31' AS DATE)"),
        (pd.Timestamp("2026-01-31 08:00"), "CAST('2026-01-31 08:00:00' AS TIMESTAMP)"),
        (np.int64(3), "3"),
        (np.float64(0.5), "0.5"),
        (decimal.Decimal("1.10"), "1.10"),
        (True, "TRUE"),
        (None, "NULL"),
        (-1, "-1"),
    ],
)
def test_parameters_become_literals(value, postgres):
    assert both("SELECT $a", a=value)[0] == f"SELECT {postgres}"


def test_backslashes_stay_themselves():
    assert both("SELECT $a", a="O'Neill\\")[1] == "SELECT 'O\\'Neill\\\\'"
    assert both("SELECT a LIKE 'x\\_%' FROM t")[0] == "SELECT a LIKE 'x\\\\_%' FROM t"


def test_a_parameter_that_is_not_given_or_no_value_is_named():
    with pytest.raises(BadValue, match=r"\$day, which was not given"):
        both("SELECT $day")
    with pytest.raises(BadValue, match="got list"):
        both("SELECT $a", a=[1, 2])


@pytest.mark.parametrize(
    "query",
    [
        "SELECT date_diff('month', a, b) FROM t", "SELECT strftime(a, '%G-W%V') FROM t", "SELECT isodow(a) FROM t",
        "SELECT weekofyear(a) FROM t", "SELECT * FROM t GROUP BY ALL", "SELECT * FROM t ORDER BY ALL",
    ],
)  # fmt: skip
def test_what_engines_answer_differently_is_refused(query):
    with pytest.raises(BadValue):
        both(query)


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE sales", "SELECT 1; SELECT 2", "", "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
        "SELECT a INTO b FROM t", "COPY t TO 'x'", "SELECT * FROM t FOR UPDATE", "SET x = 1", "selec 1",
    ],
)  # fmt: skip
def test_one_select_is_taken_and_nothing_else(query):
    with pytest.raises(BadValue):
        check(query)
