"""The ledger of imports: listing them, taking one back, importing again."""

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from salesforecast import cli, engine
from salesforecast.errors import BadInput
from salesforecast.load import import_files, ledger


@pytest.fixture
def desk(tmp_path):
    """A folder with a store: `desk.load(name, text)` imports a file, `desk.rows(sql)` asks the store."""
    return Desk(tmp_path)


class Desk:
    def __init__(self, path):
        self.path, self.store = path, path / "sales.duckdb"

    def load(self, name, text, **options):
        (self.path / name).write_text(text, encoding="utf-8")
        return import_files(self.path / name, self.store, **options)

    def rows(self, sql):
        with engine.connect(self.store) as store:
            return store.rows(sql)

    def everything(self):
        """All rows of all tables, times of import apart."""
        with engine.connect(self.store) as store:
            names = store.rows("SELECT table_name FROM duckdb_tables() WHERE database_name = 'store' ORDER BY 1")
            found = {}
            for (name,) in names:
                left_out = "imported_at" if name == "imports" else None
                columns = sorted(each for each in store.columns(name) if each != left_out)
                rows = store.rows(f"SELECT {', '.join(map(engine.quote, columns))} FROM store.{name} ORDER BY ALL")
                if rows or not name.startswith("kept_"):
                    found[name] = (columns if name in ("transactions", "customers", "deals") else None, rows)
            return found


ORDERS = "订单号,订单日期,客户名称,业务员,金额,备注\nA,2026-01-05,甲公司,张三,5,急\nB,2026-01-06,乙公司,李四,7,\n"
CUSTOMERS = "客户编码,客户名称,区域\nC1,甲公司,华东\nC2,乙公司,华南\n"


def test_imports_are_listed_with_what_they_did(desk):
    desk.load("订单.csv", ORDERS)
    desk.load("客户.csv", CUSTOMERS)
    frame = ledger.imports(desk.store)
    columns = ["import_id", "file", "table", "read", "stored", "derived", "undo"]
    assert frame[columns].to_numpy().tolist() == [
        [1, "订单.csv", "transactions", 2, 2, 4, "yes"],
        [2, "客户.csv", "customers", 2, 2, 0, "yes"],
    ]


def test_taking_an_import_back_leaves_the_store_as_it_was(desk):
    desk.load("订单.csv", ORDERS)
    before = desk.everything()
    desk.load("客户.csv", CUSTOMERS)  # names become ids, derived customers go
    assert desk.rows("SELECT customer_id FROM store.transactions ORDER BY 1") == [("C1",), ("C2",)]
    said = ledger.undo_import(desk.store, 2)
    assert said == "Import 2 taken back: 客户.csv, 2 rows of customers removed, 2 rows brought back."
    assert desk.everything() == before


def test_a_replaced_row_comes_back_and_so_does_the_file_when_it_is_imported_again(desk):
    desk.load("orders.csv", "order id,date,amount,colour\nA,2026-01-05,1,red\nB,2026-01-05,2,blue\n")
    before = desk.everything()
    later = "order id,date,amount,shape\nA,2026-01-05,10,round\nC,2026-01-06,3,square\n"
    desk.load("later.csv", later)
    after = desk.everything()
    ledger.undo_import(desk.store, 2)
    assert desk.everything() == before  # the column that only the later file had is gone too
    desk.load("later.csv", later)
    assert desk.everything() == after


def test_an_import_that_a_later_one_is_built_on_is_refused_until_that_is_taken_back(desk):
    desk.load("orders.csv", "order id,date,amount\nA,2026-01-05,1\n")
    desk.load("later.csv", "order id,date,amount\nA,2026-01-05,10\n")
    with pytest.raises(BadInput, match=r"Import 1 \(orders.csv\) .*import 2 built on it.*--undo 2"):
        ledger.undo_import(desk.store, 1)
    assert ledger.imports(desk.store)["undo"].tolist() == ["after import 2", "yes"]
    ledger.undo_import(desk.store, 2)
    ledger.undo_import(desk.store, 1)
    assert desk.rows("SELECT count(*) FROM store.transactions") == [(0,)]
    with pytest.raises(BadInput, match="No import 1"):
        ledger.undo_import(desk.store, 1)


