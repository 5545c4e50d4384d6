import csv
import gzip

import openpyxl
import pytest

import salesforecast as sf
from salesforecast import engine
from salesforecast.errors import AmbiguousMapping, BadInput, StoreError, UnknownName
from salesforecast.load import import_files, load_recipe
from salesforecast.schema import TABLES


@pytest.fixture
def folder(tmp_path):
    """A folder with a helper: `folder.write("name.csv", text)`; `folder.store` is where to import."""

    class Folder:
        path, store = tmp_path, tmp_path / "sales.duckdb"

        def write(self, name, text, encoding="utf-8"):
            path = tmp_path / name
            path.write_bytes(text.encode(encoding))
            return path

        def load(self, text, name="orders.csv", **options):
            return import_files(self.write(name, text), self.store, **options)

        def rows(self, sql):
            with engine.connect(self.store) as store:
                return store.rows(sql)

    return Folder()


def counts(report):
    return report.files[["read", "stored", "rejected", "excluded", "replaced"]].sum().tolist()


def test_a_chinese_export_is_recognised_cleaned_and_counted(folder):
    report = folder.load(
        "销售报表,,,,,\n"
        "订单编号,下单日期,客户编码,客户名称,金额（万元）,状态\n"
        "A1,2026年1月5日,007,甲公司,1.2,已完成\n"
        "A1,2026年1月5日,007,甲公司,￥0.5,作废\n"
        "A2,2026/1/6,008,乙公司,-0.1,\n"
        "A3,2026-02-30,008,乙公司,1,\n"
        "合计,,,,1.6,\n"
    )
    assert counts(report) == [5, 3, 1, 1, 0]
    assert folder.rows(
        "SELECT order_id, line_no, txn_type, amount, status FROM store.transactions ORDER BY source_row"
    ) == [
        ("A1", 1, "order", 12000, "valid"),
        ("A1", 2, "order", 5000, "void"),
        ("A2", 1, "return", 1000, "valid"),
    ]
    assert folder.rows("SELECT customer_id, name, source FROM store.customers ORDER BY 1") == [
        ("007", "甲公司", "derived"), ("008", "乙公司", "derived"),
    ]  # fmt: skip
    (lost,) = report.rejected.to_dict("records")
    assert (lost["file"], lost["row"], lost["column"], lost["rule"], lost["value"]) == (
        "orders.csv", 6, "date", "unreadable", "2026-02-30",
    )  # fmt: skip


def test_amount_is_computed_from_quantity_price_and_discount_and_the_report_says_so(folder):
    report = folder.load("Order ID,Order Date,Qty,Unit Price,Discount\n1,2026-01-05,10,5,0.2\n2,2026-01-06,1,7,0\n")
    assert folder.rows("SELECT amount, list_amount FROM store.transactions ORDER BY order_id") == [(40, 50), (7, 7)]
    assert "amount = quantity × unit_price × (1 - discount)" in str(report)


def test_a_discount_column_full_of_ones_is_the_share_that_is_paid(folder):
    folder.load("订单号,订单日期,数量,单价,折扣\n1,2026-01-05,10,5,1\n2,2026-01-06,10,5,1\n3,2026-01-06,10,5,0.8\n")
    assert folder.rows("SELECT amount FROM store.transactions ORDER BY order_id") == [(50,), (50,), (40,)]


def test_a_discount_above_one_without_an_amount_is_refused_with_the_line_to_write(folder):
    text = "订单号,订单日期,数量,单价,折扣\n1,2026-01-05,10,5,20\n"
    with pytest.raises(AmbiguousMapping, match="discount_as"):
        folder.load(text)
    folder.load(text, mapping={"transactions": {"discount_as": "percent", "discount": "折扣"}})
    assert folder.rows("SELECT amount FROM store.transactions") == [(40,)]


def test_profit_becomes_cost_and_a_negative_line_keeps_positive_numbers(folder):
    folder.load("order id,date,amount,profit,qty\n1,2026-01-05,100,30,2\n2,2026-01-06,-50,-10,-1\n")
    query = "SELECT txn_type, amount, cost_amount, quantity FROM store.transactions ORDER BY order_id"
    assert folder.rows(query) == [
        ("order", 100, 70, 2), ("return", 50, 40, 1),
    ]  # fmt: skip


