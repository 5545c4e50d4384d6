"""History: what two dated exports, stage columns and native logs become in deal_events."""

from datetime import date

import pytest

from salesforecast import engine
from salesforecast.errors import BadInput, BadValue
from salesforecast.load import import_files
from salesforecast.load.snapshots import date_in

HEADER = "商机ID,商机名称,销售阶段,商机状态,商机金额,预计成交日期\n"
SEPTEMBER = HEADER + "".join(
    f"D{number},甲{number},{stage},进行中,{amount},2026-12-31\n"
    for number, stage, amount in [
        (1, "初步洽谈", 100), (2, "初步洽谈", 200), (3, "方案", 300), (4, "谈判", 400), (5, "谈判", 500),
        (6, "谈判", 600), (7, "谈判", 700), (8, "谈判", 800), (9, "谈判", 900), (10, "谈判", 1000),
    ]
)  # fmt: skip
OCTOBER = HEADER + (
    "D1,甲1,方案,进行中,100,2026-12-31\n"  # moved
    "D2,甲2,初步洽谈,进行中,250,2027-01-31\n"  # amount and date corrected
    "D3,甲3,赢单,赢单,300,2026-12-31\n"  # won
    + "".join(f"D{number},甲{number},谈判,进行中,{number}00,2026-12-31\n" for number in range(4, 10))
    + "D11,甲11,初步洽谈,进行中,50,2026-12-31\n"  # new; D10 is gone
)


@pytest.fixture
def desk(tmp_path):
    """A folder with a store: `desk.load(name, text)` imports a file, `desk.rows(sql)` asks the store."""

    class Desk:
        path, store = tmp_path, tmp_path / "sales.duckdb"

        def load(self, name, text, **options):
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
            return import_files(file, self.store, **options)

        def rows(self, sql):
            with engine.connect(self.store) as store:
                return store.rows(sql)

        def changes(self, field=None):
            only = f"AND field = '{field}'" if field else ""
            return self.rows(
                'SELECT deal_id, field, old_value, new_value, CAST("at" + INTERVAL 8 HOUR AS DATE)::VARCHAR '
                f"FROM store.deal_events WHERE method = 'diff' {only} ORDER BY ALL"
            )

    return Desk()


DIFFERENCES = [
    ("D1", "stage", "初步洽谈", "方案", "2026-10-31"),
    ("D10", "status", "open", "void", "2026-10-31"),
    ("D2", "amount", "200", "250", "2026-10-31"),
    ("D2", "expected_close", "2026-12-31", "2027-01-31", "2026-10-31"),
    ("D3", "stage", "方案", "赢单", "2026-10-31"),
    ("D3", "status", "open", "won", "2026-10-31"),
]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("deals_2026-10-31", (2026, 10, 31)), ("商机20261031", (2026, 10, 31)), ("商机_20261031_1830", (2026, 10, 31)),
        ("202610311830", (2026, 10, 31)), ("商机(2026年10月)", (2026, 10, 31)), ("2026年2月1日 商机", (2026, 2, 1)),
        ("pipeline 2026.1.5", (2026, 1, 5)), ("31-10-2026", (2026, 10, 31)), ("10-31-2026", (2026, 10, 31)),
        ("Oct 5 2026", (2026, 10, 5)), ("2026-10-01_2026-10-31", (2026, 10, 31)), ("202610", (2026, 10, 31)),
        ("2026-13-45", None), ("05-06-2026", None), ("deals", None), ("00620261031999", None), ("2026", None),
        ("report1761900000", None),
    ],
)  # fmt: skip
def test_the_date_of_an_export_stands_in_its_name(name, day):
    assert date_in(name) == (date(*day) if day else None)


def test_two_dated_exports_become_events_between_them(desk):
    desk.load("商机_2026-09-30.csv", SEPTEMBER)
    assert desk.rows("SELECT count(*) FROM store.deal_events") == [(0,)]  # one export is no history
    report = desk.load("商机_2026-10-31.csv", OCTOBER)
    assert desk.changes() == DIFFERENCES
    assert desk.rows("SELECT DISTINCT at_precision, source_file FROM store.deal_events WHERE method = 'diff'") == [
        ("between_exports", "商机_2026-10-31.csv")
    ]
    assert "6 changes of 4 deals between 2 exports, 2026-09-30 to 2026-10-31" in report.files["note"][0]