def test_lines_whose_names_were_looked_up_are_built_on_the_file_that_has_the_names(desk):
    desk.load("客户.csv", CUSTOMERS)
    desk.load("订单.csv", ORDERS)
    assert ledger.imports(desk.store)["undo"].tolist() == ["after import 2", "yes"]


def test_lines_that_only_mention_a_customer_bind_nobody(desk):
    text = "订单号,订单日期,客户编码,客户名称,金额\n{},2026-01-05,C1,甲公司,5\n"
    desk.load("一月.csv", text.format("A"))
    desk.load("二月.csv", text.format("B"))
    ledger.undo_import(desk.store, 1)
    assert desk.rows("SELECT order_id FROM store.transactions") == [("B",)]
    assert desk.rows("SELECT name FROM store.customers") == [("甲公司",)]
    ledger.undo_import(desk.store, 2)
    assert desk.rows("SELECT count(*) FROM store.customers") == [(0,)]


def test_what_lines_mention_comes_back_when_the_master_file_is_taken_back(desk):
    desk.load("客户.csv", CUSTOMERS)
    desk.load("一月.csv", "订单号,订单日期,客户编码,客户名称,金额\nA,2026-01-05,C1,甲,5\n")
    assert desk.rows("SELECT name FROM store.customers WHERE customer_id = 'C1'") == [("甲公司",)]
    ledger.undo_import(desk.store, 1)
    assert desk.rows("SELECT customer_id, name, source FROM store.customers") == [("C1", "甲", "derived")]


def test_an_export_of_deals_is_taken_back_with_its_events(desk):
    head = "商机ID,商机名称,销售阶段,商机状态\n"
    september = head + "".join(f"D{each},甲,方案,进行中\n" for each in range(5))
    october = head + "D0,甲,赢单,赢单\n" + "".join(f"D{each},甲,谈判,进行中\n" for each in range(1, 4))
    desk.load("商机_2026-09-30.csv", september)
    before = desk.everything()
    desk.load("商机_2026-10-31.csv", october)  # D0 is won, D4 is gone
    ledger.undo_import(desk.store, 2)
    assert desk.everything() == before
    desk.load("商机_2026-10-31.csv", october)
    newest = desk.everything()
    desk.load("商机_2026-08-31.csv", september.replace("D1,甲,方案", "D1,甲,线索"))  # an older one, late
    ledger.undo_import(desk.store, 3)
    assert desk.everything() == newest


def test_beneath_a_newer_export_lie_the_rows_of_the_next_older_one_whatever_came_first(desk):
    head = "商机ID,商机名称,销售阶段,商机金额\n"
    for day, amount in [("2026-08-31", 8), ("2026-10-31", 10), ("2026-09-30", 9)]:
        desk.load(f"商机_{day}.csv", head + f"D1,甲,方案,{amount}\n")
    query = "SELECT amount FROM store.deals"
    assert desk.rows(query) == [(10,)]
    with engine.connect(desk.store, write=True) as store, store.transaction():
        ledger.take_back(store, 2, "Asia/Shanghai")
    assert desk.rows(query) == [(9,)]
    with engine.connect(desk.store, write=True) as store, store.transaction():
        ledger.take_back(store, 3, "Asia/Shanghai")
    assert desk.rows(query) == [(8,)]


def test_what_is_kept_is_bounded_and_the_ledger_says_what_can_no_longer_be_taken_back(desk, monkeypatch):
    monkeypatch.setattr(ledger, "MOST_KEPT", 1)
    text = "order id,date,amount\nA,2026-01-05,{}\nB,2026-01-05,{}\n"
    desk.load("one.csv", text.format(1, 1))
    desk.load("two.csv", text.format(2, 2))  # displaces two rows, one too many
    assert ledger.imports(desk.store)["undo"].tolist() == ["yes", "what it displaced is not kept"]
    with pytest.raises(BadInput, match="no longer kept"):
        ledger.undo_import(desk.store, 2)
    assert desk.rows("SELECT sum(amount) FROM store.transactions") == [(4,)]