def test_tax_is_taken_out_of_an_amount_that_includes_it(folder):
    folder.load("订单号,订单日期,价税合计,税率\n1,2026-01-05,113,13%\n")
    assert folder.rows("SELECT amount, tax_amount FROM store.transactions") == [(100, 13)]


def test_importing_the_same_file_again_changes_nothing(folder):
    text = "date,amount\n2026-01-05,1\n2026-01-05,1\n2026-01-06,2\n"
    folder.load(text)
    again = folder.load(text)
    assert counts(again) == [0, 0, 0, 0, 0]
    assert "unchanged since import 1" in again.files["note"][0]
    folder.load(text + "\n", name="copy.csv")  # other bytes, same lines: replaced by themselves
    assert folder.rows("SELECT count(*), sum(amount) FROM store.transactions") == [(3, 4)]


def test_a_later_file_replaces_lines_of_the_same_key_and_counts_them(folder):
    folder.load("order id,date,amount\nA,2026-01-05,1\nB,2026-01-05,2\n")
    report = folder.load("order id,date,amount\nA,2026-01-05,10\nC,2026-01-06,3\n", name="later.csv")
    assert counts(report) == [2, 2, 0, 0, 1]
    assert folder.rows("SELECT order_id, amount FROM store.transactions ORDER BY 1") == [("A", 10), ("B", 2), ("C", 3)]


def test_payments_of_one_order_in_two_exports_are_two_payments(folder):
    folder.load("订单编号,回款日期,回款金额\nA,2026-01-05,1\n", name="一月.csv")
    folder.load("订单编号,回款日期,回款金额\nA,2026-02-05,2\n", name="二月.csv")
    assert folder.rows("SELECT txn_type, sum(amount) FROM store.transactions GROUP BY 1") == [("payment", 3)]


def test_duplicate_keys_in_one_file_keep_the_first(folder):
    report = folder.load("客户编码,客户名称,区域\n1,甲,华东\n1,乙,华东\n2,丙,华北\n", name="客户.csv")
    assert counts(report) == [3, 2, 1, 0, 0]
    assert report.rejected["rule"].tolist() == ["duplicate_key"]


def test_a_master_row_takes_the_place_of_a_derived_one_and_never_the_other_way(folder):
    folder.load("订单号,订单日期,客户编码,客户名称,金额\n1,2026-01-05,C1,旧名,5\n2,2026-01-05,C2,只在订单,5\n")
    folder.load("客户编码,客户名称,区域\nC1,甲公司,华东\n", name="客户.csv")
    folder.load("订单号,订单日期,客户编码,客户名称,金额\n3,2026-01-07,C1,又一个名,5\n", name="more.csv")
    assert folder.rows("SELECT customer_id, name FROM store.customers ORDER BY 1") == [
        ("C1", "甲公司"),
        ("C2", "只在订单"),
    ]


def test_names_are_replaced_by_ids_when_a_master_file_knows_them(folder):
    folder.load("订单号,订单日期,客户名称,业务员,金额\n1,2026-01-05,甲公司,张三,5\n")
    assert folder.rows("SELECT customer_id, person_id FROM store.transactions") == [("甲公司", "张三")]
    folder.load("客户编码,客户名称,区域\nC1,甲公司,华东\n", name="客户.csv")
    report = folder.load("工号,姓名,团队\nP1,张三,一部\n", name="人员.csv")
    assert folder.rows("SELECT customer_id, person_id FROM store.transactions") == [("C1", "P1")]
    assert folder.rows("SELECT customer_id FROM store.customers") == [("C1",)]
    assert "transactions.person_id: 1 names replaced" in report.warnings[-1]


def test_lines_without_a_date_are_joined_with_the_one_file_that_dates_their_orders(folder):
    folder.write("lines.csv", "OrderID,Quantity,UnitPrice\n1,2,5\n1,1,3\n9,1,1\n")
    folder.write("orders.csv", "OrderID,OrderDate,CustomerID\n1,2026-01-05,C1\n2,2026-01-06,C2\n")
    report = import_files(folder.path / "*.csv", folder.store)
    query = "SELECT order_id, date::VARCHAR, customer_id, amount FROM store.transactions ORDER BY line_no"
    assert folder.rows(query) == [
        ("1", "2026-01-05", "C1", 10), ("1", "2026-01-05", "C1", 3),
    ]  # fmt: skip
    assert report.files[["file", "read", "stored", "rejected", "excluded"]].values.tolist() == [
        ["lines.csv", 3, 2, 1, 0], ["orders.csv", 2, 1, 0, 1],
    ]  # fmt: skip
    assert "orders.csv has no such OrderID" in report.rejected["message"][0]
    assert report.mapping["transactions"]["from"] == ["lines.csv", "orders.csv"]


