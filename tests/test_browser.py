"""A published page in a real browser with the network cut: nothing leaves, nothing complains, nothing hostile lives."""

import re
import shutil

import nbformat.v4 as v4
import pytest

from salesforecast.publish import export

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
    # Playwright leaves its event loop's socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EVIL = (
    "</title></style></script><script>window.hacked=1</script>"
    "<img src=x onerror=window.hacked=1>\"'><svg/onload=hacked=1>"
)
BARS = [("华东", 1234, 130), ("华北", 980, 104), ("华南", 640, 68), ("西南", 410, 44)]


def own(kind, html):
    data = {"text/html": html, "text/plain": kind}
    return v4.new_output("display_data", data, metadata={"salesforecast": {"kind": kind}})


def code(*outputs):
    return v4.new_code_cell("secret_source_code()", outputs=list(outputs), execution_count=1)


def text(source, *tags):
    return v4.new_markdown_cell(source, metadata={"tags": list(tags)})


def chart(width, rows=BARS):
    """A bar chart as `Show` draws it: static SVG, labels on the data, values on the marks."""
    scale = (width - 150) / max(value for _, value, _ in rows)
    marks = "".join(
        f'<g transform="translate(0,{40 * at})">'
        f'<text x="56" y="23" text-anchor="end" font-size="14" fill="#1d2329">{export.escape(name[:8])}</text>'
        f'<path aria-label="{export.escape(name)}" data-tip="{export.escape(name)} {value} 万元 (+{rise} %)" '
        f'd="M64,6h{value * scale:.0f}v26h-{value * scale:.0f}z" fill="#33414d"/>'
        f'<text x="{70 + value * scale:.0f}" y="23" font-size="14" fill="#1d2329">{value}</text></g>'
        for at, (name, value, rise) in enumerate(rows)
    )
    height = 40 * len(rows)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg role="img" aria-label="各区签约额" {size}>{marks}</svg>'


def figure(rows=BARS):
    data = "".join(f"<tr><th scope='row'>{export.escape(name)}</th><td>{value}</td></tr>" for name, value, _ in rows)
    return own(
        "chart",
        '<figure class="sf-chart"><figcaption><strong>华东占全公司签约额的 38%,比上年多 3 个百分点</strong><br>'
        "各大区 · 签约额 万元 · 2026-10</figcaption>"
        f'<div class="sf-wide">{chart(920, rows)}</div><div class="sf-narrow" hidden>{chart(340, rows)}</div>'
        f'<details class="sf-data"><summary>数据</summary><table><tbody>{data}</tbody></table></details></figure>',
    )


def review():
    """A short review, hostile names and all."""
    evil_row = [(EVIL, 77, 1)]
    return v4.new_notebook(
        cells=[
            v4.new_code_cell('period: str = "2026-10"', metadata={"tags": ["parameters"]}),
            text("# 月度销售评审 2026-10\n\n全公司 · 签约口径 · 万元 · 数据截至 2026-10-31"),
            text("## 结论", "section:findings"),
            text(
                "1. **华东区 10 月签约 1,234 万元,同比 −12%**(量 −9、价 +2、结构 −5);八成来自 A 系列,自 8 月起持续。"
                "[各区](#regions)\n2. **年度目标达成概率约 34%,区间 22–47%**,上月为 52%。[预测](#forecast)\n"
                "3. 渠道三新客 41 家,占全部新客的 63%;客单价 2.1 万元,低于均值 0.8 万元。",
                "lang-zh",
            ),
            text("Not for this page.", "lang-en"),
            text("## 各区", "section:regions"),
            code(figure()),
            text("华东与华北合计 2,214 万元,占 68%。西南自 6 月起逐月下降,七月为 −3.1%。"),
            code(own("table", table())),
            text("## 预测与目标", "section:forecast"),
            text(
                "> 预测依据三年的月度签约额,回测 6 期,误差(WAPE)11%,朴素法 16%。\n\n"
                "| 月份 | 预测 | 80% 区间 |\n|---|--:|--:|\n"
                "| 2026-11 | 3,310 | 2,940–3,680 |\n| 2026-12 | 3,720 | 3,250–4,190 |"
            ),
            text("## 数据与口径", "section:appendix"),
            text(f"### 最长的客户名\n\n{EVIL} [点击](javascript:window.hacked=1) <script>window.hacked=1</script>"),
            code(
                figure(evil_row),
                v4.new_output("stream", name="stdout", text=EVIL),
                v4.new_output("execute_result", {"text/html": f"<b>{EVIL}</b>", "text/plain": "x"}, execution_count=1),
                v4.new_output("execute_result", {"text/plain": EVIL}, execution_count=1),
                v4.new_output(
                    "display_data", {"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload='hacked=1'/>"}
                ),
            ),
        ]
    )


def table():
    head = "".join(f'<th scope="col">{name}</th>' for name in ("大区", "签约额 万元", "同比", "达成率", "毛利率"))
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td>{value:,}</td><td>+{rise / 10:.1f}%</td><td>{rise - 6}%</td>'
        f"<td>31.{rise % 9}%</td></tr>"
        for name, value, rise in BARS
    )
    total = '<tfoot><tr><th scope="row">合计</th><td>3,264</td><td>+8.7%</td><td>97%</td><td>31.4%</td></tr></tfoot>'
    return (
        f'<table class="sf-table"><caption>各大区 · 2026-10</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody>{total}</table>"
    )


