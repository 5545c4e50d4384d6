import pytest

import salesforecast as sf
from salesforecast import engine
from salesforecast.errors import BadInput, UnknownName
from salesforecast.load import import_files

LEDGER = (
    "签约日期,合同编号,甲方代表,合同额(万元),销售,结款方式\n"
    "2026-01-05,A1,甲公司,1.2,张三,现金\n2026-01-06,A2,乙公司,3,李四,电汇\n"
)


@pytest.fixture
def ledger(tmp_path):
    path = tmp_path / "合同台账.csv"
    path.write_text(LEDGER, encoding="utf-8")
    return path


def rows(store, sql):
    with engine.connect(store) as opened:
        return opened.rows(sql)


def test_a_dry_run_shows_each_column_with_field_examples_and_certainty(ledger, tmp_path):
    report = import_files(ledger, tmp_path / "s.duckdb", dry_run=True)
    found = {line.header: (line.field, line.how, line.examples) for line in report.previews[0].lines}
    assert found["签约日期"] == ("date", "alias", ("2026-01-05", "2026-01-06"))
    assert found["甲方代表"] == ("", "", ("甲公司", "乙公司"))
    text = str(report)
    assert "合同台账.csv 认作 交易流水 (transactions)" in text
    assert "未识别，原样保留" in text
    assert "前几行" in text


def test_the_language_of_a_dry_run_is_that_of_the_settings(ledger, tmp_path):
    (tmp_path / "salesforecast.toml").write_text('language = "en"\n')
    text = str(import_files(ledger, tmp_path / "s.duckdb", dry_run=True))
    assert "合同台账.csv is transactions" in text
    assert "how sure" in text


def test_an_edited_table_is_kept_and_used_by_the_next_import(ledger, tmp_path):
    store = tmp_path / "s.duckdb"
    preview = import_files(ledger, store, dry_run=True)
    table = preview.edit()
    assert "甲方代表 ->     # 甲公司 | 乙公司" in table
    edited = table.replace("甲方代表 ->", "甲方代表 -> customer.name").replace("结款方式 ->", "结款方式 -> channel")
    (kept,) = preview.keep_mapping(edited)
    assert kept == tmp_path / "mappings" / "合同台账.toml"
    report = import_files(ledger, store)
    assert "mapping kept in mappings/合同台账.toml" in str(report)
    assert rows(store, "SELECT customer_id, channel, amount FROM store.transactions ORDER BY 1") == [
        ("乙公司", "电汇", 30_000), ("甲公司", "现金", 12_000),
    ]  # fmt: skip
    later = tmp_path / "二月.csv"
    later.write_text(LEDGER.replace("A1", "B1").replace("A2", "B2"), encoding="utf-8")
    assert "mapping kept in" in str(import_files(later, store))
    other = tmp_path / "别的.csv"
    other.write_text("订单日期,金额\n2026-01-05,1\n", encoding="utf-8")
    assert "mapping kept in" not in str(import_files(other, store))


def test_a_field_taken_away_stays_away(ledger, tmp_path):
    preview = import_files(ledger, tmp_path / "s.duckdb", dry_run=True)
    edited = "\n".join(line.replace("-> order_id", "->") for line in preview.edit().splitlines())
    preview.keep_mapping(edited)
    import_files(ledger, tmp_path / "s.duckdb")
    assert rows(tmp_path / "s.duckdb", "SELECT DISTINCT order_id FROM store.transactions") == [(None,)]


def test_a_mapping_given_wins_over_a_kept_one(ledger, tmp_path):
    preview = import_files(ledger, tmp_path / "s.duckdb", dry_run=True)
    preview.keep_mapping(preview.edit().replace("结款方式 ->", "结款方式 -> channel"))
    import_files(ledger, tmp_path / "s.duckdb", mapping={"transactions": {"from": ledger.name, "channel": "=直销"}})
    assert rows(tmp_path / "s.duckdb", "SELECT DISTINCT channel FROM store.transactions") == [("直销",)]


@pytest.mark.parametrize(
    ("table", "error", "says"),
    [
        ("签约日期 -> date", BadInput, "name the file first"),
        ("[x.csv -> transactions]\n", BadInput, "no file 'x.csv' in the preview"),
        ("[合同台账.csv -> transaction]", UnknownName, "Did you mean 'transactions'"),
        ("[合同台账.csv -> transactions]\n签约日期 -> dates", UnknownName, "Did you mean 'date'"),
        ("[合同台账.csv -> transactions]\n签约日期 date", BadInput, "has no arrow"),
    ],
)
def test_a_wrong_line_of_the_table_is_named(ledger, tmp_path, table, error, says):
    preview = import_files(ledger, tmp_path / "s.duckdb", dry_run=True)
    with pytest.raises(error, match=says):
        preview.keep_mapping(table)


def test_only_a_dry_run_can_be_edited(ledger, tmp_path):
    with pytest.raises(BadInput, match="dry_run=True"):
        import_files(ledger, tmp_path / "s.duckdb").edit()


def test_a_broken_kept_mapping_is_named(ledger, tmp_path):
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "old.toml").write_text("headers = 3\n")
    with pytest.raises(BadInput, match=r"mappings/old\.toml is no kept mapping"):
        import_files(ledger, tmp_path / "s.duckdb")


