"""The state of the records: duplicates, freshness, control totals, drift, the score of a team, rows to clean up."""

from datetime import date, datetime

import pandas as pd
import pytest

import salesforecast as sf
from salesforecast.analysis.records import plain_name
from salesforecast.load import import_files


def lines(customers, amounts, day=date(2026, 10, 12)):
    return pd.DataFrame({
        "date": day, "amount": [float(each) for each in amounts], "customer_id": customers,
        "order_id": [f"SO{number}" for number in range(len(amounts))],
    })  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("北京星河科技有限公司", "北京 星河科技（有限责任公司）"), ("ＡＢＣ贸易", "abc贸易公司"),
        ("Foo & Bar, Inc.", "FOO BAR"),
        ("Müller GmbH", "müller"), ("A·B Co., Ltd", "ab"),
    ],
)  # fmt: skip
def test_spellings_of_one_company_are_one_name(one, other):
    assert plain_name(one) == plain_name(other)


def test_different_companies_stay_different():
    assert plain_name("甲乙集团") != plain_name("甲乙贸易")
    assert plain_name("有限公司") == "有限公司"


def test_duplicates_are_found_by_name_and_credit_code_with_what_is_sold_under_them(make_store):
    customers = pd.DataFrame({
        "customer_id": ["C1", "C2", "C3", "C4"], "name": ["甲有限公司", "乙科技", "乙科技有限公司", "丙"],
    })  # fmt: skip
    store = make_store(transactions=lines(["C1", "C2", "C3", "C4"], [10, 20, 30, 40]), customers=customers)
    with sf.open(store) as wb:
        frame, checks = sf.quality.duplicates(wb), sf.quality.checks(wb).set_index("check")
    assert frame[["group", "reason", "customer_id", "revenue", "surplus"]].to_numpy().tolist() == [
        [1, "same_name", "C3", 30, 20], [1, "same_name", "C2", 20, 20],
    ]  # fmt: skip
    assert checks.loc["duplicate_customers", ["rows", "share", "amount"]].tolist() == [1, 0.25, 20]


def test_credit_codes_decide_whatever_the_names_are(tmp_path):
    head = "客户编码,客户名称,区域,统一社会信用代码\n"
    same, other = "91310000MA1FL0AB12", "91310000MA1FL0AB99"
    (tmp_path / "客户.csv").write_text(
        head + f"C1,甲,华东,{same}\nC2,完全不同,华东,{same}\nC3,丁,华东,{same[:-1]}9\nC4,丁公司,华东,{other}\n",
        encoding="utf-8",
    )
    (tmp_path / "o.csv").write_text(
        "订单号,订单日期,客户编码,金额\n1,2026-10-01,C1,5\n2,2026-10-01,C2,7\n", encoding="utf-8"
    )
    import_files([tmp_path / "客户.csv", tmp_path / "o.csv"], tmp_path / "s.duckdb")
    with sf.open(tmp_path / "s.duckdb") as wb:
        frame = sf.quality.duplicates(wb)
    assert frame[["reason", "customer_id", "surplus"]].to_numpy().tolist() == [
        ["credit_code", "C2", 5], ["credit_code", "C1", 5],
    ]  # fmt: skip


def test_freshness_counts_days_from_the_newest_row_in_local_time(make_store):
    activities = pd.DataFrame({"activity_id": ["a"], "at": [datetime(2026, 10, 20, 17)], "person_id": ["P1"]})
    store = make_store(transactions=lines(["C1"], [1], date(2026, 10, 1)), activities=activities)
    with sf.open(store, as_of="2026-10-31") as wb:
        frame = sf.quality.freshness(wb).set_index("table")
    # 17:00 UTC is 1 o'clock of the next day in Shanghai.
    assert frame["newest"].to_dict() == {"transactions": date(2026, 10, 1), "activities": date(2026, 10, 21)}
    assert frame["age"].to_dict() == {"transactions": 30, "activities": 10}


