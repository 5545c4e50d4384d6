"""The synthetic company: shape, keys, references, planted truths, determinism, sizes, exports."""

import csv
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from salesforecast import demo, engine
from salesforecast.calendar import Calendar
from salesforecast.errors import BadValue
from salesforecast.load import import_files
from salesforecast.schema import TABLES
from salesforecast.settings import parse_settings

DATA = Path(__file__).resolve().parents[1] / "data" / "demo"


@pytest.fixture(scope="module")
def company():
    return demo.company()


@pytest.fixture(scope="module")
def orders(company):
    """Counted order lines with their month."""
    lines = company.tables["transactions"]
    lines = lines[(lines["txn_type"] == "order") & (lines["status"] == "valid")]
    return lines.assign(month=lines["date"].dt.to_period("M"), year=lines["date"].dt.year)


@pytest.fixture(scope="module")
def steady(company, orders):
    """Order lines of the regions that grow, without the one large project."""
    regions = company.truths["trend"]["where"]["region"]
    outlier = company.truths["outlier_month"]["where"]["customer"]
    return orders[orders["region"].isin(regions) & (orders["customer_id"] != outlier)]


def test_the_company_has_all_tables_at_the_promised_size(company):
    tables = company.tables
    assert sorted(tables) == sorted(TABLES)
    assert (tables["transactions"]["txn_type"] == "order").sum() == 9_000
    assert len(tables["customers"]) == 400
    assert len(tables["products"]) == 40
    assert tables["people"]["person_id"].nunique() == 27
    assert tables["people"]["leave_date"].notna().sum() == 3
    assert set(tables["transactions"]["region"]) == {"华东", "华南", "华北", "西南"}
    assert set(tables["transactions"]["txn_type"]) == set(
        TABLES["transactions"].column("txn_type").values  # every kind of event
    )
    assert all(len(frame) > 20 for frame in tables.values())


@pytest.mark.parametrize("name", TABLES)
def test_a_table_keeps_to_the_schema(company, name):
    frame, table = company.tables[name], TABLES[name]
    assert list(frame.columns) == [column for column in frame.columns if column in table.names]
    assert frame[table.required].notna().all(axis=None)
    assert not frame.duplicated([column for column in table.key if column in frame]).any()
    for column in table.columns:
        if column.name in frame and column.values:
            assert set(frame[column.name].dropna()) <= set(column.values), column.name
        if column.name in frame and column.references:
            known = company.tables[column.references].iloc[:, 0]
            assert frame[column.name].dropna().isin(known).all(), column.name


def test_nothing_has_happened_after_the_last_day(company):
    # What is planned, due or expected may lie later.
    plans = {"due_date", "due_at", "expected_close", ("targets", "period_start")}
    for name, frame in company.tables.items():
        for column in frame.select_dtypes("datetime"):
            if column not in plans and (name, column) not in plans:
                assert not (frame[column] >= "2026-11-16").any(), (name, column)


def test_revenue_margin_returns_and_receipts_are_believable(company, orders):
    sums = company.tables["transactions"].groupby("txn_type")["amount"].sum()
    years = orders.groupby("year")[["amount", "cost_amount"]].sum()
    assert years["amount"].between(1.2e8, 2.0e8).all()
    assert (1 - years["cost_amount"] / years["amount"]).between(0.28, 0.35).all()
    assert 0.01 < sums["return"] / sums["order"] < 0.03
    assert sums["order"] > sums["shipment"] > sums["invoice"] > sums["payment"] > 0.9 * sums["order"]


def test_payments_follow_invoices_by_one_to_three_months(company):
    lines = company.tables["transactions"]
    lines = lines[lines["channel"] != "电商"]
    invoiced = lines[lines["txn_type"] == "invoice"].set_index("order_id")["date"]
    paid = lines[lines["txn_type"] == "payment"].groupby("order_id")["date"].max()
    lag = (paid - invoiced).dt.days.dropna()
    assert lag.quantile([0.1, 0.9]).between(15, 90).all()


def test_trend_is_nine_percent_a_year(steady):
    years = steady.groupby("year")["amount"].sum()
    growth = np.sqrt(years[2025] / years[2023]) - 1
    assert growth == pytest.approx(0.09, abs=0.015)


