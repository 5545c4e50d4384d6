from datetime import date

import pandas as pd
import pytest

import salesforecast as sf
from salesforecast import engine
from salesforecast.errors import BadSettings, BadValue, NoData, StoreError, UnknownName
from salesforecast.settings import parse_settings


def lines(text):
    """Return transactions from lines `date type amount [column=value …]`."""
    rows = []
    for line in text.strip().splitlines():
        day, kind, amount, *rest = line.split()
        rows.append(
            {"date": pd.Timestamp(day), "txn_type": kind, "amount": float(amount)}
            | dict(part.split("=") for part in rest)
        )
    return pd.DataFrame(rows)


SALES = lines("""
    2026-01-05 order 100 region=华东 customer_id=c1 order_id=o1
    2026-01-20 order 50 region=华南 customer_id=c2 order_id=o2
    2026-02-03 return 30 region=华东 customer_id=c1 order_id=o1
    2026-02-10 order 200 region=华东 customer_id=c1 order_id=o3
    2026-02-12 payment 90 region=华东 customer_id=c1 order_id=o1
    2026-02-14 refund 10 region=华东 customer_id=c1 order_id=o1
    2026-03-02 invoice 120 region=华南 customer_id=c2 order_id=o2
    2026-03-03 shipment 70 region=华南 customer_id=c2 order_id=o2
""")


@pytest.fixture
def open_store(make_store):
    """Return a function that opens a new store made from frames; everything opened is closed at the end."""
    opened = []

    def build(tables=None, **options):
        path = make_store(**(tables or {"transactions": SALES}))
        opened.append(sf.open(path, **options))
        return opened[-1]

    yield build
    for wb in opened:
        wb.close()


def total(wb, view="sales"):
    return wb.sql(f"SELECT sum(amount) AS total FROM {view}")["total"].item()


# --- basis ---


@pytest.mark.parametrize(
    ("basis", "expected"),
    [
        ("order", 100 + 50 - 30 + 200),
        ("shipment", 70 - 30),
        ("invoice", 120 - 30),
        ("payment", 90 - 10),
    ],
)
def test_each_basis_counts_its_lines_and_subtracts_what_came_back(open_store, basis, expected):
    assert total(open_store(basis=basis, as_of="2026-12-31")) == expected


def test_a_return_keeps_both_sides_apart(open_store):
    wb = open_store()
    february = wb.sql("SELECT * FROM sales WHERE month_start = '2026-02-01' ORDER BY date")
    assert february["amount"].tolist() == [-30, 200]
    assert february["gross_amount"].tolist() == [0, 200]
    assert february["return_amount"].tolist() == [30, 0]


def test_a_region_without_returns_of_a_company_that_has_some_returned_nothing(open_store):
    returned = lines(
        "2026-01-05 order 100 region=华东\n2026-01-06 return 10 region=华东\n2026-01-07 order 9 region=西部"
    )
    west = open_store({"transactions": returned}, scope={"region": "西部"})
    assert west.has("sales.return_amount")
    assert west.sql("SELECT sum(return_amount) AS back FROM sales")["back"].item() == 0


def test_without_any_returns_in_the_store_what_came_back_is_unknown(open_store):
    wb = open_store({"transactions": lines("2026-01-05 order 100\n2026-01-06 refund 10")})
    assert not wb.has("sales.return_amount")
    row = sf.sales.kpis(wb, "2026-01").loc["return_rate"]
    assert (pd.isna(row["value"]), "no_data" in row["note"]) == (True, True)


def test_cash_is_payments_less_refunds_whatever_the_basis(open_store):
    assert total(open_store(basis="order", as_of="2026-12-31"), "cash") == 80


def test_a_basis_without_lines_names_those_that_have_some(make_store):
    path = make_store(transactions=lines("2026-01-05 invoice 100\n2026-01-06 return 10"))
    with pytest.raises(NoData, match=r"no order lines\. Choose a basis that it has: invoice"):
        sf.open(path, basis="order")


