"""`Show` with a small stand-in for a workbench: every block in both languages, masked, escaped, and with its words."""

import json
import re
from datetime import date
from html.parser import HTMLParser
from types import SimpleNamespace

import pandas as pd
import pytest

from salesforecast.errors import BadValue, NoData
from salesforecast.findings import Finding
from salesforecast.present import Show, labels
from salesforecast.present.figures import VEGALITE
from salesforecast.settings import parse_settings

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


def bench(language="zh", audience="management", settings=None, **more):
    people = pd.DataFrame({"person_id": ["P01", "P02"], "name": ["张三", HOSTILE]})
    given = {
        "settings": parse_settings({"company": "星河", **(settings or {})}),
        "as_of": date(2026, 10, 31),
        "basis": "order",
        "scope": {},
        "language": language,
        "audience": audience,
        "notes": (),
        "data_hash": "0123456789abcdef" * 4,
        "names": lambda table, key: people.set_index(key)["name"].to_dict() if table == "people" else {},
        "has": lambda name: name != "targets",
    }  # fmt: skip
    return SimpleNamespace(**{**given, **more})


def kpis():
    return pd.DataFrame(
        {
            "value": [13.34e6, 812.0, 0.034],
            "last_year": [11.46e6, None, 0.028],
            "yoy": [0.164, None, 0.006],
            "mom": [-0.066, 0.0, -0.001],
            "attainment": [0.92, None, None],
            "note": ["partial", "", ""],
        },
        index=pd.Index(["revenue", "orders", "return_rate"], name="measure"),
    )


def regions():
    return pd.DataFrame({
        "region": ["华东", HOSTILE, None, "*"], "value": [5e6, 3e6, 1e6, 9e6], "yoy": [0.1, -0.2, None, 0.01],
    })  # fmt: skip