def test_seasons_follow_the_planted_month_index(company, steady):
    workdays = steady.groupby("month")["amount"].sum()
    workdays /= [Calendar().workdays(month.start_time.date(), month.end_time.date()) for month in workdays.index]
    full = workdays[workdays.index < "2026-11"]
    ratio = (full / full.groupby(full.index.year).transform("mean")).groupby(full.index.month).mean()
    index = pd.Series(company.truths["seasonality"]["size"])
    assert ratio[[6, 12]].min() > ratio[[4, 5, 10]].max() > ratio[[7, 8]].max()
    assert ratio[7] / ratio[5] == pytest.approx(index[7] / index[5], abs=0.08)


def test_an_early_spring_festival_moves_sales_from_january_to_february(steady):
    months = steady.groupby("month")["amount"].sum()
    share = {
        year: months[f"{year}-01"] / (months[f"{year}-01"] + months[f"{year}-02"]) for year in (2023, 2024, 2025, 2026)
    }
    # Festival days: 2023-01-22, 2024-02-10, 2025-01-29, 2026-02-17.
    assert max(share[2023], share[2025]) < 0.56 < 0.62 < min(share[2024], share[2026])


def test_the_last_workdays_of_a_quarter_sell_more(steady):
    days = Calendar().frame("2023-01-01", "2026-09-30")
    days = days[days["workday"]].assign(date=lambda frame: pd.to_datetime(frame["date"]))
    quarter = days["date"].dt.to_period("Q")
    days["last"] = days.groupby(quarter).cumcount(ascending=False) < 5
    days["amount"] = days["date"].map(steady.groupby("date")["amount"].sum()).fillna(0.0)
    ending = days[days["date"].dt.month.isin([3, 6, 9, 12])].groupby("last")["amount"].mean()
    assert ending[True] / ending[False] == pytest.approx(1.6, abs=0.15)


def test_offices_order_on_workdays_only(company, orders):
    days = Calendar().frame("2023-01-01", "2026-11-15")
    off = pd.to_datetime(days.loc[~days["workday"], "date"])
    on_days_off = orders["date"].isin(off)
    assert not on_days_off[orders["channel"].isin(company.truths["workdays"]["where"]["channel"])].any()
    assert on_days_off[orders["channel"] == "电商"].mean() > 0.2


def test_list_prices_of_one_category_rise(company, orders):
    truth = company.truths["price_rise"]
    price = orders.assign(price=orders["list_amount"] / orders["quantity"], after=orders["date"] >= truth["when"])
    price = price.pivot_table(index=["category", "product_id"], columns="after", values="price").dropna()
    rise = (price[True] / price[False] - 1).groupby("category").mean()
    assert rise.pop(truth["where"]["category"]) == pytest.approx(truth["size"], abs=1e-4)
    assert rise.abs().max() < 1e-4


def test_four_customer_groups_differ_in_frequency_value_and_discount(company, orders):
    group = {
        customer: name for name, members in company.truths["customer_groups"]["where"].items() for customer in members
    }
    lines = orders[orders["customer_id"] != company.truths["outlier_month"]["where"]["customer"]]
    lines = lines.assign(group=lines["customer_id"].map(group))
    sums = lines.groupby("group").agg(
        orders=("order_id", "nunique"), customers=("customer_id", "nunique"), lines=("amount", "size"),
        amount=("amount", "sum"), listed=("list_amount", "sum"),
    )  # fmt: skip
    often = sums["orders"] / sums["customers"]
    assert often["key"] > 40 > 20 > often["regular"] > 8 > often["bargain"] > often["one_off"] == 1
    value = sums["amount"] / sums["lines"]
    assert value["key"] > 1.5 * value["regular"] > 2 * value["bargain"]
    discount = (1 - sums["amount"] / sums["listed"]).round(2)
    assert discount.to_dict() == pytest.approx(
        {"key": 0.12, "regular": 0.07, "bargain": 0.24, "one_off": 0.03}, abs=0.02
    )


def test_churned_customers_never_order_again(company, orders):
    truth = company.truths["churn"]
    last = orders.groupby("customer_id")["month"].max().astype(str)
    assert len(truth["where"]) > 30
    assert all(last.get(customer, "") < truth["when"][customer] for customer in truth["where"])