def test_without_orders_the_basis_is_the_first_that_has_lines(make_store):
    path = make_store(transactions=lines("2026-01-05 invoice 100\n2026-01-06 payment 10"))
    with sf.open(path) as wb:
        assert wb.basis == "invoice"


def test_members_are_those_with_lines(make_store):
    path = make_store(transactions={"date": ["2026-01-05"] * 3, "amount": [1.0] * 3, "region": ["B", "A", None]})
    with sf.open(path) as wb:
        assert wb.members("region") == ["A", "B"]


def test_quantity_cost_and_list_amount_carry_the_sign_of_the_line(open_store):
    frame = lines("2026-01-05 order 100\n2026-01-06 return 40").assign(
        quantity=[5.0, 2.0], cost_amount=[60.0, 24.0], list_amount=[120.0, 48.0]
    )
    wb = open_store({"transactions": frame})
    columns = wb.sql("SELECT quantity, cost_amount, list_amount FROM sales ORDER BY date").iloc[1]
    assert columns.tolist() == [-2, -24, -48]


# --- as of ---


def test_as_of_defaults_to_the_last_day_of_the_basis(open_store):
    assert open_store().as_of == date(2026, 2, 10)


@pytest.mark.parametrize(("period", "as_of"), [("2026-01", "2026-01-31"), ("2026-02", "2026-02-10")])
def test_as_of_defaults_to_the_earlier_of_the_periods_end_and_the_last_day(open_store, period, as_of):
    assert str(open_store(period=period).as_of) == as_of


def test_rows_after_as_of_do_not_exist_but_are_counted(open_store):
    wb = open_store(as_of="2026-02-05")
    assert total(wb) == 120
    assert wb.bounds == (date(2026, 1, 5), date(2026, 2, 3))
    assert wb.table("transactions")["date"].max() == pd.Timestamp("2026-02-03")
    assert wb.exclusions.to_dict("records") == [
        {"table": "transactions", "reason": "after_as_of", "rows": 1, "amount": 200.0}
    ]


def test_as_of_ends_the_business_day_in_the_companys_time_zone(open_store):
    # midnight in Shanghai is 16:00 UTC
    activities = {
        "activity_id": ["before", "after"],
        "at": pd.to_datetime(["2026-02-10 15:59", "2026-02-10 16:00"]),
        "person_id": ["p1", "p1"],
    }
    wb = open_store({"transactions": SALES, "activities": activities}, as_of="2026-02-10")
    assert wb.table("activities")["activity_id"].tolist() == ["before"]
    assert wb.exclusions.query("table == 'activities'")["rows"].tolist() == [1]


def test_a_forecast_made_on_the_as_of_day_is_not_visible(open_store):
    forecasts = {
        "made_on": pd.to_datetime(["2026-02-09", "2026-02-10"]),
        "forecaster": ["ets", "ets"],
        "measure": ["revenue", "revenue"],
        "scope_type": ["company", "company"],
        "scope_id": ["*", "*"],
        "period_start": pd.to_datetime(["2026-03-01", "2026-03-01"]),
        "value": [1.0, 2.0],
    }
    wb = open_store({"transactions": SALES, "forecasts": forecasts}, as_of="2026-02-10")
    assert wb.table("forecasts")["value"].tolist() == [1.0]


def test_targets_are_kept_whole(open_store):
    targets = {
        "measure": ["revenue"],
        "scope_type": ["company"],
        "scope_id": ["*"],
        "period_start": pd.to_datetime(["2026-12-01"]),
        "value": [500.0],
    }
    wb = open_store({"transactions": SALES, "targets": targets}, as_of="2026-01-31", scope={"region": "华东"})
    assert wb.table("targets")["value"].tolist() == [500.0]


def test_an_as_of_before_the_data_names_the_datas_range(make_store):
    with pytest.raises(NoData, match="2026-01-05 to 2026-02-10"):
        sf.open(make_store(transactions=SALES), as_of="2025-12-31")