def test_control_totals_and_drift_are_told_by_file(tmp_path):
    def load(name, count, total):
        text = "订单号,订单日期,金额\n" + "".join(f"{name}{each},2026-10-01,10\n" for each in range(count))
        (tmp_path / f"{name}.csv").write_text(f"{text}合计,,{total}\n", encoding="utf-8")
        import_files(tmp_path / f"{name}.csv", tmp_path / "s.duckdb")

    load("a", 30, 300)
    load("b", 90, 800)
    with sf.open(tmp_path / "s.duckdb") as wb:
        controls, drift = sf.quality.controls(wb), sf.quality.drift(wb)
        checks = sf.quality.checks(wb)["check"].tolist()
    assert controls[["file", "row", "said", "found", "difference", "agrees"]].to_numpy().tolist() == [
        ["b.csv", 92, 800, 900, 100, False], ["a.csv", 32, 300, 300, 0, True],
    ]  # fmt: skip
    assert drift[["file", "kind", "moved"]].to_numpy().tolist() == [
        ["b.csv", "drift_rows", 2.0], ["b.csv", "drift_amount", 2.0],
    ]  # fmt: skip
    assert {"control_total", "import_drift"} <= set(checks)


def test_the_score_of_a_team_is_the_mean_of_its_shares(make_store):
    customers = pd.DataFrame({
        "customer_id": ["C1", "C2", "C3", "C4"], "name": ["甲", "乙", "丙", None],
        "owner_id": ["P1", "P1", "P2", "P9"], "last_followed_at": [date(2026, 10, 1), date(2026, 1, 1), None, None],
    })  # fmt: skip
    people = pd.DataFrame({"person_id": ["P1", "P2"], "team": ["一部", "二部"]})
    sold = lines(["C3"], [1])
    with sf.open(make_store(transactions=sold, customers=customers, people=people), as_of="2026-10-31") as wb:
        frame = sf.quality.customers(wb).set_index("team")
    # Fields in use: name, owner_id, last_followed_at.
    assert frame.loc["一部"].tolist() == [2, 1.0, 0.5, 1.0, 1.0, 87.5]
    assert frame.loc["*", ["customers", "filled_share", "owned_share"]].tolist() == [4, 9 / 12, 0.75]


def test_rows_to_clean_up_come_with_file_and_row(tmp_path):
    (tmp_path / "订单.csv").write_text(
        "订单号,订单日期,客户编码,金额,成本\nA,2026-10-01,C1,100,120\nB,2026-10-02,C9,50,10\nC,2026-10-03,C1,待定,1\n",
        encoding="utf-8",
    )
    (tmp_path / "客户.csv").write_text("客户编码,客户名称,区域\nC1,甲,华东\n", encoding="utf-8")
    import_files([tmp_path / "订单.csv", tmp_path / "客户.csv"], tmp_path / "s.duckdb")
    with sf.open(tmp_path / "s.duckdb") as wb:
        frame = sf.quality.problems(wb)
    columns = ["rule", "severity", "column", "file", "row", "key", "written", "amount"]
    assert frame[columns].astype(object).fillna(0).to_numpy().tolist() == [
        ["unreadable", "error", "amount", "订单.csv", 4, 0, "待定", 0],
        ["orphan", "warning", "customer_id", "订单.csv", 3, "B", "C9", 50],
        ["below_cost", "info", "cost_amount", "订单.csv", 2, "A", "120.0000", 100],
    ]


def test_every_rule_of_the_store_runs_and_has_its_words(make_store):
    from salesforecast.load.rules import RULES
    from salesforecast.present.labels import label
    from salesforecast.schema import TABLES

    one = {
        name: pd.DataFrame({column: ["x"] for column in table.names if table.column(column).kind == "text"})
        for name, table in TABLES.items()
    }
    one["transactions"] = lines(["x"], [1]).assign(status="valid", txn_type="order")
    with sf.open(make_store(**one)) as wb:
        frame = sf.quality.problems(wb)
    assert set(frame["severity"]) <= {"error", "warning", "info"}
    for rule in RULES:
        assert label("rule", rule.name, "zh")
        assert label("effect", rule.effect, "en")