def test_deals_stay_in_one_stage_much_longer(company):
    truth = company.truths["slow_stage"]
    events = company.tables["deal_events"]
    events = events[events["field"] == "stage"].sort_values(["deal_id", "at"])
    stay = (events.groupby("deal_id")["at"].shift(-1) - events["at"]).dt.days
    median = stay.groupby(events["new_value"]).median().dropna()
    assert median[truth["where"]["stage"]] == pytest.approx(truth["size"]["商务谈判"], abs=5)
    assert median[truth["where"]["stage"]] > 2 * median.drop(truth["where"]["stage"]).max()


def test_a_deal_ends_where_its_history_ends(company):
    deals = company.tables["deals"].set_index("deal_id")
    events = company.tables["deal_events"]
    last = events[events["field"] == "stage"].groupby("deal_id")["new_value"].last()
    assert (last == deals["stage"]).all()
    # Won deals end with an order of the same customer and the same money.
    lines = company.tables["transactions"].dropna(subset="deal_id")
    ordered = lines[lines["txn_type"] == "order"].groupby("deal_id").agg(
        amount=("amount", "sum"), customer=("customer_id", "first"), date=("date", "first")
    )  # fmt: skip
    won = deals[deals["status"] == "won"]
    assert (ordered["customer"] == won["customer_id"]).all()
    assert (ordered["date"] == won["closed_at"]).all()
    assert np.allclose(ordered["amount"], won["won_amount"], atol=0.01)


def test_one_forecaster_calls_too_much(company, orders):
    truth = company.truths["biased_forecaster"]
    calls = company.tables["forecasts"]
    calls = calls[(calls["scope_type"] == "person") & (calls["period_start"] < "2026-11-01")]
    actual = orders.groupby(["person_id", orders["month"].dt.to_timestamp()])["amount"].sum()
    actual = pd.Series(
        [actual.get(key, 0.0) for key in zip(calls["scope_id"], calls["period_start"], strict=True)], calls.index
    )
    bias = calls["value"].groupby(calls["scope_id"]).sum() / actual.groupby(calls["scope_id"]).sum() - 1
    assert bias.pop(truth["where"]["person"]) == pytest.approx(truth["size"], abs=0.06)
    assert bias.abs().max() < 0.08
    assert (calls["made_on"] <= calls["period_start"]).all()


def test_targets_of_parts_add_up_to_the_whole(company):
    targets = company.tables["targets"]
    targets = targets[targets["kind"] == "target"]
    months = targets[targets["grain"] == "month"].pivot_table(
        index="period_start", columns="scope_type", values="value", aggfunc="sum"
    )
    assert len(months) == 36
    for scope in ("region", "team", "person", "channel", "category"):
        assert (months[scope] == months["company"]).all(), scope
    years = targets[targets["grain"] == "year"].groupby(["period_start", "scope_type"])["value"].sum().unstack()
    assert (years["company"] == months["company"].groupby(months.index.year).sum().to_numpy()).all()
    assert (years["company"] == years["region"]).all()


def test_attainment_shows_the_overstretched_team_and_the_declining_region(company, orders):
    """As a director sees it at the end of October 2026: orders less returns against the targets so far."""
    lines = company.tables["transactions"]
    lines = lines[lines["txn_type"].isin(["order", "return"]) & (lines["status"] == "valid")]
    lines = lines[lines["date"].between("2026-01-01", "2026-10-31")]
    net = lines["amount"].where(lines["txn_type"] == "order", -lines["amount"])
    targets = company.tables["targets"]
    targets = targets[(targets["kind"] == "target") & (targets["grain"] == "month")]
    targets = targets[targets["period_start"].between("2026-01-01", "2026-10-01")]
    wanted = targets.groupby(["scope_type", "scope_id"])["value"].sum()
    region = net.groupby(lines["region"]).sum() / wanted["region"]
    people = company.tables["people"]
    people = people[people["valid_to"].isna() | (people["valid_to"] >= "2026-01-01")].drop_duplicates("person_id")
    team = net.groupby(lines["person_id"].map(people.set_index("person_id")["team"])).sum() / wanted["team"]
    assert 0.90 < net.sum() / wanted["company", "*"] < 0.97
    assert region["华东"] > 1 and region["华北"] > 1
    assert region[company.truths["declining_region"]["where"]["region"]] < 0.80
    assert team[company.truths["overstretched_target"]["where"]["team"]] < 0.80
    assert team["华南一部"] > 0.92


