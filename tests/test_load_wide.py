import openpyxl
import pytest

from salesforecast import engine
from salesforecast.errors import AmbiguousMapping, BadInput
from salesforecast.load import import_files
from salesforecast.load.periods import covered, span_of, start_of


@pytest.fixture
def wide(tmp_path):
    """Import one wide table (CSV text or rows of a sheet); return the report and a function for its targets."""

    def load(name, table, *, fiscal=1, **options):
        path = tmp_path / name
        if isinstance(table, str):
            path.write_text(table, encoding="utf-8")
        else:
            book = openpyxl.Workbook()
            for row in table:
                book.active.append(row)
            book.save(path)
        if fiscal != 1:
            (tmp_path / "salesforecast.toml").write_text(f"[fiscal]\nyear_start_month = {fiscal}\n")
        report = import_files(path, tmp_path / "s.duckdb", **options)

        def rows(columns, of="targets"):
            with engine.connect(tmp_path / "s.duckdb") as store:
                return store.rows(f"SELECT {columns} FROM store.{of} ORDER BY source_row, period_start")

        return report, rows

    return load


PEOPLE = (
    "2026年销售目标（单位：万元）,,,,,,\n"
    "部门,姓名,1月,2月,3月,一季度,合计\n"
    "一部,张三,10,20,30,60,60\n"
    "一部,李四,1,2,3,6,6\n"
    "小计,,11,22,33,66,66\n"
    "二部,王五,5,5,5,15,15\n"
    "合计,,16,27,38,81,81\n"
)


def test_people_by_months_with_subtotals_count_once(wide):
    report, rows = wide("目标.csv", PEOPLE)
    assert len(rows("value")) == 9
    assert sum(value for (value,) in rows("value")) == 810_000
    assert rows("scope_type, scope_id, grain, period_start::VARCHAR, x_部门")[3] == (
        "person", "李四", "month", "2026-01-01", "一部",
    )  # fmt: skip
    note = report.files["note"][0]
    assert "column 一季度 used as control totals: they add up" in note
    assert "total rows used as control totals: they add up" in note


def test_totals_that_do_not_match_are_reported(wide):
    report, rows = wide("目标.csv", PEOPLE.replace("合计,,16,27,38,81,81", "合计,,16,27,39,81,81"))
    assert sum(value for (value,) in rows("value")) == 810_000
    assert "合计, 3月: says 39, the rows add up to 38" in report.warnings[0]


def test_quarters_follow_the_fiscal_year_of_the_settings(wide):
    report, rows = wide("quota FY26.csv", "Sales Rep,Q1,Q2,Q3,Q4,Total\nAnn,1,2,3,4,10\n", fiscal=4)
    assert rows("grain, period_start::VARCHAR, value") == [
        ("quarter", "2025-04-01", 1), ("quarter", "2025-07-01", 2),
        ("quarter", "2025-10-01", 3), ("quarter", "2026-01-01", 4),
    ]  # fmt: skip
    assert "2026 is the fiscal year that ends in 2026" in report.warnings[0]


def test_quarters_and_years_in_a_column_are_fiscal_too(wide):
    report, rows = wide("targets.csv", "期间,目标值\n2026-Q4,100\n2026,400\n2026-05,7\n", fiscal=4)
    assert rows("grain, period_start::VARCHAR") == [
        ("quarter", "2026-01-01"), ("year", "2025-04-01"), ("month", "2026-05-01"),
    ]  # fmt: skip
    assert "quarters and years are fiscal, from month 4" in report.warnings[0]


def test_months_of_a_fiscal_year_run_over_new_year(wide):
    months = "Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec,Jan,Feb,Mar"
    _, rows = wide("FY2026 targets.csv", f"Rep,{months}\nAnn,1,2,3,4,5,6,7,8,9,10,11,12\n", fiscal=4)
    found = rows("period_start::VARCHAR, value")
    assert (found[0], found[-1]) == (("2025-04-01", 1), ("2026-03-01", 12))


def test_targets_and_results_under_merged_months_are_two_tables(wide):
    report, rows = wide(
        "2026.xlsx",
        [
            ["区域", "1月", None, "2月", None],
            [None, "目标", "实际", "目标", "实际"],
            ["华东", 10, 9, 20, 22],
            ["合计", 10, 9, 20, 22],
        ],
    )
    assert report.files[["table", "read", "stored"]].values.tolist() == [["targets", 2, 2], ["measurements", 2, 2]]
    assert rows("measure, scope_id, period_start::VARCHAR, value") == [
        ("revenue", "华东", "2026-01-01", 10), ("revenue", "华东", "2026-02-01", 20),
    ]  # fmt: skip
    assert rows("value", "measurements") == [(9,), (22,)]


def test_a_matrix_of_measures_keeps_units_apart(wide):
    _, rows = wide("KPI 2026.csv", "月份,姓名,销售额目标(万元),回款目标(万元),新客户数目标\n1月,张三,10,8,2\n")
    assert rows("measure, value") == [("revenue", 100_000), ("receipts", 80_000), ("new_customers", 2)]


def test_measures_in_merged_rows_and_a_budget_of_expenses(wide):
    _, rows = wide("2026指标.xlsx", [["团队", "指标", "1月", "2月"], ["华东", "销售额", 1, 2], [None, "回款", 3, 4]])
    assert rows("scope_id, measure, value") == [
        ("华东", "revenue", 1), ("华东", "revenue", 2), ("华东", "receipts", 3), ("华东", "receipts", 4),
    ]  # fmt: skip


