"""Data quality: completeness, orphans, the import ledger, refused rows and checks."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

import salesforecast as sf
from salesforecast import engine
from salesforecast.settings import parse_settings


def lines(count=4, **columns):
    """So many order lines of 100 in October 2026."""
    frame = pd.DataFrame({"date": [date(2026, 10, 12)] * count, "amount": 100.0})
    return frame.assign(order_id=[f"SO{number}" for number in range(count)], **columns)


def fill(store, table, rows):
    """Write rows into one of the bookkeeping tables."""
    with engine.connect(store, write=True) as writable:
        writable.register("incoming", pd.DataFrame(rows))
        columns = ", ".join(pd.DataFrame(rows).columns)
        writable.execute(f"INSERT INTO store.{table} ({columns}) SELECT {columns} FROM incoming")


def test_completeness_counts_nulls_and_leaves_out_columns_never_loaded(make_store):
    with sf.open(make_store(transactions=lines(region=["华东", "华东", None, "华南"]))) as wb:
        frame = sf.quality.completeness(wb).set_index(["table", "column"])
    row = frame.loc[("transactions", "region")]
    assert (row["rows"], row["missing"], row["missing_share"]) == (4, 1, 0.25)
    assert frame.loc[("transactions", "amount"), "missing"] == 0
    assert ("transactions", "channel") not in frame.index
    assert "customers" not in frame.index.get_level_values("table")


def test_orphans_point_to_rows_that_are_not_there(make_store):
    customers = pd.DataFrame({"customer_id": ["C1"]})
    with sf.open(make_store(transactions=lines(customer_id=["C1", "C1", "C2", None]), customers=customers)) as wb:
        frame = sf.quality.orphans(wb)
        checks = sf.quality.checks(wb)
    (row,) = frame.itertuples()
    assert (row.table, row.column, row.references, row.rows, row.orphans) == (
        "transactions", "customer_id", "customers", 3, 1,
    )  # fmt: skip
    assert row.share == pytest.approx(1 / 3)
    assert "orphans" in checks["check"].tolist()


def test_the_ledger_says_whether_each_file_adds_up(make_store):
    store = make_store(transactions=lines())
    fill(store, "imports", [
        {"import_id": 1, "file": "订单.csv", "table_name": "transactions", "rows_read": 10, "rows_stored": 7,
         "rows_rejected": 2, "rows_excluded": 1, "rows_replaced": 0},
        {"import_id": 2, "file": "客户.xlsx", "table_name": "customers", "rows_read": 10, "rows_stored": 7,
         "rows_rejected": 2, "rows_excluded": 0, "rows_replaced": 0},
    ])  # fmt: skip
    with sf.open(store) as wb:
        frame = sf.quality.imports(wb)
    assert frame["file"].tolist() == ["订单.csv", "客户.xlsx"]
    assert frame["adds_up"].tolist() == [True, False]


def test_refused_rows_are_counted_by_file_and_rule_and_reported(make_store):
    store = make_store(transactions=lines())
    fill(store, "imports", [{"import_id": 1, "file": "订单.csv", "table_name": "transactions", "rows_read": 6}])
    bad = {"import_id": 1, "file": "订单.csv", "table_name": "transactions", "column_name": "amount", "rule": "number"}
    fill(store, "rejected", [{**bad, "value": "abc"}, {**bad, "value": "xyz"}])
    feed(store, 1)
    with sf.open(store, as_of="2026-10-31") as wb:
        frame = sf.quality.rejected(wb)
        check = sf.quality.checks(wb).iloc[0]
        (finding,) = sf.quality.findings(wb, "2026-10")
    assert frame[["file", "column", "rule", "rows", "example"]].to_numpy().tolist() == [
        ["订单.csv", "amount", "number", 2, "abc"]
    ]
    assert (check["check"], check["severity"], check["rows"]) == ("rejected_rows", "error", 2)
    assert check["share"] == pytest.approx(2 / 6)
    # Two lines at the average of 100.
    assert (finding.kind, finding.amount) == ("data_rejected", -200)


def feed(store, import_id):
    """Say of all stored lines from which import they came."""
    with engine.connect(store, write=True) as writable:
        writable.execute(f"UPDATE store.transactions SET import_id = {import_id}")


REFUSED = {"file": "订单.csv", "table_name": "transactions", "column_name": "amount", "rule": "number"}


def test_a_repeated_row_costs_nothing_for_its_first_copy_is_counted(make_store):
    store = make_store(transactions=lines())
    fill(store, "rejected", [{**REFUSED, "import_id": 1}, {**REFUSED, "import_id": 1, "rule": "duplicate_key"}])
    feed(store, 1)
    with sf.open(store, as_of="2026-10-31") as wb:
        checks = sf.quality.checks(wb).set_index("check")
        (finding,) = sf.quality.findings(wb, "2026-10")
    assert checks.loc["rejected_rows", ["rows", "effect"]].tolist() == [1, "not_counted"]
    assert checks.loc["repeated_rows", ["rows", "effect"]].tolist() == [1, "first_counted"]
    assert (finding.amount, finding.values["rows"]) == (-100, 1)


def test_refused_rows_have_no_amount_where_it_cannot_be_told(make_store):
    store = make_store(transactions=lines(region="华东"))
    fill(store, "rejected", [{**REFUSED, "import_id": 1}])
    with sf.open(store, as_of="2026-10-31") as wb:  # nothing stored says what the file's rows are
        (unknown,) = sf.quality.findings(wb, "2026-10")
    feed(store, 1)
    with sf.open(store, as_of="2026-10-31", scope={"region": "华东"}) as wb:
        (scoped,) = sf.quality.findings(wb, "2026-10")
    for each in (unknown, scoped):
        assert (each.kind, each.amount, each.values["rows"]) == ("data_rejected_rows", 0, 1)


def test_refused_rows_of_files_that_do_not_feed_the_basis_are_no_finding(make_store):
    sales = lines(2, txn_type=["order", "payment"])
    store = make_store(transactions=sales)
    with engine.connect(store, write=True) as writable:
        writable.execute("UPDATE store.transactions SET import_id = CASE txn_type WHEN 'order' THEN 1 ELSE 2 END")
    fill(store, "rejected", [{**REFUSED, "import_id": 2, "file": "回款.csv"}])
    with sf.open(store, as_of="2026-10-31") as wb:
        assert sf.quality.findings(wb, "2026-10") == []
    with sf.open(store, as_of="2026-10-31", basis="payment") as wb:
        assert [each.amount for each in sf.quality.findings(wb, "2026-10")] == [-100]


def test_clean_data_has_no_checks_and_no_findings(make_store):
    with sf.open(make_store(transactions=lines(region="华东")), as_of="2026-10-31") as wb:
        assert sf.quality.checks(wb).empty
        assert sf.quality.findings(wb, "2026-10") == []


def test_void_lines_and_lines_after_the_as_of_date_are_counted(make_store):
    sales = lines(status=["valid", "void", "valid", "valid"])
    sales.loc[3, "date"] = date(2026, 11, 5)
    with sf.open(make_store(transactions=sales), as_of="2026-10-31") as wb:
        frame = sf.quality.checks(wb).set_index("check")
    assert frame.loc["excluded_void", ["rows", "amount", "severity"]].tolist() == [1, 100, "info"]
    assert frame.loc["excluded_after_as_of", "rows"] == 1


def test_sales_without_a_region_are_counted_in_money(make_store):
    sales = lines(region=["华东", None, "华东", "华东"])
    with sf.open(make_store(transactions=sales), as_of="2026-10-31") as wb:
        row = sf.quality.checks(wb).set_index("check").loc["unassigned"]
        (finding,) = sf.quality.findings(wb, "2026-10")
    assert (row["column"], row["rows"], row["share"], row["amount"]) == ("region", 1, 0.25, 100)
    assert (finding.kind, finding.values["value"]) == ("data_unassigned_region", 100)


def test_a_column_that_the_basis_never_fills_is_not_called_incomplete(make_store):
    sales = lines(40, product_id=["P1", *[None] * 39])
    with sf.open(make_store(transactions=sales), as_of="2026-10-31") as wb:
        assert "unassigned" not in sf.quality.checks(wb)["check"].tolist()


def test_lines_without_a_cost_limit_the_margin(make_store):
    sales = lines(cost_amount=[60.0, None, 60.0, 60.0])
    with sf.open(make_store(transactions=sales)) as wb:
        row = sf.quality.checks(wb).set_index("check").loc["missing_values"]
    assert (row["column"], row["rows"], row["effect"]) == ("cost_amount", 1, "partial_coverage")


def test_targets_that_do_not_add_up_are_shown(make_store):
    rows = pd.DataFrame(
        {"measure": "revenue", "scope_type": ["company", "region", "region"], "scope_id": ["*", "华东", "华南"],
         "grain": "year", "period_start": [date(2026, 1, 1)] * 3, "value": [1000.0, 600.0, 300.0]}
    )  # fmt: skip
    with sf.open(make_store(transactions=lines(), targets=rows)) as wb:
        row = sf.quality.checks(wb).set_index("check").loc["targets_do_not_add_up"]
    assert (row["column"], row["amount"]) == ("region", -100)
    assert row["share"] == pytest.approx(0.1)


def monthly_targets(*rows):
    frame = pd.DataFrame(rows, columns=["scope_type", "scope_id", "month", "value"])
    starts = [date(2026, month, 1) for month in frame.pop("month")]
    return frame.assign(measure="revenue", grain="month", period_start=starts, value=frame["value"].astype(float))


# One seller leaves in June, another takes over in July: neither has twelve months, every month adds up.
RELAY = monthly_targets(
    *(("company", "*", month, 100) for month in range(1, 13)),
    *(("person", "P1" if month < 7 else "P2", month, 60) for month in range(1, 13)),
    *(("person", "P3", month, 40) for month in range(1, 13)),
)


def test_targets_of_sellers_who_come_and_go_add_up_month_by_month(make_store):
    with sf.open(make_store(transactions=lines(), targets=RELAY)) as wb:
        assert "targets_do_not_add_up" not in sf.quality.checks(wb)["check"].tolist()


def test_the_months_that_do_not_add_up_are_told_beyond_the_tolerance(make_store):
    wrong = RELAY.copy()
    wrong.loc[12, "value"] = 50.0  # P1 in January: 10 of 100 are missing
    store = make_store(transactions=lines(), targets=wrong)
    with sf.open(store) as wb:
        row = sf.quality.checks(wb).set_index("check").loc["targets_do_not_add_up"]
    assert row[["column", "rows", "share", "amount"]].tolist() == ["person", 2, 0.1, -10]
    with sf.open(store, settings=parse_settings({"targets": {"tolerance": 0.1}})) as wb:
        assert "targets_do_not_add_up" not in sf.quality.checks(wb)["check"].tolist()


def test_open_deals_past_their_date_are_listed(make_store):
    deals = pd.DataFrame(
        {"deal_id": ["D1", "D2", "D3"], "stage": "谈判", "status": ["open", "open", "won"],
         "amount": [10.0, 20.0, 30.0],
         "expected_close": [date(2026, 9, 1), date(2026, 12, 1), date(2026, 9, 1)]}
    )  # fmt: skip
    with sf.open(make_store(transactions=lines(), deals=deals)) as wb:
        row = sf.quality.checks(wb).set_index("check").loc["overdue_close"]
    assert (row["rows"], row["share"], row["amount"]) == (1, 0.5, 10)


def test_sections_say_what_they_lack(make_store):
    with sf.open(make_store(transactions=lines(region="华东"))) as wb:
        frame = sf.quality.sections(wb).set_index("section")
    assert (bool(frame.loc["regions", "available"]), frame.loc["regions", "lacks"]) == (True, "")
    assert (bool(frame.loc["channels", "available"]), frame.loc["channels", "lacks"]) == (False, "sales.channel")
    assert frame.loc["attainment", "lacks"] == "targets"
    assert {"kpis", "trend", "forecast", "quality"} <= set(frame.index)


def test_unpublished_workdays_are_said_to_be_estimated(make_store):
    sales = lines()
    sales["date"] = date(2030, 5, 7)
    with sf.open(make_store(transactions=sales)) as wb:
        frame = sf.quality.checks(wb).set_index("check")
    assert frame.loc["workdays_estimated", "column"] == "2030"
    assert np.isnan(frame.loc["workdays_estimated", "share"])


def test_a_reference_that_leads_out_of_the_scope_is_no_orphan(make_store):
    path = make_store(
        transactions={
            "date": ["2026-01-05"] * 2, "amount": [1.0] * 2, "region": ["华东", "华南"], "customer_id": ["c1", "c2"],
        },
        customers={"customer_id": ["c1", "c2"], "region": ["华东", "华南"]},
        feedback={"feedback_id": ["f1"], "opened_at": ["2026-01-04"], "customer_id": ["c2"]},
    )  # fmt: skip
    with sf.open(path, scope={"region": "华东"}) as wb:
        assert sf.quality.orphans(wb)["orphans"].sum() == 0
