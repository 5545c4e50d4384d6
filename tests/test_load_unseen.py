"""Files as systems and small firms write them: the right table, columns, amounts and signs at first sight."""

from __future__ import annotations

import pytest

from salesforecast import engine
from salesforecast.errors import AmbiguousMapping
from salesforecast.load import import_files


@pytest.fixture
def load(tmp_path):
    """Import one text file; `load.rows(sql)` reads the store."""

    class Load:
        store = tmp_path / "sales.duckdb"

        def __call__(self, name, text, encoding="utf-8"):
            path = tmp_path / name
            path.write_bytes(text.encode(encoding))
            return import_files(path, self.store)

        def rows(self, sql):
            with engine.connect(self.store) as store:
                return store.rows(sql)

        def lines(self, *columns):
            names = ", ".join(f"CAST({each} AS VARCHAR)" for each in columns)
            return self.rows(f"SELECT {names} FROM store.transactions ORDER BY source_row")

    return Load()


def one_file(report):
    return report.files[["read", "stored", "rejected", "excluded"]].values.tolist()


def test_totals_of_an_order_that_repeat_on_its_lines_are_not_added_up(load):
    report = load(
        "invoices.csv",
        "Invoice Number,Invoice Date,Customer Name,SubTotal,Total,Item Name,Quantity,Item Price,Item Total\n"
        + "".join(
            f"I{i},2025-01-0{i},Acme,{10 * i + 5},{11 * i + 6},Lamp,{i},10,{10 * i}\n"
            f"I{i},2025-01-0{i},Acme,{10 * i + 5},{11 * i + 6},Bulb,1,5,5\n"
            for i in (1, 2, 3)
        ),
    )
    assert load.rows("SELECT sum(amount), max(txn_type) FROM store.transactions") == [(75, "invoice")]
    assert "each is the total of an order: SubTotal" in report.files.note[0]


def test_lines_with_only_the_total_of_their_order_are_refused_with_what_to_write(load):
    with pytest.raises(AmbiguousMapping, match=r"total of an order and repeats.*Write amount"):
        load(
            "orders.csv",
            "order id,order date,product,quantity,order total\n"
            + "".join(f"A{i},2025-01-0{i},x,1,{i}0\nA{i},2025-01-0{i},y,2,{i}0\n" for i in (1, 2, 3)),
        )


def test_equal_lines_of_an_order_are_no_total(load):
    load(
        "lines.csv",
        "order id,order date,product,amount\n"
        + "".join(f"A{i},2025-01-0{i},x,{i}0\nA{i},2025-01-0{i},x,{i}0\n" for i in (1, 2, 3)),
    )
    assert load.rows("SELECT sum(amount) FROM store.transactions") == [(120,)]


def test_cells_that_stand_on_the_first_line_of_an_order_go_to_every_line_but_amounts_do_not(load):
    report = load(
        "sale_orders.csv",
        "Order Reference,Order Date,Customer,Untaxed Amount,Order Lines/Product,Order Lines/Quantity,"
        "Order Lines/Subtotal\n"
        "S1,2025-03-01,Acme,30,Lamp,1,10\n,,,,Chair,2,20\n"
        "S2,2025-03-02,Hooli,7,Lamp,1,7\n"
        "S3,2025-03-03,Acme,9,Lamp,1,4\n,,,,Chair,1,5\n"
        "S4,2025-03-04,Acme,3,Lamp,1,1\n,,,,Chair,1,2\n",
    )
    assert load.lines("order_id", "customer_id", "amount")[:3] == [
        ("S1", "Acme", "10.0000"), ("S1", "Acme", "20.0000"), ("S2", "Hooli", "7.0000"),
    ]  # fmt: skip
    assert one_file(report) == [[7, 7, 0, 0]]
    assert "3 lines take" in report.files.note[0]


def test_headings_above_groups_of_lines_become_a_column(load):
    report = load(
        "Sales by Customer Detail.csv",
        "Sales by Customer Detail\n\n,Date,Transaction Type,Num,Product/Service,Qty,Amount\n"
        "Acme,,,,,,\n,01/15/2025,Invoice,7,Work,1,10.00\n,02/03/2025,Credit Memo,8,Work,-1,-4.00\n"
        "Total for Acme,,,,,,$6.00\n"
        "Hooli,,,,,,\n,03/04/2025,Invoice,9,Work,2,5.00\nTotal for Hooli,,,,,,$5.00\n",
    )
    assert load.lines("customer_id", "txn_type", "amount") == [
        ("Acme", "invoice", "10.0000"), ("Acme", "return", "4.0000"), ("Hooli", "invoice", "5.0000"),
    ]  # fmt: skip
    assert one_file(report) == [[7, 3, 0, 4]]


