"""Large files: read by every query instead of copied, they give the same store and the same report."""

import pytest

from salesforecast import engine
from salesforecast.demo import write_order_lines
from salesforecast.load import clean, import_files, parquet, refusals, report, staging, text
from salesforecast.load.ledger import undo_import
from salesforecast.load.lines import stored_key

HEADER = "订单编号,下单日期,客户编码,客户名称,金额（万元）,状态,备注"
LINES = [
    "A1,2026年1月5日,007,甲公司,1.2,已完成,急",
    "A1,2026年1月5日,007,甲公司,￥0.5,作废,",
    "A2,2026/1/6,008,乙公司,-0.1,,",
    ",2026/1/7,008,乙公司,0.3,,",
    ",2026/1/7,008,乙公司,0.3,,",
    "A3,2026-02-30,008,乙公司,1,,",
    HEADER,
    "",
    "A4,2026/1/8,009",
    "A5,2026/1/9,009,丙公司, 2 ,已完成,",
    "合计,,,,1.6,,",
    "制表人：李四",
]


def lines_of(store):
    with engine.connect(store) as opened:
        columns = [each for each in opened.columns("transactions") if each != "import_id"]
        return opened.rows(f"SELECT {', '.join(columns)} FROM store.transactions ORDER BY source_row")


@pytest.fixture
def both(tmp_path, monkeypatch):
    """Import a text as a small and as a large file; return both reports and stores."""

    def load(content, name="orders.csv"):
        (tmp_path / name).write_text(content, encoding="utf-8")
        small = import_files(tmp_path / name, tmp_path / "small.duckdb")
        with monkeypatch.context() as patch:
            patch.setattr(text, "STREAMED_BYTES", 0)
            patch.setattr(report, "KEPT_IN_MEMORY", 0)
            large = import_files(tmp_path / name, tmp_path / "large.duckdb")
        return small, large, tmp_path / "small.duckdb", tmp_path / "large.duckdb"

    return load


def test_a_streamed_import_is_the_same_import(both, tmp_path):
    small, large, first, second = both("\n".join([HEADER, *LINES]) + "\n")
    counts = ["read", "stored", "rejected", "excluded", "derived"]
    assert small.files[counts].values.tolist() == large.files[counts].values.tolist() == [[11, 6, 2, 3, 3]]
    assert small.rejected.values.tolist() == large.rejected.values.tolist()
    assert lines_of(first) == lines_of(second)
    (one,) = small.write_rejected(tmp_path / "one.csv")
    (other,) = large.write_rejected(tmp_path / "other.csv")
    assert one.read_text("utf-8-sig").splitlines() == other.read_text("utf-8-sig").splitlines()


def test_numbered_lines_with_a_repeated_key_keep_the_first(both):
    body = [f"A{number},{line},2026-01-05,{number + line}" for number in range(50) for line in (1, 2)]
    small, large, first, second = both("\n".join(["订单编号,行号,下单日期,金额", *body, "A7,1,2026-01-05,99"]) + "\n")
    assert small.rejected.values.tolist() == large.rejected.values.tolist()
    assert large.rejected[["row", "rule"]].values.tolist() == [[102, "duplicate_key"]]
    assert lines_of(first) == lines_of(second)


def test_parquet_gives_the_same_lines_as_csv(tmp_path, monkeypatch):
    path = tmp_path / "lines.csv"
    write_order_lines(path, 2_000)
    import_files(path, tmp_path / "csv.duckdb")
    with engine.connect(tmp_path / "csv.duckdb", write=True) as store:
        store.execute(f"COPY (SELECT * FROM read_csv('{path}')) TO '{tmp_path}/lines.parquet' (FORMAT parquet)")
    monkeypatch.setattr(parquet, "STREAMED_BYTES", 0)
    import_files(tmp_path / "lines.parquet", tmp_path / "parquet.duckdb")
    rows = [lines_of(tmp_path / f"{name}.duckdb") for name in ("csv", "parquet")]
    assert [[each for each in row if "lines." not in str(each)] for row in rows[0]] == [
        [each for each in row if "lines." not in str(each)] for row in rows[1]
    ]


def test_gb18030_gives_the_same_lines_as_utf8(tmp_path):
    write_order_lines(tmp_path / "lines.csv", 50_000)
    (tmp_path / "gb").mkdir()
    content = (tmp_path / "lines.csv").read_text(encoding="utf-8")
    (tmp_path / "gb" / "lines.csv").write_bytes(content.encode("gb18030"))
    for name in ("lines.csv", "gb/lines.csv"):
        import_files(tmp_path / name, tmp_path / f"{name[:2]}.duckdb")
    assert lines_of(tmp_path / "li.duckdb") == lines_of(tmp_path / "gb.duckdb")