def test_a_budget_without_a_dimension_is_of_the_company(wide):
    _, rows = wide("费用预算2026.csv", "科目,1月,2月,全年\n销售费用,1,2,3\n市场费用,3,4,7\n")
    assert rows("kind, measure, scope_type, value")[0] == ("budget", "expense_sales", "company", 1)
    assert len(rows("value")) == 4


def test_years_in_a_column_or_in_the_row_above(wide):
    _, rows = wide("目标.csv", "年份,区域,一季度,二季度\n2025,华东,1,2\n2026,华东,3,4\n")
    assert rows("period_start::VARCHAR, value")[2] == ("2026-01-01", 3)
    _, rows = wide(
        "目标.xlsx", [["", "2025年", None, "2026年", None], ["大区", "Q1", "Q2", "Q1", "Q2"], ["东", 1, 2, 3, 4]]
    )
    assert ("2026-04-01", 4) in rows("period_start::VARCHAR, value")


def test_half_years_become_two_equal_quarters_and_the_note_says_so(wide):
    report, rows = wide("目标2026.csv", "大区,上半年,下半年,全年\n华东,100,200,300\n")
    assert rows("grain, period_start::VARCHAR, value")[::3] == [
        ("quarter", "2026-01-01", 50), ("quarter", "2026-10-01", 100),
    ]  # fmt: skip
    assert "two equal quarters" in report.files["note"][0]


def test_ratios_are_not_imported(wide):
    report, rows = wide(
        "目标2026.csv", "姓名,1月目标,1月完成,1月完成率,2月目标,2月完成,2月完成率\n张三,10,9,90%,20,20,100%\n"
    )
    assert (rows("value"), rows("value", "measurements")) == ([(10,), (20,)], [(9,), (20,)])
    assert "not read because they can be computed: 1月完成率, 2月完成率" in str(report)


def test_one_target_column_with_a_year_will_do(wide):
    _, rows = wide("目标.csv", "姓名,工号,2026年目标(万元)\n张三,P1,120\n")
    assert rows("scope_id, grain, period_start::VARCHAR, value") == [("P1", "year", "2026-01-01", 1_200_000)]


@pytest.mark.parametrize(
    ("name", "text", "error", "says"),
    [
        ("目标.csv", "姓名,1月,2月\n张三,1,2\n", BadInput, "month 1 of which year"),
        ("销售额.csv", "姓名,2026-01,2026-02\n张三,1,2\n", AmbiguousMapping, r'"targets": \{"from": "销售额.csv"'),
        ("目标2026.csv", "对象名,1月,2月\nA,1,2\nB,3,4\n", AmbiguousMapping, '"scope_id": "对象名"'),
    ],
)
def test_what_is_not_told_is_refused_with_the_way_out(wide, name, text, error, says):
    with pytest.raises(error, match=says):
        wide(name, text)


def test_the_mapping_answers_what_a_wide_table_leaves_open(wide):
    mapping = {"targets": {"from": "目标2026.csv", "scope_type": "=team", "scope_id": "对象名"}}
    _, rows = wide("目标2026.csv", "对象名,1月,2月\nA,1,2\nB,3,4\n", mapping=mapping)
    assert rows("scope_type, scope_id, value")[-1] == ("team", "B", 4)


def test_an_order_list_with_months_in_its_headers_stays_an_order_list(wide):
    report, _ = wide("orders.csv", "order id,order date,amount,2026-01,2026-02\n1,2026-01-05,10,1,0\n")
    assert report.files["table"].tolist() == ["transactions"]


@pytest.mark.parametrize(
    ("text", "grain", "number", "year"),
    [
        ("1月", "month", 1, None), ("十二月", "month", 12, None), ("2026年1月", "month", 1, 2026),
        ("2026-01", "month", 1, 2026), ("202601", "month", 1, 2026), ("26年3月", "month", 3, 2026),
        ("Jan", "month", 1, None), ("September 2026", "month", 9, 2026), ("2026-03-01", "month", 3, 2026),
        ("Q1'26", "quarter", 1, 2026), ("1Q26", "quarter", 1, 2026), ("第三季度", "quarter", 3, None),
        ("H2", "half", 2, None), ("2026年上半年", "half", 1, 2026), ("FY26", "year", 1, 2026),
        ("全年", "year", 1, None),
        ("Grand Total", "total", 1, None), ("小计", "subtotal", 1, None),
    ],
)  # fmt: skip
def test_headers_that_name_a_period(text, grain, number, year):
    span = span_of(text)
    assert (span.grain, span.number, span.year, span.rest) == (grain, number, year, "")


@pytest.mark.parametrize("text", ["Marketing", "姓名", "Month", "月份", "Order Date", "SKU", "Maybe", "13月"])
def test_headers_that_name_none(text):
    assert span_of(text) is None


def test_fiscal_months_count_from_the_start_of_the_year():
    assert span_of("P1", first_month=4).number == 4
    assert start_of("half", 2, 2026, 4).isoformat() == "2025-10-01"
    assert len(covered(start_of("year", 1, 2026), "year")) == 12