@pytest.mark.parametrize("period", ["2025-12", "2026-03", "2027"])
def test_a_period_without_data_names_the_datas_range(make_store, period):
    with pytest.raises(NoData, match="2026-01-05 to 2026-02-10"):
        sf.open(make_store(transactions=SALES), period=period)


def test_a_period_after_as_of_is_refused(make_store):
    with pytest.raises(NoData, match="after the as-of date 2026-01-31"):
        sf.open(make_store(transactions=SALES), period="2026-02", as_of="2026-01-31")


def test_the_workbench_reads_periods_and_passes_them_through(open_store):
    wb = open_store()
    january = wb.period("2026-01")
    assert january.days == 31
    before = wb.calendar.last_year(january)
    assert wb.period(before) is before
    with pytest.raises(NoData, match="the data runs from"):
        wb.period("2025-01")
    with pytest.raises(BadValue, match="No period '2026-1'"):
        wb.period("2026-1")


# --- status, dates, currency ---


def test_void_and_pending_lines_are_left_out_and_counted(open_store):
    frame = lines("""
        2026-01-05 order 100
        2026-01-06 order 40 status=void
        2026-01-07 return 10 status=void
        2026-01-08 order 7 status=pending
    """)
    wb = open_store({"transactions": frame.fillna({"status": "valid"})}, as_of="2026-01-31")
    assert total(wb) == 100
    assert wb.exclusions[["reason", "rows", "amount"]].values.tolist() == [["pending", 1, 7.0], ["void", 2, 30.0]]


def test_dates_before_1990_are_left_out_and_counted(open_store):
    wb = open_store({"transactions": lines("1900-01-01 order 5\n2026-01-05 order 100")})
    assert total(wb) == 100
    assert wb.bounds[0] == date(2026, 1, 5)
    assert wb.exclusions["reason"].tolist() == ["before_1990"]


def rates(**by_day):
    return pd.DataFrame(
        [
            {"measure": "fx_rate", "scope_type": "currency", "scope_id": "USD", "value": value,
             "period_start": pd.Timestamp(day.replace("_", "-").removeprefix("d"))}
            for day, value in by_day.items()
        ]
    )  # fmt: skip


ABROAD = lines("""
    2026-01-05 order 100
    2026-01-31 order 10 currency=USD
    2026-02-01 order 10 currency=USD
    2026-02-02 return 1 currency=USD
    2026-02-03 order 5 currency=EUR
    2026-02-04 order 20 currency=CNY
""")


def test_amounts_are_converted_at_the_latest_rate_of_their_day(open_store):
    wb = open_store(
        {"transactions": ABROAD, "measurements": rates(d2026_01_01=7.0, d2026_02_01=7.2)}, as_of="2026-02-28"
    )
    amounts = wb.sql("SELECT currency, amount FROM sales ORDER BY date")
    assert amounts.values.tolist() == [
        ["CNY", 100.0], ["USD", 70.0], ["USD", 72.0], ["USD", -7.2], ["CNY", 20.0],
    ]  # fmt: skip


def test_lines_without_a_rate_are_left_out_and_counted_in_their_own_currency(open_store):
    wb = open_store({"transactions": ABROAD, "measurements": rates(d2026_02_01=7.2)})
    assert wb.exclusions[["reason", "rows", "amount"]].values.tolist() == [
        ["no_currency_rate:EUR", 1, 5.0],
        ["no_currency_rate:USD", 1, 10.0],  # 31 January lies before the first rate
    ]
    assert wb.notes == ("no_currency_rate:EUR", "no_currency_rate:USD")
    assert len(wb.sql("SELECT * FROM sales")) + wb.exclusions["rows"].sum() == len(ABROAD)


def test_a_rate_of_after_the_as_of_date_is_not_used(open_store):
    wb = open_store({"transactions": ABROAD, "measurements": rates(d2026_02_01=7.2)}, as_of="2026-01-31")
    assert total(wb) == 100


def test_another_base_currency_turns_the_conversion_round(open_store):
    settings = parse_settings({"currency": {"base": "USD"}})
    frame = lines("2026-01-05 order 100\n2026-01-06 order 700 currency=CNY")
    cny = rates(d2026_01_01=0.14).assign(scope_id="CNY")
    wb = open_store({"transactions": frame, "measurements": cny}, settings=settings)
    assert total(wb) == pytest.approx(198)