def test_kinds_and_states_are_read_by_the_words_in_them(load):
    load(
        "销售明细.csv",
        "单据日期,单据编号,单据类型,客户,单据状态,金额\n"
        "2025-01-05,A1,标准销售订单,甲,已审核,10\n2025-01-06,A2,销售退货单(红字),甲,已审核,3\n"
        "2025-01-07,A3,标准销售订单,乙,审批驳回,5\n",
    )
    assert load.lines("txn_type", "status", "amount") == [
        ("order", "valid", "10.0000"), ("return", "valid", "3.0000"), ("order", "void", "5.0000"),
    ]  # fmt: skip


def test_a_column_of_types_that_tells_no_kinds_apart_is_kept_beside(load):
    load("订单.csv", "订单号,下单时间,订单类型,订单金额\nA,2025-01-05 10:00,SOP,5\nB,2025-01-06 10:00,FBP,6\n")
    assert load.lines("txn_type", "x_订单类型") == [("order", "SOP"), ("order", "FBP")]


@pytest.mark.parametrize(("states", "kept"), [("交易成功,已关闭", 1), ("已审核,已关闭", 2)])
def test_closed_is_called_off_where_other_orders_are_completed(load, states, kept):
    first, second = states.split(",")
    load("订单.csv", f"订单号,下单日期,订单状态,订单金额\nA,2025-01-05,{first},5\nB,2025-01-06,{second},6\n")
    assert load.rows("SELECT count(*) FROM store.transactions WHERE status = 'valid'") == [(kept,)]


def test_an_invoice_that_is_not_paid_counts(load):
    load(
        "Rechnungen.csv",
        "Rechnungsnr.;Rechnungsdatum;Kunde;Netto;Brutto;Status\nR1;05.01.2025;Müller;1.000,50;1.190,60;offen\n",
        "cp1252",
    )
    assert load.lines("txn_type", "status", "amount") == [("invoice", "valid", "1000.5000")]


def test_a_column_of_refunds_beside_the_amount_makes_no_refunds(load):
    load(
        "payments.csv",
        "id,Created date (UTC),Amount,Amount Refunded,Status\nch_1,2025-01-05 10:00:00,20,0,Paid\n"
        "ch_2,2025-01-06 10:00:00,9,9,Refunded\n",
    )
    assert load.rows("SELECT sum(amount), count(*) FROM store.transactions WHERE status = 'valid' "
                     "AND txn_type NOT IN ('refund', 'return')") == [(20, 1)]  # fmt: skip


def test_ids_that_go_one_with_one_are_no_question(load):
    load("a.csv", "Invoice ID,Invoice Number,Invoice Date,Amount\n461,INV-1,2025-01-05,3\n462,INV-2,2025-01-06,4\n")
    assert load.lines("order_id") == [("INV-1",), ("INV-2",)]


def test_words_are_no_tax_and_one_code_for_all_is_no_customer(load):
    load(
        "a.csv",
        "InvoiceNumber,InvoiceDate,ContactName,AccountCode,Item Tax,LineAmount\n"
        + "".join(f"I{i},2025-01-05,{name},200,VAT,{i}\n" for i, name in enumerate(("A", "B", "C", "D"))),
    )
    assert [customer for (customer,) in load.lines("customer_id")] == ["A", "B", "C", "D"]


def test_shops_write_ids_as_formulas(load):
    load(
        "ExportOrderList.csv",
        "订单编号,买家应付货款,买家实际支付金额,订单状态,订单创建时间\n"
        '="2300000000000000001",9,8,交易成功,2025-01-05 10:00:00\n'
        '="2300000000000000002",7,0,交易关闭,2025-01-05 11:00:00\n',
        "gb18030",
    )
    assert load.lines("order_id", "amount", "status") == [
        ("2300000000000000001", "8.0000", "valid"), ("2300000000000000002", "0.0000", "void"),
    ]  # fmt: skip


