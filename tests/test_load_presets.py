import json

import pytest

from salesforecast import engine
from salesforecast.errors import BadInput, UnknownName
from salesforecast.load import import_files, presets
from salesforecast.load.huoban import huoban_mapping
from salesforecast.load.mapping import STATES
from salesforecast.load.recognise import recognise_headers
from salesforecast.load.spelling import loose, normalise, unit, within
from salesforecast.schema import TABLES

EXPORTS = [(name, export) for name in presets.names() for export in presets.load(name).exports]


@pytest.mark.parametrize(("name", "export"), EXPORTS, ids=[export.name for _, export in EXPORTS])
def test_every_export_names_columns_and_codes_that_exist(name, export):
    table = TABLES[export.table]
    known = {*table.names, *(each.name for each in table.virtual), *presets.load("auto").columns[export.table], *STATES}
    assert {*export.columns, *export.constants} <= known
    for column, codes in export.values.items():
        values = table.column(column).values
        assert not values or set(codes.values()) <= set(values), column


@pytest.mark.parametrize(("name", "export"), EXPORTS, ids=[export.name for _, export in EXPORTS])
def test_every_export_is_recognised_by_its_own_headers(name, export):
    """A file with the best-ranked header of every column is this export, by its preset."""
    wanted = {column: min(tiers[0], key=len).lstrip("~") for column, tiers in export.columns.items() if tiers}
    proof = [min((each for each in group if not each.startswith("~")), key=len) for group in export.proof]
    headers = list(dict.fromkeys([*wanted.values(), *proof]))
    match = recognise_headers(headers, presets.load(name), " ".join(export.words[:1]))
    assert match is not None
    assert not match.missing
    assert match.table == export.table or not export.auto


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'salesforce'"):
        presets.load("sales_force")


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("商机名称（必填）", "商机名称"), ("*商机名称", "商机名称"), ("訂單編號", "订单编号"),
        ("Order_Date", "orderdate"),
        ("金额(万元)", "金额"), ("金额(含税)", "金额含税"), ("Número", "numero"), ("ＡＭＯＵＮＴ", "amount"),
    ],
)  # fmt: skip
def test_the_exact_form_of_a_header(written, plain):
    assert normalise(written) == plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Cust. No.", "customer id"), ("ORD_DT", "order date"), ("Qty Ordered", "ordered quantity"),
        ("Deal - Value", "deal value"), ("order_purchase_timestamp", "order purchase date"), ("Amt", "Amounts"),
    ],
)  # fmt: skip
def test_the_loose_form_of_english_headers(one, other):
    assert loose(one) & loose(other)


def test_the_loose_form_of_chinese_headers():
    assert "商机名称" in loose("商机-商机名称")
    assert "销售额" in loose("销售额/万元")
    assert "含税金额" in loose("合同总金额（含税）")
    assert "所有人" in within("商机所有人", "deals")


@pytest.mark.parametrize(
    ("header", "expected"),
    [("金额（万元）", "万元"), ("销售额/万元", "万元"), ("Sales ($000)", "thousand"), ("Amount [k€]", "k"),
     ("Revenue in K", "k"), ("Amount (USD)", "USD"), ("数量(箱)", "箱"), ("Order Date", None),
     ("Sub-Category", None), ("赢率(%)", "%")],
)  # fmt: skip
def test_the_unit_of_a_header(header, expected):
    assert unit(header) == expected


def test_codes_know_traditional_spelling_and_each_system_its_own():
    auto = presets.load("auto")
    assert auto.codes("deals", "status")["贏單"] == "won"
    history = next(each for each in presets.load("salesforce").exports if each.name.endswith("FieldHistory"))
    assert auto.speaking(history).codes("deal_events", "field")["closedate"] == "expected_close"


def test_tax_in_a_header_is_known_without_being_listed():
    included = presets.load("auto").tax_included
    assert [normalise(each) in included for each in ("合同总金额(含税)", "Total incl. VAT", "不含税金额")] == [
        True,
        True,
        False,
    ]


def test_the_date_columns_of_stages():
    headers = ["Deal Name", 'Date entered "Closed won (Sales Pipeline)"', "hs_v2_date_entered_77", "进入谈判阶段时间"]
    assert list(presets.stage_columns(headers).values()) == ["Closed won", "77", "谈判"]
    assert presets.stage_columns(["hs_v2_date_entered_current_stage", "Date entered current stage"]) == {}


HUOBAN = {
    "code": 0,
    "data": {
        "table_id": "2100000012345678", "name": "销售机会",
        "fields": [
            {"field_id": "2200000145748085", "name": "机会名称", "type": "text"},
            {"field_id": "2200000145748086", "name": "销售阶段", "type": "category"},
            {"field_id": "2200000145748087", "name": "预计金额（万元）", "type": "number"},
        ],
    },
}  # fmt: skip