def test_money_adds_up_to_the_cent(open_store):
    frame = pd.DataFrame({"date": pd.Timestamp("2026-01-05"), "amount": [0.1] * 1000 + [1e12]})
    assert total(open_store({"transactions": frame})) == 1e12 + 100


# --- scope ---


@pytest.fixture
def company():
    """Two teams, two product categories; p1 moved from 一队 to 二队 on 1 February."""
    return {
        "transactions": lines("""
            2026-01-05 order 100 person_id=p1 product_id=s1 channel=直销
            2026-02-05 order 20 person_id=p1 product_id=s2 channel=电商
            2026-02-06 order 3 person_id=p2 product_id=s2 channel=电商
        """),
        "people": pd.DataFrame(
            {
                "person_id": ["p1", "p1", "p2"],
                "valid_from": pd.to_datetime(["2025-06-01", "2026-02-01", None]),
                "team": ["一队", "二队", "一队"],
                "name": ["张三", "张三", "李四"],
            }
        ),
        "products": pd.DataFrame({"product_id": ["s1", "s2"], "category": ["软件", "硬件"]}),
        "deals": pd.DataFrame({"deal_id": ["d1", "d2"], "stage": "new", "owner_id": ["p1", "p2"], "channel": "电商"}),
        "deal_events": pd.DataFrame(
            {"deal_id": ["d1", "d2"], "at": pd.Timestamp("2026-01-01"), "field": "stage", "new_value": "new"}
        ),
        "feedback": pd.DataFrame(
            {"feedback_id": ["f1"], "kind": "ticket", "opened_at": pd.Timestamp("2026-01-01"), "channel": "电话"}
        ),
    }


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({}, 123),
        ({"company": "*"}, 123),
        ({"region": "*"}, 123),
        ({"channel": "电商"}, 23),
        ({"person": "p1"}, 120),
        ({"team": "一队"}, 103),
        ({"team": "二队"}, 20),
        ({"product": "s2"}, 23),
        ({"category": "软件"}, 100),
        ({"channel": "电商", "person": "p2"}, 3),
        ({"currency": "CNY"}, 123),
    ],
)
def test_scope_selects_lines(open_store, company, scope, expected):
    wb = open_store(company, scope=scope)
    assert total(wb) == expected
    assert wb.sql("SELECT sum(amount) AS total FROM transactions")["total"].item() == expected


def test_a_move_between_teams_does_not_rewrite_history(open_store, company):
    wb = open_store(company)
    assert wb.sql("SELECT team, category FROM sales ORDER BY date").values.tolist() == [
        ["一队", "软件"],
        ["二队", "硬件"],
        ["一队", "硬件"],
    ]


def test_a_sale_before_the_first_known_membership_belongs_to_the_first_team(open_store, company):
    company["transactions"]["date"] = pd.Timestamp("2024-01-01")
    assert set(open_store(company).sql("SELECT team FROM sales")["team"]) == {"一队"}


def test_names_stand_in_for_ids_that_the_source_does_not_have(open_store, company):
    company["transactions"]["person_id"] = ["张三", "张三", "王五"]
    teams = open_store(company).sql("SELECT team FROM sales ORDER BY date")["team"]
    assert teams.tolist()[:2] == ["一队", "二队"]
    assert pd.isna(teams[2])


def test_a_category_of_the_line_goes_before_that_of_the_product(open_store, company):
    company["transactions"]["category"] = ["服务", None, None]
    categories = open_store(company).sql("SELECT category FROM sales ORDER BY date")["category"]
    assert categories.tolist() == ["服务", "硬件", "硬件"]


def test_other_tables_are_filtered_where_they_have_the_column(open_store, company):
    wb = open_store(company, scope={"person": "p2"})
    assert wb.table("deals")["deal_id"].tolist() == ["d2"]
    assert wb.table("deal_events")["deal_id"].tolist() == ["d2"]
    assert wb.table("people")["name"].tolist() == ["李四"]