def test_year_and_month_in_two_columns_are_one_period(load):
    load("目标.csv", "年,月,业务员,销售目标(万元)\n2026,1,张伟,10\n2026,2,张伟,12\n")
    assert load.rows("SELECT period_start::VARCHAR, scope_id, value FROM store.targets ORDER BY 1") == [
        ("2026-01-01", "张伟", 100000), ("2026-02-01", "张伟", 120000),
    ]  # fmt: skip


def test_days_without_a_year_and_amounts_without_a_unit_take_those_of_the_title(load):
    load("台账.csv", "2025年销售台账（万元）,,\n日期,客户,金额\n3月5日,甲,1.5\n12月30日,乙,2\n")
    assert load.lines("date", "amount") == [("2025-03-05", "15000.0000"), ("2025-12-30", "20000.0000")]


def test_the_finest_dimension_of_a_target_is_its_scope_when_it_says_the_others(load):
    load(
        "quota.csv",
        "Sales Rep,Territory,Quarter,Quota\nAnna,West,FY2026 Q1,$10\nAnna,West,FY2026 Q2,$20\nBob,East,FY2026 Q1,$5\n",
    )
    assert load.rows("SELECT scope_type, scope_id, period_start::VARCHAR FROM store.targets ORDER BY 2, 3") == [
        ("person", "Anna", "2026-01-01"), ("person", "Anna", "2026-04-01"), ("person", "Bob", "2026-01-01"),
    ]  # fmt: skip


def test_months_down_and_names_across_are_targets_of_persons(load):
    load("各业务员月度目标.csv", "月份,张伟,王芳,合计\n2026年1月,10,20,30\n2026年2月,11,21,32\n合计,21,41,62\n")
    assert load.rows("SELECT scope_id, period_start::VARCHAR, value FROM store.targets ORDER BY 1, 2") == [
        ("张伟", "2026-01-01", 10), ("张伟", "2026-02-01", 11), ("王芳", "2026-01-01", 20), ("王芳", "2026-02-01", 21),
    ]  # fmt: skip


def test_items_of_a_budget_keep_their_names(load):
    load("2026年费用预算.csv", "预算科目,单位,1月,2月\n差旅费,元,1,2\n招待费,元,3,4\n")
    assert load.rows("SELECT measure, sum(value) FROM store.targets GROUP BY 1 ORDER BY 2") == [
        ("差旅费", 3), ("招待费", 7),
    ]  # fmt: skip


def test_deals_with_one_name_and_no_id_are_all_kept(load):
    report = load(
        "Deals.csv",
        "Name,Stage,Deal Value,Company\nRenewal,Proposal,10,Acme\nRenewal,Won,20,Hooli\nRenewal,Won,20,Hooli\n",
    )
    assert load.rows("SELECT deal_id, amount FROM store.deals ORDER BY 1") == [("Renewal", 10), ("Renewal (2)", 20)]
    assert one_file(report) == [[3, 2, 1, 0]]  # the third row is the second once more


def test_no_visit_is_lost_for_the_word_of_its_kind(load):
    load("拜访记录.csv", "拜访日期,拜访人,拜访客户,拜访方式\n2025-01-05,张伟,甲,陌生拜访\n2025-01-06,张伟,乙,喝茶\n")
    assert load.rows("SELECT kind FROM store.activities ORDER BY 1 DESC") == [("visit",), ("other",)]


@pytest.mark.parametrize("written", ["Jul-14-25", "2025-07-14 23:00:00 +0800"])
def test_dates_as_shops_write_them(load, written):
    load("orders.csv", f"Order Number,Sale Date,Total\nA,{written},5\n")
    assert load.lines("date") == [("2025-07-14",)]


def test_a_word_for_total_in_the_column_of_dates_is_a_total(load):
    report = load("出库.csv", "日期,单据编号,销售金额\n2025-01-05,A,5\n2025-01-06,B,6\n合计:,,11\n")
    assert one_file(report) == [[3, 2, 0, 1]]


def test_what_was_made_of_a_file_is_made_again_by_its_mapping(load, tmp_path):
    text = "Name,Stage,Deal Value,Company\nRenewal,Proposal,10,Acme\nRenewal,Won,20,Hooli\n"
    report = load("Deals.csv", text)
    again = import_files(tmp_path / "Deals.csv", tmp_path / "again.duckdb", mapping=report.mapping)
    assert one_file(again) == one_file(report) == [[2, 2, 0, 0]]