def test_a_join_never_multiplies_lines(folder):
    folder.write("lines.csv", "OrderID,Amount\n1,5\n")
    folder.write("orders.csv", "OrderID,OrderDate\n1,2026-01-05\n1,2026-01-06\n")
    with pytest.raises(BadInput, match="OrderID '1' 2 times"):
        import_files(
            folder.path / "*.csv",
            folder.store,
            mapping={"transactions": {"from": ["lines", "orders"], "on": "OrderID"}},
        )


def test_a_mapping_says_what_headers_do_not(folder):
    report = folder.load(
        "Ref;When;Net;Kind\n1;03/04/2026;1.234,50;x\n2;05/06/2026;10,00;y\n",
        mapping={
            "transactions": {
                "order_id": "Ref",
                "date": "when",
                "amount": "Net",
                "txn_type": "=return",
                "date_format": "dmy",
            }
        },
    )
    query = "SELECT order_id, date::VARCHAR, amount, txn_type, x_kind FROM store.transactions ORDER BY 1"
    assert folder.rows(query) == [
        ("1", "2026-04-03", 1234.5, "return", "x"), ("2", "2026-06-05", 10, "return", "y"),
    ]  # fmt: skip
    assert "amount: read with decimal commas" in str(report)


def test_an_entry_without_columns_holds_for_every_file_of_the_table(folder):
    text = "Order ID,Order Date,Sales,Discount\n1,03/04/2026,5,0\n"
    with pytest.raises(AmbiguousMapping, match='date_format = "dmy"'):
        folder.load(text)
    report = folder.load(text, mapping={"transactions": {"date_format": "dmy", "channel": "=web", "discount": ""}})
    assert folder.rows("SELECT date::VARCHAR, channel, list_amount FROM store.transactions") == [
        ("2026-04-03", "web", None)
    ]
    again = folder.load(text, mapping=report.mapping)
    assert "unchanged" in again.files["note"][0]