def test_what_a_deal_was_when_first_seen_is_inferred(desk):
    desk.load("商机_2026-09-30.csv", SEPTEMBER)
    desk.load("商机_2026-10-31.csv", OCTOBER)
    query = (
        'SELECT deal_id, new_value, CAST("at" + INTERVAL 8 HOUR AS DATE)::VARCHAR FROM store.deal_events '
        "WHERE method = 'inferred' AND field = 'stage' AND deal_id IN ('D1', 'D11') ORDER BY ALL"
    )
    assert desk.rows(query) == [("D1", "初步洽谈", "2026-09-30"), ("D11", "初步洽谈", "2026-10-31")]


def test_an_older_export_that_comes_late_falls_into_its_place(desk):
    desk.load("商机_2026-10-31.csv", OCTOBER)
    report = desk.load("商机_2026-09-30.csv", SEPTEMBER)
    assert desk.changes() == DIFFERENCES
    assert report.files[["read", "stored", "excluded"]].to_numpy().tolist() == [[10, 1, 9]]  # D10 is in no later one
    assert desk.rows("SELECT stage, amount FROM store.deals WHERE deal_id = 'D1'") == [("方案", 100)]
    august = SEPTEMBER.replace("D1,甲1,初步洽谈", "D1,甲1,线索")
    desk.load("商机_2026-08-31.csv", august)
    assert desk.changes("stage")[0] == ("D1", "stage", "初步洽谈", "方案", "2026-10-31")
    assert desk.changes("stage")[1] == ("D1", "stage", "线索", "初步洽谈", "2026-09-30")


def test_an_export_taken_twice_changes_nothing(desk):
    desk.load("商机_2026-09-30.csv", SEPTEMBER)
    desk.load("商机_2026-10-31.csv", OCTOBER)
    before = desk.rows("SELECT * EXCLUDE (import_id, source_file) FROM store.deal_events ORDER BY ALL")
    desk.load("商机_2026-10-31.csv", OCTOBER)
    desk.load("商机_2026-10-31 (1).csv", OCTOBER)
    desk.load("商机_2026-11-05.csv", OCTOBER)
    assert desk.rows("SELECT * EXCLUDE (import_id, source_file) FROM store.deal_events ORDER BY ALL") == before
    assert desk.rows("SELECT count(*) FROM store.deals") == [(11,)]


def test_a_deal_that_is_gone_is_void_and_open_again_when_it_comes_back(desk):
    desk.load("商机_2026-09-30.csv", SEPTEMBER)
    report = desk.load("商机_2026-10-31.csv", OCTOBER)
    assert any("1 deals are gone from the export of 2026-10-31" in each for each in report.warnings)
    assert desk.rows("SELECT status, source_file FROM store.deals WHERE deal_id = 'D10'") == [
        ("void", "商机_2026-10-31.csv")
    ]
    report = desk.load("商机_2026-11-30.csv", OCTOBER + "D10,甲10,谈判,进行中,1000,2026-12-31\n")
    assert desk.changes("status")[1] == ("D10", "status", "void", "open", "2026-11-30")
    assert desk.rows("SELECT status FROM store.deals WHERE deal_id = 'D10'") == [("open",)]
    assert any("1 deals that were closed or gone are open again" in each for each in report.warnings)


def test_a_part_of_the_deals_is_no_list_of_deletions(desk):
    desk.load("商机_2026-09-30.csv", SEPTEMBER)
    report = desk.load("商机_2026-10-31.csv", HEADER + "D1,甲1,方案,进行中,100,2026-12-31\nD3,甲3,赢单,赢单,300,\n")
    assert any("8 of 10 open deals are not in the export" in each for each in report.warnings)
    assert desk.changes("status") == [("D3", "status", "open", "won", "2026-10-31")]


def test_exports_of_open_deals_do_not_say_what_became_of_those_that_left(desk):
    desk.load("商机_2026-09-30.csv", SEPTEMBER)
    without = SEPTEMBER.replace("D10,甲10,谈判,进行中,1000,2026-12-31\n", "")
    report = desk.load("商机_2026-10-31.csv", without)
    assert any("won, lost or deleted cannot be told" in each for each in report.warnings)
    assert desk.changes() == []


def test_a_renamed_stage_is_said_and_is_no_move(desk):
    desk.load("商机_2026-09-30.csv", SEPTEMBER)
    renamed = SEPTEMBER.replace("谈判", "商务谈判").replace("D1,甲1,初步洽谈", "D1,甲1,方案")
    report = desk.load("商机_2026-10-31.csv", renamed)
    assert desk.changes() == [("D1", "stage", "初步洽谈", "方案", "2026-10-31")]
    assert any("stage '谈判' is called '商务谈判' since 2026-10-31: all 7 deals" in each for each in report.warnings)
    assert desk.rows("SELECT DISTINCT new_value FROM store.deal_events WHERE deal_id = 'D5' AND field = 'stage'") == [
        ("商务谈判",)
    ]


