"""Erasing a customer or a person: the sums stay, the person is gone, from the bytes of the file too."""

import pytest

from salesforecast import engine
from salesforecast.errors import BadInput, UnknownName
from salesforecast.load import erase, import_files, undo_import
from salesforecast.load.lines import stored_key

PEOPLE = "工号,姓名,团队\nEMP-7001,欧阳一二,一部\nEMP-7002,李四,一部\n"
CUSTOMERS = "客户编码,客户名称,区域,联系电话\nCUST-88A,上官个体户,华东,13912345678\nCUST-90B,乙公司,华东,1\n"
ORDERS = (
    "订单号,订单日期,客户编码,客户名称,工号,金额,收货人\n"
    "A,2026-01-05,CUST-88A,上官个体户,EMP-7001,5,上官本人\n"
    "B,2026-01-06,CUST-90B,乙公司,EMP-7001,7,乙\n"
    "C,2026-13-99,CUST-88A,上官个体户,EMP-7001,9,上官本人\n"
)
DEALS = (
    "商机ID,商机名称,客户编码,负责人工号,销售阶段,下一步\n"
    "D1,上官个体户扩容,CUST-88A,EMP-7001,方案,请欧阳一二回访CUST-88A。\n"
)


@pytest.fixture
def store(tmp_path):
    """A store with everything that may name a customer or a seller, some of it replaced and refused."""
    for name, text in [
        ("人员.csv", PEOPLE), ("客户.csv", CUSTOMERS), ("订单.csv", ORDERS), ("商机_2026-01-31.csv", DEALS),
        ("上官个体户的订单.csv", ORDERS.replace(",5,", ",6,")),
        ("商机_2026-02-28.csv", DEALS.replace("EMP-7001", "EMP-7002")),
    ]:  # fmt: skip
        (tmp_path / name).write_text(text, encoding="utf-8")
        import_files(tmp_path / name, tmp_path / "s.duckdb")
    return tmp_path / "s.duckdb"


def rows(path, sql):
    with engine.connect(path) as store:
        return store.rows(sql)


def test_nothing_of_an_erased_customer_is_left_in_the_bytes_of_the_store(store):
    names = [each.encode() for each in ("CUST-88A", "上官个体户", "13912345678", "上官本人")]
    assert all(each in store.read_bytes() for each in names)
    said = erase(store, "customer", "CUST-88A")
    assert said.startswith("Erased: the record of the customer is gone")
    content = store.read_bytes()
    assert [each.decode() for each in names if each in content] == []
    assert "乙公司".encode() in content
    assert not list(store.parent.glob(".s.duckdb*"))


def test_sales_of_an_erased_customer_stay_under_an_alias(store):
    before = rows(store, "SELECT count(*), sum(amount) FROM store.transactions")
    erase(store, "customer", "CUST-88A")
    assert rows(store, "SELECT count(*), sum(amount) FROM store.transactions") == before
    ((alias, amount),) = rows(store, "SELECT customer_id, amount FROM store.transactions WHERE order_id = 'A'")
    assert alias.startswith("erased-")
    assert amount == 6
    assert rows(store, "SELECT customer_id FROM store.customers") == [("CUST-90B",)]
    assert rows(store, "SELECT customer_id, name FROM store.deals") == [(alias, None)]
    assert rows(store, "SELECT count(DISTINCT alias), count(*) FROM store.erased WHERE kind = 'customers'") == [(1, 2)]


def test_a_seller_is_erased_from_lines_keys_events_and_texts(store):
    erase(store, "person", "EMP-7001")
    content = store.read_bytes()
    assert [each for each in ("EMP-7001", "欧阳一二") if each.encode() in content] == []
    keys = rows(store, f"SELECT {stored_key('transactions')}, person_id FROM store.transactions")
    assert all(key.endswith("\x1f" + person) for key, person in keys)
    ((old, new),) = rows(
        store, "SELECT old_value, new_value FROM store.deal_events WHERE field = 'owner_id' AND method = 'diff'"
    )
    assert old.startswith("erased-")
    assert new == "EMP-7002"


def test_someone_erased_does_not_come_back_with_the_next_file(store):
    erase(store, "customer", "CUST-88A")
    folder = store.parent
    (folder / "客户2.csv").write_text(CUSTOMERS + "CUST-91C,丙公司,华南,2\n", encoding="utf-8")
    report = import_files(folder / "客户2.csv", store)
    assert report.files[["read", "stored", "rejected"]].to_numpy().tolist() == [[3, 2, 1]]
    assert report.rejected[["row", "rule", "value"]].to_numpy().tolist() == [[2, "erased", None]]
    (folder / "订单2.csv").write_text(ORDERS.replace("A,2026", "Z,2026"), encoding="utf-8")
    report = import_files(folder / "订单2.csv", store)
    assert any("erased from this store" in each for each in report.warnings)
    ids = rows(store, "SELECT DISTINCT customer_id FROM store.transactions WHERE order_id IN ('A', 'Z')")
    assert len(ids) == 1
    assert ids[0][0].startswith("erased-")
    assert "上官".encode() not in store.read_bytes()


def test_other_ids_that_look_alike_are_left_alone(tmp_path):
    (tmp_path / "orders.csv").write_text(
        "order id,date,customer id,customer name,amount,note\n1,2026-01-05,1,Ann,5,box 1\n"
        "2,2026-01-05,11,Bob,6,1 and Annex\n"
    )
    import_files(tmp_path / "orders.csv", tmp_path / "s.duckdb")
    erase(tmp_path / "s.duckdb", "customer", "1")
    assert rows(tmp_path / "s.duckdb", "SELECT order_id, line_no, amount FROM store.transactions ORDER BY 1") == [
        ("1", 1, 5), ("2", 1, 6),
    ]  # fmt: skip
    assert rows(tmp_path / "s.duckdb", "SELECT customer_id, name FROM store.customers") == [("11", "Bob")]


def test_an_import_from_before_can_still_be_taken_back(store):
    erase(store, "customer", "CUST-88A")
    undo_import(store, 5)
    assert rows(store, "SELECT amount FROM store.transactions WHERE order_id = 'A'") == [(5,)]
    assert "上官".encode() not in store.read_bytes()


def test_an_unknown_id_or_kind_is_refused(store):
    with pytest.raises(BadInput, match="No customer_id 'nobody'"):
        erase(store, "customer", "nobody")
    with pytest.raises(UnknownName, match="Available: customer, person"):
        erase(store, "client", "CUST-88A")