# Files over few keys, so that they replace, mention and name each other in every way.
_ids = st.sampled_from(["1", "2", "3"])
_lines = st.lists(
    st.tuples(_ids, _ids, st.integers(-5, 5), st.sampled_from(["2026-01-05", "2026-02-30"])), min_size=1, max_size=4
)
_orders = _lines.map(
    lambda rows: "订单号,订单日期,客户编码,客户名称,金额\nX,2026-01-01,C1,名1,1\n"
    + "".join(f"{order},{day},C{customer},名{customer},{amount}\n" for order, customer, amount, day in rows)
)  # fmt: skip
_named = _lines.map(
    lambda rows: "订单号,订单日期,客户名称,金额,附注\nY,2026-01-01,名1,1,z\n"
    + "".join(f"{order},{day},名{customer},{amount},n{order}\n" for order, customer, amount, day in rows)
    + "合计,,,,\n"
)  # fmt: skip
_masters = st.lists(st.tuples(_ids, st.sampled_from(["华东", "华南", ""])), min_size=1, max_size=4).map(
    lambda rows: "客户编码,客户名称,区域\n" + "".join(f"C{each},名{each},{region}\n" for each, region in rows)
)
_deals = st.tuples(
    st.sampled_from(["2026-08-31", "2026-09-30", "2026-10-31"]),
    st.lists(
        st.tuples(_ids, st.sampled_from(["方案", "谈判", "赢单"])), min_size=1, max_size=3, unique_by=lambda e: e[0]
    ),
).map(
    lambda made: "导出日期,商机ID,商机名称,销售阶段\n"
    + "".join(f"{made[0]},D{each},甲,{stage}\n" for each, stage in made[1])
)  # fmt: skip
_files = st.one_of(_orders, _named, _masters, _deals)


@pytest.mark.slow
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(_files, min_size=1, max_size=3), _files)
def test_import_then_undo_is_as_before_and_twice_is_once(earlier, last):
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        for number, text in enumerate(earlier):
            report = desk.load(f"file{number}.csv", text)
            counts = report.files[["read", "stored", "rejected", "excluded"]].sum()
            assert counts["read"] == counts["stored"] + counts["rejected"] + counts["excluded"]
        before = desk.everything()
        desk.load("last.csv", last)
        after = desk.everything()
        desk.load("last.csv", last)
        assert desk.everything() == after
        ledger.undo_import(desk.store, len(earlier) + 1)
        assert desk.everything() == before
        desk.load("last.csv", last)
        assert desk.everything() == after


def test_the_command_lists_imports_takes_one_back_and_erases(desk, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["salesforecast", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out + printed.err

    desk.load("订单.csv", ORDERS)
    desk.load("客户.csv", CUSTOMERS)
    code, listed = run("imports", "--store", desk.store)
    assert code == 0
    assert "transactions" in listed
    assert "undo: yes" in listed
    code, said = run("erase", "customer", "C1", "--store", desk.store)
    assert code == 0
    assert said.startswith("Erased:")
    assert run("erase", "customer", "C1x", "--store", desk.store)[0] == 3
    code, said = run("imports", "--undo", 2, "--store", desk.store)
    assert (code, said.startswith("Import 2 taken back")) == (0, True)
    (desk.path / "deals.csv").write_text("商机ID,商机名称,销售阶段\nD1,甲,方案\n", encoding="utf-8")
    code, _ = run("import", desk.path / "deals.csv", "--into", desk.store, "--exported-on", "2026-10-31")
    assert desk.rows("SELECT exported_on::VARCHAR FROM store.imports WHERE table_name = 'deals'") == [("2026-10-31",)]
