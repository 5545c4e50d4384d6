import pytest

from salesforecast.errors import BadInput, BadSettings
from salesforecast.load import import_files
from salesforecast.settings import ImportLimits, parse_settings

ORDERS = "订单编号,订单日期,金额,备注\nA1,2026-01-05,10,x\nA2,2026-01-06,20,y\n"


@pytest.fixture
def orders(tmp_path):
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    return tmp_path / "orders.csv"


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ("rows = 1", "orders.csv has 2 rows, over the limit of 1 "),
        ("columns = 3", "orders.csv has 4 columns, over the limit of 3 "),
    ],
)
def test_limits_of_the_settings_hold_for_an_import_and_name_their_key(orders, tmp_path, limits, says):
    (tmp_path / "salesforecast.toml").write_text(f"[import]\n{limits}\n")
    with pytest.raises(BadInput, match=says):
        import_files(orders, tmp_path / "sales.duckdb")


@pytest.mark.parametrize("quoted", ["", '"'])
def test_a_cell_over_the_limit_is_refused(tmp_path, quoted):
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS + f"A3,2026-01-07,30,{quoted}{'z' * 2000}{quoted}\n", encoding="utf-8")
    with pytest.raises(BadInput, match="2,000 characters in a cell, over the limit of 1,000"):
        import_files(path, tmp_path / "s.duckdb", settings=parse_settings({"import": {"cell_characters": 1000}}))


def test_a_file_over_the_limit_is_not_opened(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.truncate(1_100_000)
    with pytest.raises(BadInput, match="over 1 MB"):
        import_files(path, tmp_path / "s.duckdb", settings=parse_settings({"import": {"file_mb": 1}}))


def test_a_wrong_limit_is_an_error_that_names_the_right_one():
    with pytest.raises(BadSettings, match=r"'import.row'. Did you mean 'rows'"):
        parse_settings({"import": {"row": 1}})
    with pytest.raises(BadSettings, match="greater than 0"):
        parse_settings({"import": {"rows": 0}})


def test_three_hundred_columns_and_a_cell_of_a_megabyte_are_within_the_limits(tmp_path):
    path = tmp_path / "orders.csv"
    more = ",".join(f"f{each}" for each in range(296))
    path.write_text(f"订单编号,订单日期,金额,备注,{more}\nA1,2026-01-05,10,{'z' * 999_999},{more}\n", encoding="utf-8")
    columns = {"order_id": "订单编号", "date": "订单日期", "amount": "金额"}
    report = import_files(path, tmp_path / "s.duckdb", mapping={"transactions": columns})
    assert report.files["stored"].tolist() == [1]
    assert "left out: over" in " ".join(report.warnings)
    assert ImportLimits().columns >= 300


def test_damaged_ids_are_stored_and_warned_of(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("订单编号,订单日期,金额\n1.21143E+15,2026-01-05,10\n007,2026-01-06,20\n", encoding="utf-8")
    report = import_files(path, tmp_path / "s.duckdb")
    assert report.files["stored"].tolist() == [2]
    assert any("order_id: 1 ids are damaged, such as '1.21143E+15'" in each for each in report.warnings)