def test_a_huoban_mapping_is_made_from_the_configuration_of_the_table():
    assert huoban_mapping(json.loads(json.dumps(HUOBAN))) == {
        "deals": {
            "deal_id": "item_id", "name": "2200000145748085", "stage": "2200000145748086", "amount": "2200000145748087",
        }
    }  # fmt: skip
    with pytest.raises(BadInput, match="no fields"):
        huoban_mapping({"data": {}})


SAMPLES = {
    "salesforce Opportunity.csv": (
        "Id,Name,StageName,Amount,Probability,CloseDate,IsClosed,IsWon,IsDeleted,Type,ForecastCategory\n"
        "006A,One,Closed Won,100,100,2026-01-05,TRUE,TRUE,FALSE,New Customer,Closed\n"
        "006B,Two,Closed Lost,50,0,2026-01-06,TRUE,FALSE,FALSE,Existing Business,Omitted\n"
        "006C,Three,Qualification,70,10,2026-05-06,FALSE,FALSE,FALSE,,Forecast\n"
        "006D,Gone,Qualification,70,10,2026-05-06,FALSE,FALSE,TRUE,,Pipeline\n"
    ),
    "hubspot deals.csv": (
        "Record ID,Deal Name,Deal Stage,Amount,Close Date,Pipeline,Create Date,Deal Type\n"
        "1,One,closedwon,100,2026-01-05 00:00,default,2025-12-01 09:00,newbusiness\n"
        "2,Two,closedlost,50,2026-01-06 00:00,default,2025-12-01 09:00,\n"
        "3,Three,appointmentscheduled,70,2026-05-06 00:00,default,2025-12-01 09:00,\n"
    ),
    "商机.csv": (
        "数据ID,商机名称,商机阶段,阶段状态,商机金额（元）,赢率,预计成交日期,生命状态\n"
        "a1,一,签约,赢单,100,100,2026-01-05,正常\n"
        "a2,二,丢失,输单,50,0,2026-01-06,正常\n"
        "a3,三,初步接洽,进行中,70,10,2026-05-06,正常\n"
        "a4,四,初步接洽,进行中,70,10,2026-05-06,作废\n"
    ),
    "crm.lead.csv": (
        "id,name,type,stage_id,expected_revenue,probability,date_deadline,active,team_id\n"
        "1,One,opportunity,Won,100,100,2026-01-05,TRUE,Sales\n"
        "2,Two,opportunity,New,50,0,2026-01-06,FALSE,Sales\n"
        "3,Three,opportunity,Qualified,70,10,2026-05-06,TRUE,Sales\n"
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_deals_of_four_systems_say_how_they_stand(tmp_path, name):
    path = tmp_path / name
    path.write_text(SAMPLES[name], encoding="utf-8")
    report = import_files(path, tmp_path / "s.duckdb")
    with engine.connect(tmp_path / "s.duckdb") as store:
        found = store.rows(
            "SELECT status, CAST(amount AS INTEGER), closed_at::VARCHAR, CAST(won_amount AS INTEGER) FROM store.deals "
            "ORDER BY source_row"
        )
    assert found == [("won", 100, "2026-01-05", 100), ("lost", 50, "2026-01-06", None), ("open", 70, None, None)]
    deleted = SAMPLES[name].count("\n") - 4
    assert report.files["excluded"].tolist() == [deleted]
    assert ("1 deleted or void records left out" in str(report)) is bool(deleted)


def test_a_board_goes_to_the_register_or_becomes_a_pipeline_when_asked(tmp_path):
    path = tmp_path / "board.csv"
    path.write_text(
        "Task ID,Created At,Completed At,Last Modified,Name,Section/Column,Assignee,Due Date\n"
        "12,2026-01-05,2026-01-07,2026-01-07,Call,Won,Ann,2026-01-09\n"
        "13,2026-01-05,,2026-01-07,Meet,Talks,Ann,2026-02-09\n",
        encoding="utf-8",
    )
    report = import_files(path, tmp_path / "s.duckdb")
    assert 'write {"deals": {"from": "board.csv"}}' in str(report)
    with engine.connect(tmp_path / "s.duckdb") as store:
        query = "SELECT title, kind, status, opened_at::VARCHAR FROM store.register ORDER BY item_id"
        assert store.rows(query) == [("Call", "task", "done", "2026-01-05"), ("Meet", "task", "open", "2026-01-05")]
    import_files(path, tmp_path / "t.duckdb", mapping={"deals": {"from": "board.csv"}})
    with engine.connect(tmp_path / "t.duckdb") as store:
        assert store.rows("SELECT deal_id, stage, status, owner_id FROM store.deals ORDER BY 1") == [
            ("12", "Won", "won", "Ann"), ("13", "Talks", "open", "Ann"),
        ]  # fmt: skip