def test_a_sales_channel_does_not_filter_the_channel_of_tickets(open_store, company):
    assert len(open_store(company, scope={"channel": "直销"}).table("feedback")) == 1


def test_a_misspelt_scope_type_is_refused(make_store):
    with pytest.raises(UnknownName, match="Did you mean 'region'"):
        sf.open(make_store(transactions=SALES), scope={"regoin": "华东"})


def test_an_unknown_id_is_refused_with_the_nearest_one(make_store):
    with pytest.raises(UnknownName, match=r"No region named '华东区'\. Did you mean '华东'\? Available: 华东, 华南"):
        sf.open(make_store(transactions=SALES), scope={"region": "华东区"})


def test_a_scope_of_which_the_store_knows_nothing_says_so(make_store):
    with pytest.raises(UnknownName, match="names no team at all"):
        sf.open(make_store(transactions=SALES), scope={"team": "一队"})


def test_a_hostile_id_stays_text(make_store):
    with pytest.raises(UnknownName):
        sf.open(make_store(transactions=SALES), scope={"region": "x' OR '1'='1"})


def test_a_scope_known_from_targets_alone_opens_without_sales(open_store):
    targets = {"measure": ["revenue"], "scope_type": ["region"], "scope_id": ["西部"],
               "period_start": pd.to_datetime(["2026-01-01"]), "value": [1.0]}  # fmt: skip
    wb = open_store({"transactions": SALES, "targets": targets}, scope={"region": "西部"})
    assert not wb.has("sales")
    with pytest.raises(NoData, match="No order lines up to 2026-02-10, region 西部"):
        _ = wb.bounds


# --- calendar and customers ---


def test_fiscal_columns_follow_the_settings(open_store):
    settings = parse_settings({"fiscal": {"year_start_month": 4}})
    first = open_store(settings=settings).sql("SELECT * FROM sales ORDER BY date").iloc[0]
    assert [str(first[f"{grain}_start"].date()) for grain in ("week", "month", "quarter", "year")] == [
        "2026-01-05", "2026-01-01", "2026-01-01", "2025-04-01",
    ]  # fmt: skip
    assert first["workday"]


def test_the_calendar_is_a_table_three_years_beyond_the_data(open_store):
    wb = open_store()
    days = wb.sql("SELECT min(date) AS first, max(date) AS last, count(*) AS days FROM calendar").iloc[0]
    assert days["first"] < pd.Timestamp("2023-01-06")
    assert days["last"] > pd.Timestamp("2029-02-09")
    assert days["days"] == (days["last"] - days["first"]).days + 1


def test_estimated_workdays_are_noted(open_store):
    settings = parse_settings({"fiscal": {"year_start_month": 4}})
    frame = lines("2028-05-01 order 1")
    assert open_store({"transactions": frame}, settings=settings).notes == (
        "workdays_estimated:2028",
        "workdays_estimated:2029",
    )


def test_published_workdays_need_no_note(open_store):
    assert open_store({"transactions": lines("2025-05-01 order 1")}).notes == ()


def test_a_new_customer_is_new_on_the_first_purchase_day_only(open_store):
    wb = open_store(
        {"transactions": lines("""
            2026-01-01 return 1 customer_id=c1
            2026-01-05 order 1 customer_id=c1 order_id=a
            2026-01-05 order 2 customer_id=c1 order_id=b
            2026-01-06 order 3 customer_id=c1 order_id=c
            2026-01-07 order 4
        """)}
    )  # fmt: skip
    new = wb.sql("SELECT amount, is_new_customer FROM sales ORDER BY date, amount")
    assert new.values.tolist() == [[-1, False], [1, True], [2, True], [3, False], [4, False]]