@pytest.mark.parametrize(
    ("mapping", "error", "says"),
    [
        ({"transaction": {}}, UnknownName, "Did you mean 'transactions'"),
        ({"transactions": {"ammount": "Net"}}, UnknownName, "Did you mean 'amount'"),
        ({"transactions": {"amount": "Nett", "date": "When"}}, BadInput, "Did you mean 'Net'"),
        ({"transactions": {"from": "lines", "amount": "Net"}}, BadInput, "not imported"),
        ({"transactions": {"amount": "Net", "date": "When", "txn_type": "=sold"}}, BadInput, "expected one of"),
        ({"transactions": {"amount": 3}}, BadInput, "must be a source column"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(folder, mapping, error, says):
    with pytest.raises(error, match=says):
        folder.load("When,Net\n2026-01-05,1\n", mapping=mapping)
    assert not folder.store.exists()


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("订单日期,订单金额,合同金额", 'amount = "订单金额" or amount = "合同金额"'),
        ("Order Date,Sales,Revenue", 'amount = "Sales" or amount = "Revenue"'),
        ("Order Date,Amount,Amount", r'amount = "Amount" or amount = "Amount \(2\)"'),
    ],
)
def test_headers_of_equal_rank_are_refused_with_the_line_to_write(folder, header, says):
    with pytest.raises(AmbiguousMapping, match=says):
        folder.load(f"{header}\n2026-01-05,1,2\n")


def test_the_better_ranked_header_wins_and_the_code_beats_the_name(folder):
    report = folder.load("订单日期,发货日期,大区,城市,客户名称,客户ID,金额\n2026-01-05,2026-01-09,华东,杭州,甲,C1,3\n")
    used = report.mapping["transactions"]
    assert (used["date"], used["region"], used["customer_id"]) == ("订单日期", "大区", "客户ID")


def test_targets_by_one_dimension_find_their_scope(folder):
    folder.load("月份,区域,销售目标(万元)\n2026-01,华东,100\n2026-01,全公司,250\n", name="目标.csv")
    query = "SELECT scope_type, scope_id, grain, period_start::VARCHAR, value FROM store.targets ORDER BY value"
    assert folder.rows(query) == [
        ("region", "华东", "month", "2026-01-01", 1e6), ("company", "*", "month", "2026-01-01", 2.5e6),
    ]  # fmt: skip


def test_targets_by_two_dimensions_are_refused(folder):
    with pytest.raises(AmbiguousMapping, match="scope_type"):
        folder.load("月份,区域,渠道,目标值\n2026-01,华东,直销,100\n2026-01,华东,经销,9\n2026-01,华南,直销,5\n")


def test_quarters_and_years_keep_their_grain(folder):
    folder.load("期间,目标值\n2026-Q4,100\n2026,400\n2026年第1季度,90\n")
    assert folder.rows("SELECT grain, period_start::VARCHAR, value FROM store.targets ORDER BY value") == [
        ("quarter", "2026-01-01", 90), ("quarter", "2026-10-01", 100), ("year", "2026-01-01", 400),
    ]  # fmt: skip


def test_unknown_codes_are_refused_where_needed_and_left_empty_elsewhere(folder):
    report = folder.load("单据类型,日期,金额,订单号\n签约,2026-01-05,1,A\n赠送,2026-01-05,2,B\n")
    assert report.rejected[["column", "rule", "value"]].values.tolist() == [["txn_type", "unknown_code", "赠送"]]
    report = folder.load("客户编码,客户名称,客户类型,区域\n1,甲,外星人,华东\n", name="客户.csv")
    assert counts(report)[:3] == [1, 1, 0]
    assert "kind: 1 values not read and left empty, such as '外星人'" in report.warnings[0]


def test_a_text_column_where_money_belongs_is_an_error(folder):
    with pytest.raises(BadInput, match=r"looks like text.*amount = \"OTHER COLUMN\""):
        folder.load("日期,金额\n2026-01-05,很多\n2026-01-06,不少\n2026-01-06,3\n")
    assert not folder.store.exists()


def test_unknown_columns_are_kept_under_a_safe_name(folder):
    folder.load('日期,金额,Ship Mode,"x""; DROP TABLE store.transactions; --"\n2026-01-05,1,空运,</script>\n')
    assert folder.rows("SELECT x_ship_mode, x_x_drop_table_store_transactions FROM store.transactions") == [
        ("空运", "</script>")
    ]


def test_hostile_values_are_only_ever_values(folder):
    names = [
        "</script><script>alert(1)</script>",
        '=HYPERLINK("http://x")',
        "'); DROP TABLE store.customers; --",
        "javascript:alert(1)",
    ]
    with (folder.path / "orders.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["日期", "金额", "客户名称"], *(["2026-01-05", 1, name] for name in names)])
    report = import_files(folder.path / "orders.csv", folder.store)
    assert {row[0] for row in folder.rows("SELECT customer_id FROM store.transactions")} == set(names)
    assert "<script>" not in report._repr_html_()


def test_a_file_that_is_no_table_is_named_with_its_headers_and_the_rest_is_imported(folder):
    folder.write("orders.csv", "订单编号,订单日期,金额\nA,2026-01-05,1\n")
    folder.write("returns.csv", "订单编号,退回\nA,是\n")
    report = import_files(folder.path / "*.csv", folder.store)
    assert counts(report) == [2, 1, 0, 1, 0]
    assert "returns.csv is not imported" in report.warnings[0]
    assert "订单编号, 退回" in report.warnings[0]


def test_nothing_recognised_is_an_error_that_lists_the_headers(folder):
    with pytest.raises(BadInput, match="foo, bar"):
        folder.load("foo,bar\n1,2\n")
    assert not folder.store.exists()


def test_when_one_file_fails_nothing_is_stored(folder):
    folder.load("日期,金额\n2026-01-05,1\n")
    folder.write("b.csv", "日期,金额\n2026-01-06,2\n")
    folder.write("c.csv", "日期,金额\n")
    with pytest.raises(BadInput, match=r"c\.csv has a header but no rows"):
        import_files([folder.path / "b.csv", folder.path / "c.csv"], folder.store)
    assert folder.rows("SELECT count(*) FROM store.transactions") == [(1,)]


def test_a_file_that_is_no_store_is_left_alone(folder):
    path = folder.write("notes.txt", "hello")
    folder.write("orders.csv", "日期,金额\n2026-01-05,1\n")
    with pytest.raises(StoreError):
        import_files(folder.path / "orders.csv", path)
    assert path.read_text() == "hello"


def test_a_dry_run_stores_nothing_and_shows_the_same(folder):
    report = folder.load("日期,金额\n2026-01-05,1\n", dry_run=True)
    assert counts(report)[:2] == [1, 1]
    assert not folder.store.exists()
    folder.load("日期,金额\n2026-01-05,1\n")
    folder.load("日期,金额\n2026-01-06,2\n", name="b.csv", dry_run=True)
    assert folder.rows("SELECT count(*) FROM store.transactions") == [(1,)]
    assert folder.rows("SELECT count(*) FROM store.imports") == [(1,)]


def test_rejected_rows_are_written_corrected_and_imported(folder):
    report = folder.load("订单编号,订单日期,金额\nA,2026-01-05,1\nA,2026-13-05,2\nB,2026-01-06,3\n")
    (written,) = report.write_rejected(folder.path / "rejected.csv")
    text = written.read_text(encoding="utf-8-sig")
    assert text.splitlines()[1].startswith("A,2026-13-05,2,2,3,date,unreadable")
    corrected = import_files(folder.write("rejected.csv", text.replace("2026-13-05", "2026-12-05")), folder.store)
    assert counts(corrected) == [1, 1, 0, 0, 0]
    assert folder.rows("SELECT order_id, line_no, amount FROM store.transactions ORDER BY amount") == [
        ("A", 1, 1), ("A", 2, 2), ("B", 1, 3),
    ]  # fmt: skip
    with engine.connect(folder.store) as store:
        assert not [name for name in store.columns("transactions") if name.startswith("x_")]


def test_a_recipe_repeats_the_import(folder):
    folder.write("lines.csv", "OrderID,Amount\n1,5\n")
    folder.write("orders.csv", "OrderID,OrderDate\n1,2026-01-05\n")
    report = import_files([folder.path / "lines.csv", folder.path / "orders.csv"], folder.store)
    recipe = report.save_recipe(folder.path / "recipe.toml")
    assert str(folder.path) not in recipe.read_text(encoding="utf-8")
    folder.write("lines.csv", "OrderID,Amount\n1,7\n")
    again = import_files(**load_recipe(recipe))
    assert folder.rows("SELECT amount FROM store.transactions") == [(7,)]
    assert again.mapping == report.mapping


@pytest.mark.parametrize(
    ("text", "says"),
    [("paths = 'a.csv'", "lacks 'into'"), ("path = 'a'\ninto = 'b'", "Did you mean 'paths'"), ("=", "not valid TOML")],
)
def test_a_broken_recipe_says_what_is_wrong(folder, text, says):
    with pytest.raises(BadInput, match=says):
        load_recipe(folder.write("recipe.toml", text))


def test_the_ledger_and_the_rejected_rows_are_in_the_store(folder):
    folder.load("日期,金额\n2026-01-05,1\n1889-01-06,2\n")
    query = "SELECT import_id, file, table_name, rows_read, rows_stored, rows_rejected FROM store.imports"
    assert folder.rows(query) == [
        (1, "orders.csv", "transactions", 2, 1, 1),
    ]  # fmt: skip
    assert folder.rows("SELECT file, row_number, column_name, rule FROM store.rejected") == [
        ("orders.csv", 3, "date", "date_range")
    ]
    assert folder.rows("SELECT source, source_file, source_row, import_id FROM store.transactions") == [
        ("generic_zh", "orders.csv", 2, 1)
    ]


def test_two_files_of_one_name_are_told_apart(folder):
    for month, amount in (("09", 1), ("10", 2)):
        (folder.path / month).mkdir()
        folder.write(f"{month}/orders.csv", f"订单编号,订单日期,金额\n{month},2026-{month}-05,{amount}\n")
    report = import_files([folder.path / "09", folder.path / "10"], folder.store)
    assert report.files["file"].tolist() == ["09/orders.csv", "10/orders.csv"]


def test_every_sheet_of_a_workbook_is_a_table_of_its_own(folder):
    book = openpyxl.Workbook()
    book.active.title = "订单"
    book.active.append(["订单编号", "订单日期", "金额"])
    book.active.append(["007", "2026-01-05", 5])
    people = book.create_sheet("人员")
    people.append(["工号", "姓名", "团队"])
    people.append(["P1", "张三", "一部"])
    book.create_sheet("空")
    book.save(folder.path / "book.xlsx")
    report = import_files(folder.path / "book.xlsx", folder.store)
    assert report.files[["sheet", "table", "stored"]].values.tolist() == [
        ["订单", "transactions", 1],
        ["人员", "people", 1],
    ]
    assert folder.rows("SELECT order_id FROM store.transactions") == [("007",)]


@pytest.mark.parametrize("language", ["zh", "name"])
@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_canonical_header_is_understood(folder, name, language):
    """A file whose headers are the Chinese or canonical names of all columns of a table is that table."""
    table = TABLES[name]
    samples = {"date": "2026-01-05", "timestamp": "2026-01-05 09:30:00", "flag": "是", "share": "0.5", "integer": "3"}
    samples["number"] = "1"
    cells = {each.name: each.values[0] if each.values else samples.get(each.kind, "7") for each in table.columns}
    headers = [each.zh if language == "zh" else each.name for each in table.columns]
    with (folder.path / f"{table.zh}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([headers, list(cells.values())])
    report = import_files(folder.path / f"{table.zh}.csv", folder.store)
    assert report.files[["table", "stored"]].values.tolist() == [[name, 1]]
    used = {
        column: header
        for column, header in report.mapping[name].items()
        if column in table.names and not header.startswith("=")
    }
    missing = set(table.names) - set(used)
    assert not missing


def test_gzip_and_gb18030_together(folder):
    path = folder.path / "订单.csv.gz"
    path.write_bytes(
        gzip.compress("订单编号,订单日期,金额,客户名称\nA,2026-01-05,1,㐀甲公司股份有限公司\n".encode("gb18030"))
    )
    report = sf.import_files(path, folder.store)
    assert counts(report)[:2] == [1, 1]


def test_a_file_with_hardly_a_known_column_is_not_taken_for_sales(folder):
    header = ",".join(["date", "amount", *(f"c{number}" for number in range(30))])
    row = ",".join(["2026-01-05", "1", *["7"] * 30])
    with pytest.raises(BadInput, match=r'6% of its columns.*"date": "date"'):
        folder.load(f"{header}\n{row}\n")
    folder.load(f"{header}\n{row}\n", mapping={"transactions": {"date": "date"}})
    assert folder.rows("SELECT amount, x_c29 FROM store.transactions") == [(1, "7")]


def test_a_store_without_orders_says_which_lines_a_review_counts(folder):
    report = folder.load("InvoiceNo,InvoiceDate,Quantity,UnitPrice\n1,2026-01-13,2,3\n")
    assert "The lines are invoice lines" in report.warnings[0]
    with sf.open(folder.store) as wb:
        assert wb.basis == "invoice"


def test_times_of_the_files_become_utc_and_days_stay_business_days(tmp_path):
    path = tmp_path / "activities.csv"
    path.write_text("活动编号,活动时间,活动类型,执行人工号\n1,2026-10-31 23:30,拜访,P1\n", encoding="utf-8")
    orders = tmp_path / "orders.csv"
    orders.write_text(
        "订单编号,下单日期,金额\nA1,2026-10-31T22:00:00Z,5\nA2,2026-10-31T10:00:00Z,5\n", encoding="utf-8"
    )
    import_files([path, orders], into=tmp_path / "s.duckdb")
    with engine.connect(tmp_path / "s.duckdb") as store:
        assert str(store.rows('SELECT "at" FROM store.activities')[0][0]) == "2026-10-31 15:30:00"
        days = store.rows("SELECT date FROM store.transactions ORDER BY order_id")
        assert [str(day) for (day,) in days] == ["2026-11-01", "2026-10-31"]


def test_a_file_without_one_good_row_is_refused_and_nothing_is_made(folder):
    with pytest.raises(BadInput, match="all 2 are refused; the last, row 3, because date '2026-02-31': cannot be read"):
        folder.load("订单日期,金额\n2026-02-30,100\n2026-02-31,200\n")
    assert not folder.store.exists()


def test_the_date_says_what_the_lines_are_when_the_amount_could_be_of_an_order(folder):
    report = folder.load(
        "发票号码,开票日期,客户名称,区域,不含税金额\n1,2026-01-05,甲,华东,10\n2,2026-01-06,甲,华东,20\n", "a.csv"
    )
    assert report.files[["table", "stored"]].values.tolist() == [["transactions", 2]]
    assert folder.rows("SELECT txn_type, sum(amount) FROM store.transactions GROUP BY 1") == [("invoice", 30)]
