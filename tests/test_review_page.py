"""The monthly review as its reader gets it: real data through the real chain, in a real browser with no network."""

import csv
import shutil
from itertools import pairwise

import pytest

import salesforecast as sf

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
    # Playwright leaves its event loop's socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

REGION = "</script><script>window.hacked=1</script>"
CHANNEL = '=HYPERLINK("http://example.invalid","click")'
CUSTOMER = "javascript:window.hacked=1"
PERSON = '"><img src=x onerror=window.hacked=1>'


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A review of 26 months of orders whose region, channel, customer and person names are hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    with (folder / "orders.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["订单编号", "下单日期", "客户名称", "业务员", "大区", "渠道", "金额", "成本"])
        for number in range(26 * 12):
            year, month = divmod(number // 12, 12)
            day = f"{2024 + year}-{month + 1:02d}-{number % 12 * 2 + 1:02d}"
            names = [CUSTOMER, PERSON, REGION, CHANNEL] if number % 3 else ["普通客户", "张三", "华东", "直销"]
            amount = 10_000 + 700 * (number % 7) + 120 * (number // 12)
            writer.writerow([f"A{number}", day, *names, amount, amount * 0.7])
    sf.import_files(folder / "orders.csv", into=folder / "sales.duckdb")
    run = sf.run(
        "monthly_sales", period="2026-01", store=folder / "sales.duckdb", language="zh", out=folder / "reports"
    )
    return run.page


@pytest.fixture
def browser():
    from playwright.sync_api import sync_playwright

    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", *quiet])
        yield chromium
        chromium.close()


@pytest.mark.parametrize("width", [1280, 390], ids=["laptop", "phone"])
def test_the_page_is_whole_offline_and_inert(page, browser, width):
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    view = context.new_page()
    requests, complaints = [], []
    view.on("request", lambda request: requests.append(request.url))
    view.on("console", lambda message: complaints.append(message.text))
    view.on("pageerror", lambda error: complaints.append(str(error)))
    view.goto(page.as_uri())
    assert requests == [page.as_uri()]
    assert complaints == []
    assert view.evaluate("window.hacked") is None
    text = view.inner_text("body")
    for name in (REGION, CHANNEL):
        assert name in text
    drawn = view.evaluate(
        "[...document.querySelectorAll('figure.sf-chart')].map(f => [...f.querySelectorAll('svg')]"
        ".filter(s => s.getBoundingClientRect().width > 200 && s.querySelectorAll('path,rect,line').length > 3).length)"
    )
    assert drawn == [1, 1, 1, 1]  # trend, regions, channels, outlook: one drawing of each is shown
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    told = view.evaluate(
        "[...document.querySelectorAll('figure svg[role=img]')]"
        ".map(drawing => drawing.querySelector('title,desc')?.textContent ?? '')"
    )
    assert min(map(len, told)) > 10
    context.close()


def test_sections_without_data_say_what_is_missing(page):
    text = page.read_text(encoding="utf-8").split("</style>")[-1]
    assert text.count('class="sf-missing"') == 2  # no targets, no register
    assert "目标与预算" in text


def test_headings_are_in_order_and_links_lead_somewhere(page, browser):
    view = browser.new_page()
    view.goto(page.as_uri())
    levels = view.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    targets = view.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map(a => decodeURIComponent(a.hash.slice(1)))"
    )
    ids = view.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
    assert set(targets) <= set(ids)
    assert len(ids) == len(set(ids))