def test_extra_columns_are_dimensions(make_store):
    path = make_store()
    with engine.connect(path, write=True) as store:
        store.execute("ALTER TABLE store.transactions ADD COLUMN x_brand VARCHAR")
        store.execute("INSERT INTO store.transactions (date, txn_type, amount, x_brand) "
                      "VALUES ('2026-01-05', 'order', 3, 'A')")  # fmt: skip
    with sf.open(path) as wb:
        assert wb.sql("SELECT x_brand, sum(amount) AS total FROM sales GROUP BY 1").values.tolist() == [["A", 3.0]]


def test_a_view_over_many_lines_says_the_same_as_a_kept_table(make_store, monkeypatch):
    path = make_store(transactions=ABROAD, measurements=rates(d2026_01_01=7.0))
    with sf.open(path) as kept:
        expected = kept.sql("SELECT * FROM sales ORDER BY date, amount")
    monkeypatch.setattr("salesforecast.workbench.views.KEPT_LINES", 0)
    with sf.open(path) as viewed:
        pd.testing.assert_frame_equal(viewed.sql("SELECT * FROM sales ORDER BY date, amount"), expected)


# --- asking ---


def test_has_knows_tables_and_columns(open_store):
    wb = open_store()
    assert wb.has("transactions")
    assert wb.has("sales.region")
    assert wb.has("cash") is False  # the payment lies after the last order
    assert not wb.has("transactions.channel")
    assert not wb.has("targets")
    with pytest.raises(UnknownName, match="Did you mean 'targets'"):
        wb.has("target")
    with pytest.raises(UnknownName, match="Did you mean 'channel'"):
        wb.has("transactions.chanel")


def test_require_says_what_is_missing_and_how_to_bring_it(open_store):
    wb = open_store()
    wb.require("transactions.region", "sales")
    with pytest.raises(NoData, match=r"Needs table targets \(目标与预算\).*salesforecast import FILES --into"):
        wb.require("transactions", "targets")
    with pytest.raises(NoData, match=r'transactions.channel, which is empty.*"channel": "YOUR COLUMN"'):
        wb.require("sales.channel")
    with pytest.raises(NoData, match=r"Needs table people"):
        wb.require("sales.team")
    with pytest.raises(NoData, match="Needs payment lines"):
        wb.require("cash")


def test_sql_takes_parameters(open_store):
    frame = open_store().sql("SELECT sum(amount) AS total FROM sales WHERE region = $region", region="华南")
    assert frame["total"].item() == 50


@pytest.mark.parametrize(
    "query",
    ["DELETE FROM store.transactions", "CREATE TABLE t (i INT)", "SELECT 1; SELECT 2", "DROP VIEW sales", "SELEC 1", "",
     "COPY (SELECT 1) TO 'out.csv'", "ATTACH 'other.duckdb'"],
)  # fmt: skip
def test_sql_takes_one_select_only(open_store, query):
    with pytest.raises(BadValue, match="one SELECT"):
        open_store().sql(query)


def test_an_unknown_table_is_refused(open_store):
    with pytest.raises(UnknownName, match="Did you mean 'customers'"):
        open_store().table("customer")


@pytest.mark.parametrize("options", [{"basis": "orders"}, {"language": "fr"}, {"as_of": "yesterday"}, {"period": "x"}])
def test_unknown_options_are_refused(make_store, options):
    with pytest.raises(BadValue):
        sf.open(make_store(transactions=SALES), **options)


def test_an_unknown_time_zone_is_refused(make_store):
    with pytest.raises(BadSettings, match="Asia/Shangai"):
        sf.open(make_store(transactions=SALES), settings=parse_settings({"timezone": "Asia/Shangai"}))


def test_settings_beside_the_store_are_used(make_store, tmp_path):
    path = make_store(transactions=SALES)
    (tmp_path / "salesforecast.toml").write_text('language = "en"\nbasis = "payment"\n', encoding="utf-8")
    with sf.open(path) as wb:
        assert (wb.language, wb.basis, wb.as_of) == ("en", "payment", date(2026, 2, 14))
    with sf.open(path, basis="order", language="zh") as wb:
        assert (wb.language, wb.basis) == ("zh", "order")