def test_the_report_names_the_first_refused_rows_and_the_store_all(tmp_path, monkeypatch):
    monkeypatch.setattr(refusals, "MOST_SHOWN", 3)
    body = "".join(f"A{number},2026-02-30,1\n" for number in range(10))
    (tmp_path / "a.csv").write_text(f"订单编号,下单日期,金额\nA,2026-01-05,1\n{body}", encoding="utf-8")
    found = import_files(tmp_path / "a.csv", tmp_path / "s.duckdb")
    assert found.rejected["row"].tolist() == [3, 4, 5]
    assert "10 rows were refused; the report lists 3 of them" in found.warnings[-1]
    with engine.connect(tmp_path / "s.duckdb") as store:
        assert store.count("rejected") == 10
    (path,) = found.write_rejected(tmp_path / "refused.csv")
    assert len(path.read_text("utf-8-sig").splitlines()) == 11


@pytest.mark.parametrize(
    "late",
    [
        'A9,1,2026-01-09,"1,250.50",\n',  # a number that is not plain
        "A9,1,2026-01-09,-3,\n",  # a return
        "A9,,2026-01-09,4,\n",  # a line without its number
        "A9,1,2026/01/09,5,\n",  # a date of another shape
        "A9,1,2026-01-09,6,急\n",  # the first cell of a column that nothing is mapped to
        "A9,1,,7,\n",  # refused, and like the others
    ],
)
def test_a_late_row_unlike_the_first_ones_is_read_as_if_it_were_the_first(both, monkeypatch, late):
    monkeypatch.setattr(staging, "_FIRST_ROWS", 4)
    monkeypatch.setattr(clean, "_SAMPLE_ROWS", 4)
    body = "".join(f"A{number},1,2026-01-0{number},{number}0,\n" for number in range(1, 9))
    small, large, first, second = both(f"订单编号,行号,下单日期,金额,备注x\n{body}{late}")
    counts = ["read", "stored", "rejected", "excluded"]
    assert small.files[counts].values.tolist() == large.files[counts].values.tolist()
    assert small.files["note"].tolist() == large.files["note"].tolist()
    assert small.rejected.values.tolist() == large.rejected.values.tolist()
    assert lines_of(first) == lines_of(second)


def test_a_line_without_a_text_of_its_key_is_replaced_like_one_of_an_older_store(tmp_path):
    head = "订单编号,行号,下单日期,金额,业务员编号\n"
    for name, older in (("new", False), ("old", True)):
        store = tmp_path / f"{name}.duckdb"
        (tmp_path / "a.csv").write_text(f"{head}A1,1,2026-01-05,1,P1\nA1,2,2026-01-05,2,P1\n", encoding="utf-8")
        import_files(tmp_path / "a.csv", store)
        with engine.connect(store, write=True) as opened:
            assert opened.rows("SELECT DISTINCT row_key FROM store.transactions") == [(None,)]
            if older:
                opened.execute(f"UPDATE store.transactions SET row_key = {stored_key('transactions')}")
        (tmp_path / "b.csv").write_text(f"{head}A1,1,2026-01-05,9,P1\nA1,3,2026-01-05,3,P1\n", encoding="utf-8")
        report = import_files(tmp_path / "b.csv", store)
        assert report.files["replaced"].tolist() == [1]
        with engine.connect(store) as opened:
            assert opened.rows("SELECT line_no, amount::INTEGER FROM store.transactions ORDER BY 1") == [
                (1, 9), (2, 2), (3, 3),
            ]  # fmt: skip
        undo_import(store, 2)
        with engine.connect(store) as opened:
            assert opened.rows("SELECT line_no, amount::INTEGER FROM store.transactions ORDER BY 1") == [(1, 1), (2, 2)]


def test_a_line_keeps_its_key_when_its_name_becomes_an_id(tmp_path):
    store = tmp_path / "s.duckdb"
    (tmp_path / "a.csv").write_text("订单编号,行号,下单日期,金额,业务员\nA1,1,2026-01-05,1,李雷\n", encoding="utf-8")
    (tmp_path / "p.csv").write_text("员工编号,姓名,团队\nP7,李雷,一组\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("订单编号,行号,下单日期,金额,业务员\nA1,1,2026-01-05,2,李雷\n", encoding="utf-8")
    for name in ("a", "p", "b"):
        report = import_files(tmp_path / f"{name}.csv", store)
    assert report.files["replaced"].tolist() == [1]
    with engine.connect(store) as opened:
        assert opened.rows("SELECT person_id, amount::INTEGER FROM store.transactions") == [("P7", 2)]