def test_hostile_cells_are_text_in_a_preview(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("订单日期,金额,客户名称\n2026-01-05,1,<script>alert(1)</script>\n", encoding="utf-8")
    report = sf.import_files(path, tmp_path / "s.duckdb", dry_run=True)
    assert "<script>" not in report._repr_html_()


def test_leads_and_their_deals_in_two_files_by_a_mapping(shared_data, tmp_path):
    """The counts are those of SOURCE.md: 8,000 leads, 842 won."""
    mapping = {
        "deals": {
            "from": ["olist_marketing_qualified_leads_dataset", "olist_closed_deals_dataset"], "on": "mql_id",
            "deal_id": "mql_id", "record_type": "=lead", "stage": "=lead", "deal.won_at": "won_date",
            "owner_id": "sr_id", "created_at": "first_contact_date", "lead_source": "origin",
        }
    }  # fmt: skip
    names = ("olist_marketing_qualified_leads_dataset.csv", "olist_closed_deals_dataset.csv")
    report = import_files([shared_data / "olist_marketing_funnel" / name for name in names], tmp_path / "s.duckdb",
                          mapping=mapping)  # fmt: skip
    assert report.files["stored"].tolist()[0] == 8_000
    store = tmp_path / "s.duckdb"
    query = "SELECT status, count(*), count(DISTINCT owner_id), max(closed_at)::VARCHAR FROM store.deals GROUP BY 1"
    assert rows(store, f"{query} ORDER BY 2") == [("won", 842, 22, "2018-11-14"), ("open", 7_158, 0, None)]
    query = "SELECT lead_source, count(*) FROM store.deals GROUP BY 1 ORDER BY 2 DESC LIMIT 1"
    assert rows(store, query) == [("organic_search", 2_296)]


def test_a_crm_of_four_files_by_recognition_alone(shared_data, tmp_path):
    """The totals are those of SOURCE.md: Won 4,238 worth 10,005,534, Lost 2,473."""
    files = ("sales_pipeline", "accounts", "products", "sales_teams")
    import_files([shared_data / "maven_crm_opportunities" / f"{name}.csv" for name in files], tmp_path / "s.duckdb")
    store = tmp_path / "s.duckdb"
    query = "SELECT status, count(*), CAST(sum(won_amount) AS BIGINT) FROM store.deals GROUP BY 1 ORDER BY 1"
    assert rows(store, query) == [("lost", 2_473, 0), ("open", 2_089, None), ("won", 4_238, 10_005_534)]
    won = "avg(closed_at - (created_at + INTERVAL 8 HOUR)::DATE) FILTER (status = 'won')"
    days = f"{won}, count(DISTINCT owner_id), count(closed_at)"
    ((cycle, agents, closed),) = rows(store, f"SELECT {days} FROM store.deals")
    assert (round(cycle, 2), agents, closed) == (51.78, 30, 6_711)
    assert rows(store, "SELECT count(*) FROM store.people") == [(35,)]


def test_a_salesforce_export_with_its_history(shared_data, tmp_path):
    """The totals are those of SOURCE.md: 5,760,000; 12 won with 2,815,000; 8 lost."""
    folder = shared_data / "salesforce_export_sample"
    names = ("Opportunity", "OpportunityHistory", "Lead", "Account")
    report = import_files([folder / f"{name}.csv" for name in names], tmp_path / "s.duckdb")
    assert report.files.set_index("file")["table"].to_dict() == {
        "Opportunity.csv": "deals", "OpportunityHistory.csv": "deal_events", "Lead.csv": "deals",
        "Account.csv": "customers",
    }  # fmt: skip
    store = tmp_path / "s.duckdb"
    query = (
        "SELECT status, count(*), CAST(sum(amount) AS BIGINT) FROM store.deals WHERE record_type = 'opportunity' "
        "GROUP BY 1 ORDER BY 1"
    )
    found = {status: (count, total) for status, count, total in rows(store, query)}
    assert found["won"] == (12, 2_815_000)
    assert found["lost"][0] == 8
    assert sum(total for _, total in found.values()) == 5_760_000
    assert rows(store, "SELECT count(*) FROM store.deal_events WHERE field = 'stage'")[0][0] >= 48


def test_an_event_log_by_a_mapping(shared_data, tmp_path):
    path = shared_data / "stage_event_log" / "bpi_12_w.csv.gz"
    with pytest.raises(BadInput, match=r'write \{"deal_events": \{"from": "bpi_12_w.csv.gz"\}\}'):
        import_files(path, tmp_path / "s.duckdb")
    report = import_files(path, tmp_path / "s.duckdb", mapping={"deal_events": {"from": path.name}})
    (read,), (rejected,) = report.files["read"], report.files["rejected"]
    assert (read, rejected) == (72_413, read - report.files["stored"][0])
    query = "SELECT count(DISTINCT deal_id), count(DISTINCT new_value) FROM store.deal_events"
    assert rows(tmp_path / "s.duckdb", query) == [(9_658, 6)]


def test_support_tickets_by_recognition_alone(shared_data, tmp_path):
    """The figures are those of SOURCE.md: 5,000 tickets, mean CSAT 2.969, 1,276 unresolved."""
    path = shared_data / "after_sales" / "customer_support_tickets_synthetic.csv"
    import_files(path, tmp_path / "s.duckdb")
    query = "SELECT count(*), round(avg(score), 3), count(*) - count(resolved_at), min(kind) FROM store.feedback"
    assert rows(tmp_path / "s.duckdb", query) == [(5_000, 2.969, 1_276, "ticket")]