def test_the_working_directory_is_the_second_place_for_settings(make_store, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (here / "salesforecast.toml").write_text('language = "en"\n', encoding="utf-8")
    monkeypatch.chdir(here)
    with sf.open(make_store(transactions=SALES)) as wb:
        assert wb.language == "en"


# --- empty stores ---


def test_an_empty_store_says_how_to_fill_it(make_store):
    with pytest.raises(NoData, match="is empty; import it with: salesforecast import FILES"):
        sf.open(make_store())


def test_an_empty_store_opens_as_of_a_day(open_store):
    wb = open_store({"transactions": SALES.head(0)}, as_of="2026-10-31")
    assert wb.sql("SELECT * FROM sales").empty
    assert wb.exclusions.empty
    assert wb.period("2026-10").days == 31
    assert len(wb.data_hash) == 64
    with pytest.raises(NoData):
        _ = wb.bounds


def test_a_store_without_sales_is_as_of_the_last_day_it_knows(open_store):
    deals = {"deal_id": ["d1"], "stage": ["new"], "created_at": pd.to_datetime(["2026-05-06 09:00"])}
    wb = open_store({"deals": deals})
    assert wb.as_of == date(2026, 5, 6)
    assert len(wb.table("deals")) == 1


def test_a_missing_store_says_how_to_make_one(tmp_path):
    with pytest.raises(StoreError, match="salesforecast import"):
        sf.open(tmp_path / "none.duckdb")


def test_a_refused_opening_releases_the_store(make_store):
    path = make_store(transactions=SALES)
    with pytest.raises(UnknownName):
        sf.open(path, scope={"region": "nowhere"})
    engine.connect(path, write=True).close()


def test_opening_does_not_change_the_file(make_store):
    path = make_store(transactions=SALES)
    before = path.read_bytes()
    with sf.open(path) as wb:
        wb.table("transactions")
    assert path.read_bytes() == before


# --- data hash ---


def test_the_data_hash_does_not_depend_on_row_order_or_provenance(make_store, tmp_path):
    one = make_store(tmp_path / "one.duckdb", transactions=SALES)
    two = make_store(tmp_path / "two.duckdb", transactions=SALES.sort_values("date", ascending=False))
    with engine.connect(two, write=True) as store:
        store.execute("UPDATE store.transactions SET source_file = 'again.csv', import_id = 7")
    with sf.open(one) as first, sf.open(two) as second:
        assert first.data_hash == second.data_hash


@pytest.mark.parametrize(
    "change",
    ["amount = amount + 0.01", "region = NULL", "customer_id = order_id, order_id = customer_id"],
)
def test_the_data_hash_sees_a_changed_value(make_store, change):
    path = make_store(transactions=SALES)
    with sf.open(path) as wb:
        before = wb.data_hash
    with engine.connect(path, write=True) as store:
        store.execute(f"UPDATE store.transactions SET {change} WHERE date = '2026-01-20'")
    with sf.open(path) as wb:
        assert wb.data_hash != before


def test_the_data_hash_sees_a_line_that_came_twice(make_store, tmp_path):
    twice = make_store(tmp_path / "twice.duckdb", transactions=pd.concat([SALES, SALES.head(1)]))
    thrice = make_store(tmp_path / "thrice.duckdb", transactions=pd.concat([SALES, *[SALES.head(1)] * 2]))
    with sf.open(twice) as first, sf.open(thrice) as second:
        assert first.data_hash != second.data_hash


def test_the_data_hash_sees_only_what_is_visible(make_store):
    path = make_store(transactions=SALES)
    with sf.open(path, as_of="2026-01-31") as wb:
        before = wb.data_hash
    with engine.connect(path, write=True) as store:
        store.execute("DELETE FROM store.transactions WHERE date > '2026-01-31'")
    with sf.open(path, as_of="2026-01-31") as wb:
        assert wb.data_hash == before
    with (
        sf.open(path, as_of="2026-02-01") as later,
        sf.open(path, as_of="2026-01-31", scope={"region": "华东"}) as part,
    ):
        assert len({before, later.data_hash, part.data_hash}) == 3
