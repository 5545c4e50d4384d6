"""What an import says about its file: control totals, drift, new versions of targets and forecasts."""

import pytest

from salesforecast import engine
from salesforecast.load import import_files


@pytest.fixture
def desk(tmp_path):
    """A folder with a store: `desk.load(name, text)` imports a file, `desk.rows(sql)` asks the store."""

    class Desk:
        path, store = tmp_path, tmp_path / "sales.duckdb"

        def load(self, name, text, **options):
            (tmp_path / name).write_text(text, encoding="utf-8")
            return import_files(tmp_path / name, self.store, **options)

        def rows(self, sql):
            with engine.connect(self.store) as store:
                return store.rows(sql)

    return Desk()


def test_a_total_row_that_agrees_with_its_lines_is_said(desk):
    report = desk.load(
        "o.csv", '订单号,订单日期,金额,数量\nA,2026-01-05,"1,000.5",2\nB,2026-01-06,-200,1\n合计,,800.5,3\n'
    )
    note = report.files["note"][0]
    assert "control total in row 4 agrees: 金额 800.5" in note
    assert "control total in row 4 agrees: 数量 3" in note
    assert report.warnings == ()


def test_a_total_row_that_does_not_add_up_is_a_warning_with_the_difference(desk):
    report = desk.load("o.csv", "订单号,订单日期,金额\nA,2026-01-05,100\nB,2026-01-06,200\n总计,,350\n")
    assert any(
        "control total 总计 in row 4 does not add up: 金额 says 350, the lines make 300 (-50)" in each
        for each in report.warnings
    )


def test_subtotals_count_the_lines_since_the_one_before_and_refused_lines_are_part_of_the_total(desk):
    report = desk.load("o.csv", (
        "订单号,订单日期,金额\nA,2026-01-05,100\nB,2026-02-30,200\n小计,,300\nC,2026-01-07,5\n小计,,5\n合计,,305\n"
    ))  # fmt: skip
    assert report.files[["read", "stored", "rejected", "excluded"]].to_numpy().tolist() == [[6, 2, 1, 3]]
    assert report.files["note"][0].count("agrees: 金额") == 3


def orders(count, amount=10, region="华东", day="2026-01-05", first=0):
    return "订单号,订单日期,金额,区域\n" + "".join(
        f"N{first + each},{day},{amount},{region}\n" for each in range(count)
    )


def test_an_import_unlike_the_one_before_says_how_and_names_the_limit(desk):
    assert desk.load("一月.csv", orders(40)).warnings == ()
    assert desk.load("二月.csv", orders(38, first=40)).warnings == ()
    warnings = "\n".join(
        desk.load("三月.csv", orders(100, 1000, "", first=100).replace(",\nN120", ",西北\nN120")).warnings
    )
    assert "unlike import 2: rows 100 after 38 (+163%, limit 50%)" in warnings
    assert "the sum 100,000 after 380" in warnings
    assert "region is empty in 99% of the rows after 0% (limit 20% more)" in warnings
    assert "new in region: 西北" in warnings


PLAN = "期间,目标,大区\n2026-01,100,华东\n2026-02,200,华东\n2026-01,50,华南\n"


def versions(desk):
    return desk.rows(
        "SELECT version, scope_id, CAST(period_start AS VARCHAR)[:7], value FROM store.targets ORDER BY 1, 2, 3"
    )


def test_corrected_targets_are_a_new_version_completed_by_the_old_one(desk):
    desk.load("销售目标.csv", PLAN)
    first = versions(desk)
    report = desk.load("销售目标修订.csv", "期间,目标,大区\n2026-02,250,华东\n2026-03,300,华东\n")
    assert [each for each in versions(desk) if each[0] == "v1"] == first
    assert [each[1:] for each in versions(desk) if each[0] == "v2"] == [
        ("华东", "2026-01", 100), ("华东", "2026-02", 250), ("华东", "2026-03", 300), ("华南", "2026-01", 50),
    ]  # fmt: skip
    assert report.files[["read", "stored", "replaced", "derived"]].to_numpy().tolist() == [[2, 2, 0, 2]]
    assert "1 targets differ from version v1, which stays: this file is version v2" in report.files["note"][0]


def test_the_same_targets_again_and_new_months_are_no_new_version(desk):
    desk.load("销售目标.csv", PLAN)
    desk.load("销售目标2.csv", PLAN + "\n")
    desk.load("销售目标3.csv", "期间,目标,大区\n2026-03,9,华东\n")
    assert {each[0] for each in versions(desk)} == {"v1"}
    desk.load("销售目标4.csv", "期间,目标,大区\n2026-02,250,华东\n")
    desk.load("销售目标5.csv", "期间,目标,大区\n2026-02,250,华东\n2026-04,7,华东\n")  # as v2 says, and a month more
    assert sorted({each[0] for each in versions(desk)}) == ["v1", "v2"]
    assert ("v2", "华东", "2026-04", 7) in versions(desk)


def test_a_named_version_is_corrected_under_its_own_name(desk):
    desk.load("销售目标.csv", "版本,期间,目标\n预算,2026-01,100\nv2,2026-01,90\n")
    desk.load("销售目标修订.csv", "版本,期间,目标\n预算,2026-01,110\n")
    assert sorted((version, value) for version, _, _, value in versions(desk)) == [
        ("v2", 90), ("预算", 100), ("预算.2", 110),
    ]  # fmt: skip


def test_a_corrected_call_of_a_seller_stands_beside_the_first_one(desk):
    head = "预测日,预测者,期间,预测值\n"
    desk.load("销售预测.csv", head + "2026-01-05,rep:P1,2026-02,100\n2026-01-05,rep:P2,2026-02,50\n")
    report = desk.load("销售预测2.csv", head + "2026-01-05,rep:P1,2026-02,120\n2026-01-05,rep:P2,2026-02,50\n")
    assert desk.rows("SELECT forecaster, value, run_id FROM store.forecasts ORDER BY 1, 2") == [
        ("rep:P1", 100, None), ("rep:P1", 120, "import-000002"), ("rep:P2", 50, None),
    ]  # fmt: skip
    assert "1 forecasts differ from what was said before" in report.files["note"][0]
    desk.load("销售预测3.csv", head + "2026-01-05,rep:P1,2026-02,120\n\n")
    assert desk.rows("SELECT count(*) FROM store.forecasts") == [(3,)]