def test_one_region_declines_month_by_month(company, orders):
    truth = company.truths["declining_region"]
    months = orders[orders["region"] == truth["where"]["region"]].groupby("month")["amount"].sum()
    share = months["2026-01":"2026-10"].to_numpy() / months["2025-01":"2025-10"].to_numpy()
    expected = 1.09 * (1 - truth["size"]) ** np.arange(1, 11)
    assert np.log(share / expected).mean() == pytest.approx(0, abs=0.06)
    assert share[-3:].mean() < 0.8 < share[:3].mean()


def test_one_order_makes_an_outlier_month(company, orders):
    truth = company.truths["outlier_month"]
    order = orders[orders["customer_id"] == truth["where"]["customer"]]
    assert order["date"].astype(str).tolist() == [truth["when"]]
    assert order["amount"].sum() == truth["size"] > 5 * orders.groupby("order_id")["amount"].sum().quantile(0.99)
    august = orders[orders["month"] == "2025-08"]["amount"].sum()
    assert truth["size"] > 0.25 * august


def test_a_move_between_teams_keeps_the_history(company):
    people = company.tables["people"]
    moved = people[people["person_id"] == "P024"]
    assert moved["team"].tolist() == ["华东二部", "华南二部"]
    assert moved["valid_to"].iloc[0] + pd.Timedelta(days=1) == moved["valid_from"].iloc[1]


@pytest.mark.parametrize(("table", "day"), [("transactions", "date"), ("activities", "at")])
def test_work_is_done_by_whoever_was_there(company, table, day):
    rows = company.tables[table]
    rows = rows[rows["txn_type"] == "order"] if table == "transactions" else rows
    rows = rows[["person_id", day]].merge(company.tables["people"], on="person_id")
    in_place = (rows["valid_from"] <= rows[day].dt.normalize()) & ~(rows["valid_to"] < rows[day].dt.normalize())
    assert in_place.sum() == (9_000 if table == "transactions" else len(company.tables[table]))


def test_the_settings_know_the_stages_of_the_deals(company):
    settings = parse_settings(tomllib.loads(company.settings))
    assert {stage.code for stage in settings.stages["default"]} == set(company.tables["deals"]["stage"])
    assert set(settings.sla) == set(company.tables["feedback"]["priority"].dropna())


def test_the_same_seed_gives_the_same_company_and_another_seed_another():
    first, again, other = (demo.company(lines=1_000, seed=seed) for seed in (3, 3, 4))
    for name in TABLES:
        pd.testing.assert_frame_equal(first.tables[name], again.tables[name])
    assert first.truths == again.truths
    assert first.tables["transactions"]["amount"].sum() != other.tables["transactions"]["amount"].sum()