class Tags(HTMLParser):
    """Collect the tags of a page, and its open ones, as a browser would see them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.open = set(), set(), []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def everything(show):
    finding = Finding("any", "regions", "revenue", -1.2e6, 0.9, "2026-10", slice={"region": HOSTILE}, action="any")
    return [
        show.head(HOSTILE, "2026-10", HOSTILE),
        show.findings([finding]),
        show.cards(kpis(), {"revenue": pd.DataFrame({"value": [1.0, None, 3.0]})}),
        show.table(regions(), HOSTILE),
        show.chart("bars", regions(), HOSTILE, title=HOSTILE),
        show.sentence(zh="{who}", en="{who}", who=HOSTILE),
        show.note(HOSTILE),
        show.definitions(["revenue"]),
        show.provenance(),
        show.missing("attainment", NoData(HOSTILE)),
    ]


@pytest.fixture
def any_finding(monkeypatch):
    """Labels of one kind of finding and one action, as the analysis would bring them."""
    groups = {**labels.groups()}
    groups["finding"] = {
        "any": {"zh": "{slice}{period:period}少 {amount:money}", "en": "{slice} {period:period} {amount:money}"}
    }
    groups["action"] = {"any": {"zh": "拜访{slice}", "en": "visit {slice}"}}
    monkeypatch.setattr(labels, "groups", lambda: groups)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("audience", ["analyst", "management"])
def test_every_block_is_escaped_well_formed_and_without_styles_or_handlers(language, audience, any_finding):
    for shown in everything(Show(bench(language, audience))):
        page = Tags(shown.html)
        assert not page.open and not page.tags & {"script", "img", "style"}, shown.metadata
        assert not {each for each in page.attributes if each.startswith("on")} | page.attributes & {"style", "src"}
        assert shown.data["text/plain"] and shown.metadata["salesforecast"]["kind"]
        bundle, metadata = shown._repr_mimebundle_()
        assert bundle["text/html"] == shown.html and metadata == shown.metadata


def test_every_block_is_the_same_twice(any_finding):
    first, second = ([each.data for each in everything(Show(bench()))] for _ in range(2))
    assert first == second


def test_the_head_says_what_the_figures_are():
    show = Show(bench(scope={"region": "华东"}))
    text = str(show.head("monthly_sales", "2026-10", show.sentence(zh="达成 {a:pct}。", en="{a:pct}.", a=0.92)))
    assert text.splitlines() == [
        "星河 区域 华东 销售复盘 2026年10月", "达成 92.0%。", "期间: 2026年10月", "数据截至: 2026年10月31日",
        "口径: 签约", "范围: 区域 华东", "单位: 万元", "版本: 管理层版",
    ]  # fmt: skip


def test_findings_say_what_how_sure_and_what_to_do(any_finding):
    finding = Finding("any", "attainment", "revenue", -1.2e6, 0.9, "2026-10", slice={"region": "华东"}, action="any")
    html = Show(bench()).findings([finding]).html
    assert "华东2026年10月少 −120 万元" in html and "建议：拜访华东" in html and "把握：高" in html
    assert '<a href="#attainment">目标达成</a>' in html and "sf-bad" in html
    assert "没有达到门槛" in str(Show(bench()).findings([]))


def test_cards_say_the_value_aloud_and_the_changes_with_sign_and_shape():
    html = Show(bench()).cards(kpis()).html
    assert '1,334 <span class="sf-unit">万元</span>' in html
    assert '<span class="sf-var sf-good sf-green">▲ +16.4%</span>' in html
    assert '<span class="sf-var sf-bad sf-red">▲ +0.6 个百分点</span>' in html  # the return rate: less is better
    assert html.count('<li class="sf-card">') == 3
    with pytest.raises(BadValue, match="At most 6 cards; found 7"):
        Show(bench()).cards(kpis(), measures=["revenue"] * 7)


def test_red_up_swaps_colours_and_keeps_good_and_bad():
    html = Show(bench(settings={"display": {"red_up": True}})).cards(kpis(), measures=["revenue"]).html
    assert "sf-good sf-red" in html and "sf-bad sf-green" in html


def test_a_table_has_a_caption_scopes_units_and_its_total_last():
    html = Show(bench()).table(regions(), "区域", columns=["region", "value", "yoy"]).html
    assert html.startswith('<table class="sf-table"><caption>区域</caption><thead><tr><th scope="col"')
    assert '本期 <span class="sf-unit">万元</span>' in html
    assert (
        '<tr><th scope="row" class="sf-text">华东</th><td class="sf-number" data-label="本期 万元">500.0</td>' in html
    )
    assert re.search(r'<tfoot><tr class="sf-total"><th scope="row" class="sf-text">合计</th>.*900\.0', html)
    assert "未归属" in html and ">—</td>" in html


def test_a_table_of_measures_has_a_unit_in_each_row_and_notes_in_words():
    html = Show(bench("en")).table(kpis(), "KPIs").html
    assert 'Net sales <span class="sf-unit">CNY K</span>' in html and "13,340.0" in html
    assert ">3.4%<" in html and "+0.6 pp" in html and "Period not finished" in html


def test_a_table_of_nine_columns_is_refused_with_the_way_out():
    wide = pd.DataFrame([{f"c{each}": each for each in range(9)}])
    with pytest.raises(BadValue, match=r"at most 8 columns; found 9. Choose with columns="):
        Show(bench()).table(wide, "x")
    with pytest.raises(BadValue, match="no column zz"):
        Show(bench()).table(wide, "x", columns=["zz"])


@pytest.mark.parametrize(
    ("language", "message"), [("zh", "华东居首（共 2 项），500 万元。"), ("en", "Largest of 2: 华东 with CNY 5.0M.")]
)
def test_a_chart_has_message_title_two_drawings_and_its_data(language, message):
    frame = pd.DataFrame({"region": ["华东", "华南", "*"], "value": [5e6, 3e6, 8e6]})
    shown = Show(bench(language)).chart("bars", frame)
    assert f'<p class="sf-message">{message}</p>' in shown.html
    assert shown.html.count("<svg") >= 2 and '<div class="sf-narrow" hidden>' in shown.html
    assert '<details class="sf-data">' in shown.html and "<tfoot>" in shown.html
    assert set(shown.data) == {"text/html", "text/plain", VEGALITE, "image/svg+xml"}
    assert message in shown.data[VEGALITE]["description"]
    json.dumps(shown.data[VEGALITE], allow_nan=False)


def test_ids_of_a_figure_are_unique_in_the_page():
    frame = pd.DataFrame({"period_start": pd.date_range("2026-01-01", periods=3, freq="MS"),
                          "actual": [1e6, 2e6, None], "forecast": [None, None, 2e6]})  # fmt: skip
    html = Show(bench()).chart("columns", frame).html
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids)) >= 2


def test_a_chart_without_words_is_refused():
    with pytest.raises(BadValue, match="no alternative text"):
        Show(bench()).chart("bars", regions(), alt=" ")


def test_names_are_masked_for_a_published_page_and_ids_stay():
    people = pd.DataFrame({"person_id": ["P01", "P09", "王小明"], "value": [3e6, 2e6, 1e6]})
    published, analyst = (Show(bench(audience=each)) for each in ("management", "analyst"))
    assert [published.member(each, "person") for each in people["person_id"]] == ["张** P01", "P09", "王**"]
    assert [analyst.member(each, "person") for each in people["person_id"]] == ["张三", "P09", "王小明"]
    chart = published.chart("bars", people)
    for text in (chart.html, json.dumps(dict(chart.data), ensure_ascii=False), published.table(people, "x").html):
        assert "张三" not in text and "王小明" not in text and "张** P01" in text
    assert published.member("华东", "region") == "华东"
    assert Show(bench(settings={"privacy": {"mask": []}})).member("P01", "person") == "张三"


def test_a_section_without_its_data_is_one_sentence_and_the_review_goes_on(monkeypatch):
    show, displayed = Show(bench()), []
    monkeypatch.setattr("IPython.display.display", displayed.append)
    with show.section("no such section"):
        raise NoData("Needs table targets.")
    with show.section("regions"):
        pass
    assert [each.metadata["salesforecast"]["kind"] for each in displayed] == ["missing"]
    assert "Needs table targets" in str(displayed[0])


def test_other_errors_are_not_swallowed():
    with pytest.raises(ZeroDivisionError), Show(bench()).section("kpis"):
        raise ZeroDivisionError


def test_a_missing_table_is_named_in_the_readers_language():
    pytest.importorskip("salesforecast.analysis.targets")
    text = str(Show(bench()).missing("attainment", NoData("Needs table targets.")))
    assert text == "「目标达成」未显示：缺少目标与预算。导入后重新运行即可。"


def test_provenance_has_data_settings_exclusions_and_versions_but_no_clock():
    exclusions = pd.DataFrame({"table": ["transactions"], "reason": ["void"], "rows": [3], "amount": [1e6]})
    text = str(Show(bench(exclusions=exclusions, notes=("workdays_estimated:2027",))).provenance())
    assert "数据指纹: 0123456789ab" in text and "交易流水 | 已作废 | 3 | 100.0" in text and "altair" in text
    assert not re.search(r"\d\d:\d\d", text)


def test_the_money_unit_follows_the_size_of_the_company():
    small = bench(sql=lambda query: pd.DataFrame({"amount": [8_000.0]}))
    assert Show(small).words.unit == "元"


def test_a_sentence_needs_a_key_or_both_languages():
    with pytest.raises(BadValue, match="both zh"):
        Show(bench()).sentence(zh="只有中文")
    record = Show(bench("en")).sentence("accuracy.record", wape=0.12, naive=0.136)
    assert str(record) == "In the past the method missed by 12.0% (weighted error); repeating last year by 13.6%."


def test_the_track_record_says_when_the_method_is_no_better_than_repeating_last_year():
    accuracy = pd.DataFrame({"model": ["combination", "seasonal_naive"], "wape": [0.15, 0.15]})
    assert "请谨慎使用" in str(Show(bench()).track_record(accuracy))


def test_the_agenda_asks_what_the_findings_suggest_and_leaves_room():
    values = {"value": 0.3, "change": -0.02, "effect_size": 2e5}
    finding = Finding("margin_drop", "kpis", "gm_pct", -2e5, 0.9, "2026-10", values=values, action="check_discount")
    html = Show(bench()).agenda([finding]).html
    assert html.count("<tr>") == 6
    assert "按产品和客户列出折扣超过平均的订单" in html


def test_certainty_is_a_word():
    from salesforecast.present.blocks import certainty
    from salesforecast.present.words import Words

    assert [certainty(each, Words("en")) for each in (0.8, 0.7999, 0.5, 0.3)] == [
        "Certainty: high", "Certainty: medium", "Certainty: medium", "Certainty: low",
    ]  # fmt: skip


def test_a_small_measure_gets_a_smaller_unit_than_the_page():
    show = Show(bench("en", sql=lambda query: pd.DataFrame({"amount": [2e7]})))
    frame = pd.DataFrame({"measure": ["revenue", "gm", "aov"], "value": [2e7, 3.86e6, 1474.0]})
    assert re.findall(r'<span class="sf-unit">(.*?)</span>', show.table(frame, "KPIs").html) == [
        "CNY M",
        "CNY K",
        "CNY",
    ]


def test_a_displayed_show_is_the_style_sheet_of_the_notebook():
    data, metadata = Show(bench())._repr_mimebundle_()
    assert metadata == {"salesforecast": {"kind": "style"}}
    assert data["text/html"].startswith("<style>") and ".sf-cards {" in data["text/html"]
    assert data["text/plain"].startswith("Show(zh, ")


def test_a_long_table_shows_its_first_rows_its_total_and_how_many_it_leaves_out():
    frame = pd.DataFrame({"region": [f"区{each}" for each in range(60)] + ["*"], "value": [1e6] * 60 + [6e7]})
    html = Show(bench()).table(frame, "各区域", rows=25).html
    assert html.count("<tr>") == 26  # the head and 25 rows; the total is marked
    assert "6,000" in html
    assert "另有 35 行未列出" in html


def test_an_empty_table_is_a_sentence_and_an_empty_column_is_left_out():
    frame = pd.DataFrame({"region": ["华东"], "value": [1e6], "attainment": [None]})
    assert "达成率" not in Show(bench()).table(frame, "各区域", columns=["region", "value", "attainment"]).html
    assert str(Show(bench()).table(frame.iloc[:0], "checks")) == "数据检查：没有需要列出的。"


def test_a_card_without_a_value_is_left_out_and_notes_are_said_once():
    frame = kpis().assign(value=[13.34e6, None, 0.034], note="partial")
    html = Show(bench()).cards(frame).html
    assert html.count('class="sf-card"') == 2
    assert html.count("期间未结束") == 1


def record(**last):
    """A frame of `archive.said`: one month, 1,234 万 said, 1,150 万 sold."""
    row = {
        "period_start": pd.Timestamp("2026-10-01"), "made_on": pd.Timestamp("2026-09-30"), "forecast": 12.34e6,
        "lo_80": 10e6, "hi_80": 14e6, "actual": 11.5e6, "miss": 0.84e6, "miss_pct": 0.073, "inside_80": 1.0, **last,
    }  # fmt: skip
    frame = pd.DataFrame([row])
    frame.attrs = {"n": 1, "wape": 0.073, "naive_wape": 0.1, "bias": 0.073, "leaning": "even", "inside": 1}
    return frame


def test_the_record_says_what_was_said_and_what_happened():
    said = str(Show(bench()).said(record()))
    assert said == (
        "上次（2026年9月30日）说2026年10月为 1,234 万元（80% 区间 1,000 万元至 1,400 万元），实际 1,150 万元："
        "预测偏高 7.3%，在区间内。"
    )
    low = record(forecast=9e6, miss=-2.5e6, miss_pct=-0.217, inside_80=0.0)
    assert "预测偏低 21.7%，在区间外" in str(Show(bench()).said(low))
    assert "the forecast was 7.3% too high" in str(Show(bench("en")).said(record()))


def test_a_longer_record_says_how_good_it_is_and_which_way_it_leans():
    frame = record()
    frame.attrs |= {"n": 6, "inside": 5, "leaning": "high"}
    said = str(Show(bench()).said(frame))
    assert "6 期：加权误差 7.3%，照抄去年同期为 10.0%；5 期落在 80% 区间内" in said and "持续偏高，平均高 7.3%" in said


def test_without_an_archive_it_says_so_and_a_moved_landing_is_told():
    landings = pd.DataFrame({"made_on": [pd.Timestamp("2026-09-30")], "forecast": [169e6]})
    outlook = pd.DataFrame({"kind": ["actual"]})
    outlook.attrs = {"landing": 167.8e6}
    said = str(Show(bench()).said(record().iloc[:0], landings, outlook))
    assert said.startswith("还没有可对照的存档预测") and "2026年9月30日说 1.69 亿元，现在 1.68 亿元（−0.7%）" in said


def test_forecasts_are_handed_to_the_archive_as_plain_values_and_shown_nowhere():
    rows = pd.DataFrame({
        "forecaster": ["theta"], "measure": "revenue", "scope_type": "company", "scope_id": "*", "grain": "month",
        "period_start": [pd.Timestamp("2026-11-01")], "value": [0.1 + 0.2], "lo_80": [float("nan")],
    })  # fmt: skip
    shown = Show(bench()).archive(rows)
    (bundle,) = [value for kind, value in shown.data.items() if kind.endswith("+json")]
    assert json.loads(json.dumps(bundle))["rows"] == [
        {"forecaster": "theta", "measure": "revenue", "scope_type": "company", "scope_id": "*", "grain": "month",
         "period_start": "2026-11-01", "value": 0.1 + 0.2, "lo_80": None}
    ]  # fmt: skip
    assert "text/html" not in shown.data and shown.metadata["salesforecast"]["kind"] == "archive"


def test_callers_are_masked_and_models_are_named():
    frame = pd.DataFrame({
        "forecaster": ["rep:P01", "manager:P01", "combination", "rep:*"], "wape": 0.1,
        "leaning": ["high", "even", "low", "even"], "verdict": "even", "fva": 0.012,
    })  # fmt: skip
    table = str(Show(bench()).table(frame, caption="callers"))
    assert "销售 张** P01 | 10.0% | 偏高（虚高） | 差别不大 | +1.2" in table and "经理 张** P01" in table
    assert "多模型组合" in table and "销售上报合计" in table
    said = str(Show(bench()).leanings(frame.assign(bias=0.3)[:2]))
    assert said == "报得偏高、超出偶然的有 1 人，最明显：张** P01 +30.0%。"
    assert "2 人的上报都看不出" in str(Show(bench()).leanings(frame.assign(bias=0.3, leaning="even")[:2]))


def test_a_forecast_is_summed_up_in_one_sentence_with_or_without_last_year():
    day = pd.Timestamp
    whole = {
        "n": 2, "first": day("2026-11-01"), "last": day("2026-12-01"), "total": 30e6, "lo_80": 25e6, "hi_80": 35e6,
        "yoy": 0.05, "high": 18e6, "high_period": day("2026-12-01"), "low": 12e6, "low_period": day("2026-11-01"),
    }  # fmt: skip
    said = str(Show(bench()).ahead(whole))
    assert said.startswith("2026年11月至2026年12月") and "预计合计 3,000 万元" in said and "+5.0%" in said
    assert "上年" not in str(Show(bench()).ahead({**whole, "yoy": None}))
    assert str(Show(bench("en")).ahead({**whole, "n": 1})).endswith("80% interval CNY 25.0M to CNY 35.0M).")


def test_members_are_named_with_their_weights_and_equal_ones_say_why():
    weights = pd.DataFrame({"model": ["theta", "drift"], "weight": [0.7, 0.3]})
    assert "由 2 个方法合成" in str(Show(bench()).members(weights)) and "70%" in str(Show(bench()).members(weights))
    assert "权重相同" in str(Show(bench()).members(weights.assign(weight=0.5)))
    assert "只用" in str(Show(bench()).members(weights[:1]))


def test_levels_say_how_far_their_whole_is_from_the_forecast_alone():
    parts = pd.DataFrame({"forecast": [101e6, 1.0]})
    assert "相差 +1.0%" in str(Show(bench()).parts(parts, 100e6))
    assert "相差" not in str(Show(bench()).parts(parts, 101e6))
    rows = pd.DataFrame({"depth": [1, 2], "scope_type": "region", "scope_id": ["华东", "上海"], "forecast": 1e6})
    company = pd.DataFrame({"scope_type": ["company"], "scope_id": ["*"], "wape": [0.1]})
    assert "全公司 | 10.0%" in str(
        Show(bench()).table(company, caption="archive_accuracy", total=None, columns=["scope_id", "wape"])
    )
    assert "\u2003上海" in str(Show(bench()).table(rows, caption="hierarchy", columns=["scope_id", "forecast"]))