def test_the_exports_own_time_of_the_last_move_dates_the_event(desk):
    head = "Opportunity ID,Opportunity Name,Stage,Close Date,Last Stage Change Date,Created Date\n"
    desk.load("deals 2026-09-30.csv", head + "A,x,Qualify,2026-12-31,2026-09-01 10:00,2026-08-01 09:00\n")
    new = "B,y,Qualify,2026-12-31,2026-10-03 09:00,2026-10-03 09:00\n"
    desk.load("deals 2026-10-31.csv", head + "A,x,Propose,2026-12-31,2026-10-12 15:30,2026-08-01 09:00\n" + new)
    query = (
        'SELECT deal_id, new_value, ("at" + INTERVAL 8 HOUR)::VARCHAR, at_precision FROM store.deal_events '
        "WHERE field = 'stage' ORDER BY 1, 3"
    )
    assert desk.rows(query) == [
        ("A", "Qualify", "2026-09-01 10:00:00", "exact"),
        ("A", "Propose", "2026-10-12 15:30:00", "exact"),
        ("B", "Qualify", "2026-10-03 09:00:00", "exact"),
    ]


def test_the_date_of_the_export_can_be_a_column_and_one_file_can_hold_many_exports(desk):
    text = "快照日期,商机ID,商机名称,销售阶段,商机状态\n" + "".join(
        f"{day},{deal},{deal},{stage},{status}\n"
        for day, deal, stage, status in [
            ("2026-09-30", "A", "方案", "进行中"), ("2026-09-30", "B", "方案", "进行中"),
            ("2026-10-31", "A", "谈判", "进行中"), ("2026-10-31", "B", "输单", "输单"),
        ]
    )  # fmt: skip
    report = desk.load("pipeline.csv", text)
    assert report.files[["read", "stored", "excluded"]].to_numpy().tolist() == [[4, 2, 2]]
    assert [each[:4] for each in desk.changes()] == [
        ("A", "stage", "方案", "谈判"), ("B", "stage", "方案", "输单"), ("B", "status", "open", "lost"),
    ]  # fmt: skip
    assert desk.rows("SELECT deal_id, stage FROM store.deals ORDER BY 1") == [("A", "谈判"), ("B", "输单")]


def test_a_call_or_a_mapping_can_say_the_date_and_an_undated_export_is_told_what_to_do(desk):
    desk.load("a.csv", SEPTEMBER, exported_on="2026-09-30")
    report = desk.load("b.csv", OCTOBER)
    assert any('exported_on="2026-10-31"' in each for each in report.warnings)
    assert desk.changes() == []
    desk.load("c.csv", OCTOBER, mapping={"deals": {"row.exported_on": "=2026-10-31"}})
    assert desk.changes() == DIFFERENCES
    with pytest.raises(BadValue, match="2026-10-31, found 'yesterday'"):
        desk.load("d.csv", OCTOBER, exported_on="yesterday")


def test_two_undated_exports_in_one_call_are_refused(desk):
    (desk.path / "a.csv").write_text(SEPTEMBER, encoding="utf-8")
    (desk.path / "b.csv").write_text(OCTOBER, encoding="utf-8")
    with pytest.raises(BadInput, match=r"a.csv and b.csv .* which of them is the later"):
        import_files([desk.path / "a.csv", desk.path / "b.csv"], desk.store)


def test_columns_that_say_when_a_stage_was_entered_become_events(desk):
    report = desk.load("deals.csv", (
        'Record ID,Deal Name,Deal Stage,Create Date,Close Date,"Date entered ""Qualified (Sales Pipeline)""",'
        '"Date entered ""Proposal (Sales Pipeline)""","Date entered ""Closed Won (Sales Pipeline)"""\n'
        "1,x,Closed Won,2026-01-05 09:00,2026-02-10 00:00,2026-01-06 10:30,2026-01-20 14:00,2026-02-10 16:00\n"
        "2,y,Proposal,2026-01-07 09:00,2026-03-31 00:00,2026-01-08 11:00,2026-01-30 12:00,\n"
    ))  # fmt: skip
    query = (
        'SELECT deal_id, field, old_value, new_value, ("at" + INTERVAL 8 HOUR)::VARCHAR, at_precision '
        "FROM store.deal_events WHERE method = 'columns' ORDER BY deal_id, \"at\", field DESC"
    )
    assert desk.rows(query) == [
        ("1", "stage", None, "Qualified", "2026-01-06 10:30:00", "exact"),
        ("1", "stage", "Qualified", "Proposal", "2026-01-20 14:00:00", "exact"),
        ("1", "status", None, "won", "2026-02-10 00:00:00", "day"),
        ("1", "stage", "Proposal", "Closed Won", "2026-02-10 16:00:00", "exact"),
        ("2", "stage", None, "Qualified", "2026-01-08 11:00:00", "exact"),
        ("2", "stage", "Qualified", "Proposal", "2026-01-30 12:00:00", "exact"),
    ]
    assert report.files["derived"].tolist() == [6]