@pytest.mark.parametrize("lines", [5_000, 50_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_the_company_grows_with_its_lines(lines):
    tables = demo.company(lines=lines, seed=1).tables
    orders = tables["transactions"][tables["transactions"]["txn_type"] == "order"]
    assert len(orders) == lines
    assert orders["amount"].sum() / lines == pytest.approx(66_500, rel=0.03)
    assert len(tables["customers"]) == round(lines / 22.5)
    assert not orders.duplicated(["order_id", "line_no"]).any()
    assert orders["product_id"].isin(tables["products"]["product_id"]).all()


def test_an_earlier_end_leaves_out_what_has_not_happened():
    early = demo.company(lines=1_000, until="2024-06-30")
    assert early.tables["transactions"]["date"].max() <= pd.Timestamp("2024-06-30")
    assert {"price_rise", "declining_region", "outlier_month", "overstretched_target"}.isdisjoint(early.truths)
    assert early.tables["people"]["leave_date"].notna().sum() == 0


@pytest.mark.parametrize("wrong", [{"lines": 10}, {"until": "2026-02-30"}, {"until": "2023-05-01"}])
def test_impossible_companies_are_refused(wrong):
    with pytest.raises(BadValue):
        demo.company(**wrong)


def test_streamed_lines_are_those_of_the_company(company, tmp_path):
    path = tmp_path / "lines.csv"
    assert demo.write_order_lines(path, 9_000) == 9_000
    lines = pd.read_csv(path)
    orders = company.tables["transactions"].query("txn_type == 'order'")
    assert lines["订单编号"].tolist() == orders["order_id"].tolist()
    assert lines["金额"].tolist() == orders["amount"].tolist()


def cells(path):
    """All cells of an exported file as text."""
    if path.suffix == ".xlsx":
        return pd.read_excel(path, header=None, dtype=str, engine="calamine").fillna("").to_numpy().tolist()
    encoding = "gb18030" if path.name.startswith("ERP_") else "utf-8-sig"
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def exported(company, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    demo.write_exports(company, folder)
    return folder


def committed():
    """The exports, without the store that `make demo` puts beside them."""
    return [path for path in DATA.iterdir() if ".duckdb" not in path.name]


def test_the_committed_exports_are_those_of_the_generator(exported):
    assert sorted(path.name for path in exported.iterdir()) == sorted(path.name for path in committed())
    for path in exported.iterdir():
        if path.suffix == ".toml":
            assert path.read_text("utf-8") == (DATA / path.name).read_text("utf-8")
        else:
            assert cells(path) == cells(DATA / path.name), path.name


def test_the_committed_exports_are_small():
    assert sum(path.stat().st_size for path in committed()) < 3_000_000


def test_exports_look_like_those_of_business_software(exported):
    orders = cells(exported / "ERP_销售订单明细.csv")
    assert orders[0][:4] == ["订单编号", "行号", "下单日期", "客户编码"]
    assert orders[1][2] == "2023/1/3"
    assert (exported / "CRM_商机.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert b"\r\n" in (exported / "CRM_商机.csv").read_bytes()
    invoice = cells(exported / "ERP_发票.csv")[1]
    assert invoice[7].startswith("￥") and "," in invoice[7]


def test_export_faults_are_where_the_truths_say(company, exported):
    faults = company.truths["export_faults"]["where"]
    orders = cells(exported / "ERP_销售订单明细.csv")
    assert len(orders) == 1 + 9_000 + faults["ERP_销售订单明细.csv"]["rejected"]
    flat = [cell for row in orders for cell in row]
    assert flat.count("待定") == 2 and flat.count("2026/2/30") == 1
    assert flat.count("作废") == faults["ERP_销售订单明细.csv"]["void"] > 0
    payments = cells(exported / "财务_回款明细.xlsx")
    paid = company.tables["transactions"].query("txn_type == 'payment'")["amount"].sum()
    assert payments[-1][0] == "合计" and float(payments[-1][-1]) == pytest.approx(paid, abs=0.01)
    assert "".join(payments[-2]).strip() == ""


def test_exported_money_adds_up_to_the_tables(company, exported):
    sums = company.tables["transactions"].groupby("txn_type")["amount"].sum()
    invoices = cells(exported / "ERP_发票.csv")[1:]
    assert sum(float(row[7].strip("￥").replace(",", "")) for row in invoices) == pytest.approx(
        sums["invoice"], abs=0.01
    )
    targets = cells(exported / "销售目标_2024-2026.xlsx")
    value = targets[0].index("目标值(万元)")
    total = sum(float(row[value]) for row in targets[1:] if row[value])
    assert total * 10_000 == pytest.approx(company.tables["targets"]["value"].sum())


@pytest.mark.slow
def test_importing_the_exports_gives_back_the_company(company, tmp_path):
    report = import_files(DATA, into=tmp_path / "sales.duckdb")
    faults = company.truths["export_faults"]["where"]["ERP_销售订单明细.csv"]
    assert len(report.rejected) == faults["rejected"]
    assert [(row.column, row.value) for row in report.rejected.itertuples() if row.rule == "unreadable"] == [
        ("date", "2026/2/30"), ("amount", "待定"), ("amount", "待定"),
    ]  # fmt: skip
    with engine.connect(tmp_path / "sales.duckdb") as store:
        for name, frame in company.tables.items():
            stored = store.frame(f"SELECT * FROM store.{name}")
            assert len(stored) == len(frame), name
            for column in frame.select_dtypes("number"):
                assert stored[column].astype(float).sum() == pytest.approx(float(frame[column].sum())), (name, column)
            for column in frame.select_dtypes("str").columns.difference(["currency", "unit"]):
                assert set(stored[column].dropna()) == set(frame[column].dropna()), (name, column)