def page_of(notebook):
    return export.build(
        notebook,
        period="2026-10",
        facts=[
            ("as_of", "2026-10-31"),
            ("data", "9f2c41d07b6e8a35"),
            ("parameters", "0c5d9e1f2a3b4c5d"),
            ("notebook", "4b" * 32),
            ("versions", "python 3.11.2 · salesforecast 0.1.0 · pandas 3.0.1 · duckdb 2.0.0 · altair 6.3.0"),
        ],
        previous={"href": "../../2026-09/index.html", "period": "2026-09"},
        source="source.ipynb",
    )


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--no-first-run",
            ],
        )  # fmt: skip
        yield started
        started.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Return a function that opens a page offline and gives it with what it asked for and what it complained of."""
    contexts = []

    def open_page(content, **options):
        path = tmp_path / "index.html"
        path.write_text(content, encoding="utf-8")
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        seen = {"requests": [], "complaints": []}

        def stop(route):
            if route.request.url.startswith(("file:", "data:")):
                route.continue_()
            else:
                seen["requests"].append(route.request.url)
                route.abort()

        context.route("**/*", stop)
        page.on("console", lambda message: seen["complaints"].append(message.text))
        page.on("pageerror", lambda error: seen["complaints"].append(str(error)))
        page.goto(path.as_uri())
        return page, seen

    yield open_page
    for context in contexts:
        context.close()


def test_a_page_opens_offline_without_request_complaint_or_hostile_code(visit):
    page, seen = visit(page_of(review()), viewport={"width": 1280, "height": 900})
    assert page.title() == "月度销售评审 2026-10"
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert page.locator("figure.sf-chart .sf-wide svg").count() == 2
    assert page.evaluate("window.hacked") is None
    assert seen == {"requests": [], "complaints": []}
    shown = page.locator("main").inner_text()
    assert shown.count("<script>window.hacked=1</script>") >= 4 and "(javascript:window.hacked=1)" in shown
    assert "secret_source_code" not in page.content() and "Not for this page" not in page.content()


def test_ids_are_unique_and_every_link_of_the_contents_arrives(visit):
    page, _ = visit(page_of(review()), viewport={"width": 1280, "height": 900})
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert len(ids) == len(set(ids)) and ids[:3] == ["月度销售评审-2026-10", "findings", "regions"]
    page.locator(".sf-toc a", has_text="预测与目标").click()
    page.wait_for_function("document.querySelector('.sf-toc [aria-current]')?.textContent === '预测与目标'")
    assert page.evaluate("Math.abs(document.getElementById('forecast').getBoundingClientRect().top) < 400")


def test_a_script_put_into_the_page_by_hand_is_blocked(visit):
    content = page_of(review()).replace(
        "</footer>", "</footer><script>window.hacked=1</script><img src=x onerror=hacked=1>"
    )
    page, seen = visit(content)
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in each for each in seen["complaints"])
    assert page.locator(".sf-tip").count() == 1  # our own script lives


def test_a_mark_tells_its_value_to_mouse_and_keyboard_as_text(visit):
    page, _ = visit(page_of(review()), viewport={"width": 1280, "height": 900})
    tip = page.locator(".sf-tip")
    page.locator(".sf-wide [data-tip]").first.hover()
    assert tip.inner_text() == "华东 1234 万元 (+130 %)"
    page.locator(".sf-wide svg").nth(1).focus()
    page.keyboard.press("ArrowRight")
    assert tip.inner_text().startswith("</title></style></script><script>") and page.evaluate("window.hacked") is None
    page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_a_phone_shows_one_column_and_the_narrow_charts(visit):
    page, seen = visit(page_of(review()), viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".sf-narrow").first.is_visible() and not page.locator(".sf-wide").first.is_visible()
    assert not page.locator(".sf-toc").is_visible()
    page.locator(".sf-toc-phone summary").click()
    assert page.locator(".sf-toc-phone a").first.is_visible()
    page.locator(".sf-narrow [data-tip]").first.tap()
    assert page.locator(".sf-tip").inner_text().startswith("华东 1234")
    assert seen == {"requests": [], "complaints": []}


def test_the_page_is_complete_without_its_script(visit):
    page, _ = visit(page_of(review()), java_script_enabled=False, viewport={"width": 1280, "height": 900})
    assert page.locator(".sf-wide svg").first.is_visible() and page.locator(".sf-toc").is_visible()


def test_print_has_no_controls_and_a_few_a4_pages(visit):
    page, _ = visit(page_of(review()))
    page.emulate_media(media="print")
    for control in (".sf-toc", ".sf-bar", ".sf-data", ".sf-source"):
        assert not page.locator(control).first.is_visible()
    printed = page.pdf(prefer_css_page_size=True)
    boxes = set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed))
    assert {(round(float(width)), round(float(height))) for width, height in boxes} == {(595, 842)}
    assert len(re.findall(rb"/Type /Page\b(?!s)", printed)) <= 4