def test_stage_columns_of_days_in_chinese_have_the_precision_of_a_day(desk):
    desk.load("商机.csv", (
        "商机ID,商机名称,销售阶段,进入方案阶段时间,进入谈判阶段时间\nA,甲,谈判,2026-01-06,2026-02-01\nB,乙,方案,2026-01-09,\n"
    ))  # fmt: skip
    assert desk.rows('SELECT deal_id, new_value, at_precision FROM store.deal_events ORDER BY deal_id, "at"') == [
        ("A", "方案", "day"),
        ("A", "谈判", "day"),
        ("B", "方案", "day"),
    ]


def test_native_history_wins_over_what_exports_suggest(desk):
    log = "商机ID,变更时间,变更前阶段,变更后阶段\nD1,2026-10-12 15:30,初步洽谈,方案\n"
    desk.load("商机_2026-09-30.csv", SEPTEMBER)
    desk.load("商机_2026-10-31.csv", OCTOBER)
    desk.load("商机阶段变更历史.csv", log)
    assert [each for each in desk.changes("stage") if each[0] == "D1"] == []
    assert desk.rows("SELECT method FROM store.deal_events WHERE deal_id = 'D1' AND field = 'stage' ORDER BY 1") == [
        ("inferred",), ("native",),
    ]  # fmt: skip


def test_rows_of_a_log_that_change_another_field_are_events_of_that_field(desk):
    report = desk.load("OpportunityHistory.csv", (
        "Id,OpportunityId,CreatedById,CreatedDate,StageName,Amount,CloseDate,Probability,ForecastCategory,IsDeleted\n"
        "1,A,U,2026-01-05T01:00:00Z,Qualification,100,2026-03-31,10,Pipeline,false\n"
        "2,A,U,2026-01-09T01:00:00Z,Qualification,150,2026-03-31,10,Pipeline,false\n"
        "3,A,U,2026-02-01T01:00:00Z,Closed Won,150,2026-02-01,100,Closed,false\n"
    ))  # fmt: skip
    assert report.files[["read", "stored", "excluded"]].to_numpy().tolist() == [[3, 2, 1]]
    assert "1 rows change no stage" in report.files["note"][0]
    assert desk.rows(
        "SELECT field, old_value, new_value FROM store.deal_events ORDER BY field, \"at\""
    ) == [
        ("amount", None, "100"), ("amount", "100", "150"),
        ("expected_close", None, "2026-03-31"), ("expected_close", "2026-03-31", "2026-02-01"),
        ("forecast_category", None, "pipeline"), ("forecast_category", "pipeline", "closed"),
        ("probability", None, "0.1"), ("probability", "0.1", "1.0"),
        ("stage", None, "Qualification"), ("stage", None, "Closed Won"),
    ]  # fmt: skip


def test_a_real_export_and_its_history_load_whole(shared_data, tmp_path):
    # Figures: SOURCE.md of the sample, 36 deals with 48 rows of history.
    folder = shared_data / "salesforce_export_sample"
    import_files([folder / "Opportunity.csv", folder / "OpportunityHistory.csv"], tmp_path / "s.duckdb")
    with engine.connect(tmp_path / "s.duckdb") as store:
        assert store.rows("SELECT count(*), sum(amount) FROM store.deals") == [(36, 5_760_000)]
        assert store.rows("SELECT count(*), count(DISTINCT deal_id) FROM store.deal_events WHERE field = 'stage'") == [
            (48, 36)
        ]


@pytest.mark.slow
def test_a_real_event_log_loads_whole(shared_data, tmp_path):
    # Figures: SOURCE.md of the log, 72,413 events of 9,658 cases.
    report = import_files(
        shared_data / "stage_event_log" / "bpi_12_w.csv.gz", tmp_path / "s.duckdb", preset="event_log"
    )
    assert report.files["read"].sum() == 72_413
    with engine.connect(tmp_path / "s.duckdb") as store:
        stored, cases = store.rows("SELECT count(*), count(DISTINCT deal_id) FROM store.deal_events")[0]
    assert (stored + len(report.rejected), cases) == (72_413, 9_658)
