"""The page of an executed notebook: what is on it, what is not, and the checks before it may be published."""

import base64
import hashlib
import re

import nbformat.v4 as v4
import pandas as pd
import pytest

from salesforecast.errors import PublishBlocked
from salesforecast.publish import checks, export, markup, reviews

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


def own(kind, html):
    return v4.new_output("display_data", {"text/html": html}, metadata={"salesforecast": {"kind": kind}})


def foreign(**data):
    return v4.new_output("execute_result", {kind.replace("_", "/"): value for kind, value in data.items()})


def cell(*outputs, tags=()):
    return v4.new_code_cell("hidden_code()", outputs=list(outputs), metadata={"tags": list(tags)})


def text(source, *tags):
    return v4.new_markdown_cell(source, metadata={"tags": list(tags)})


def page(*cells, **options):
    return export.build(v4.new_notebook(cells=list(cells)), **options)


def body(*cells, **options):
    return page(*cells, **options).split("<main>")[1].split("</main>")[0]


def test_code_is_hidden_and_one_language_is_shown():
    shown = body(text("中文", "lang-zh"), text("English", "lang-en"), text("both"), cell(), language="en")
    assert "English" in shown and "both" in shown
    assert "中文" not in shown and "hidden_code" not in shown


def test_cells_are_removed_by_the_usual_tags_in_either_spelling():
    output = v4.new_output("stream", name="stdout", text="secret")
    shown = body(
        *(cell(output, tags=[tag]) for tag in ("remove-cell", "remove_cell", "remove-output", "remove_output"))
    )
    assert "secret" not in shown


def test_raw_cells_stderr_and_widgets_are_left_out():
    widget = foreign(text_plain="IntSlider()", **{"application_vnd.jupyter.widget-view+json": {"model_id": "x"}})
    shown = body(
        v4.new_raw_cell("<script>raw</script>"), cell(v4.new_output("stream", name="stderr", text="warn"), widget)
    )
    assert "raw" not in shown and "warn" not in shown and "IntSlider" not in shown


def test_a_tagged_heading_has_the_section_as_its_id_and_others_get_unique_ones():
    shown = page(text("## Sales"), text("## Sales"), text("## 渠道", "section:channels"), text("## channels"))
    assert re.findall(r'<h2 id="([^"]*)"', shown) == ["sales", "sales-2", "channels", "channels-2"]
    assert shown.count('href="#channels"') == 2  # contents beside the page and above it


def test_the_title_is_the_first_heading_with_the_period():
    assert "<title>Sales &amp; more 2026-10</title>" in page(text("# Sales & more"), period="2026-10")
    assert "<title>Sales 2026年10月</title>" in page(cell(own("head", "<h1>Sales 2026年10月</h1>")), period="2026-10")
    assert "<title>monthly 2026-10</title>" in page(title="monthly", period="2026-10")


def test_the_language_of_the_page_is_declared():
    assert '<html lang="zh-CN">' in page() and '<html lang="en">' in page(language="en")


def test_own_html_is_inserted_as_it_is_and_foreign_html_is_cleaned():
    fragment = '<p class="sf-x">A <b>B</b></p>'
    assert fragment in body(cell(own("prose", fragment)))
    assert "<p>A <b>B</b></p>" in body(cell(foreign(text_html=fragment)))


@pytest.mark.parametrize("kind", ["text_html", "text_plain", "text_markdown"])
def test_a_hostile_output_is_shown_as_text(kind):
    shown = body(cell(foreign(**{kind: EVIL})))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown and "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert "<script" not in shown and "<img" not in shown


def test_a_notebook_frame_is_shown_as_a_table_with_hostile_names_as_text():
    shown = body(cell(foreign(text_html=pd.DataFrame({EVIL: [EVIL]})._repr_html_(), text_plain="x")))
    assert "<table>" in shown and shown.count("&lt;script&gt;") == 2
    assert "dataframe tbody" not in shown  # pandas' style sheet


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "//evil.example", "file:///etc"],
)
def test_a_link_that_goes_nowhere_good_is_written_out(link):
    assert f"x ({link})" in body(text(f"[x]({link})"))
    assert "<a" not in body(text(f"[x]({link})")) and "<a" not in body(text(f"<{link}>"))


def test_good_links_live_and_pictures_come_from_the_cell_only():
    assert '<a href="https://example.com/?a=1&amp;b=2">x</a>' in body(text("[x](https://example.com/?a=1&b=2)"))
    assert '<a href="#sales">' in body(text("[x](#sales)"))
    assert "<img" not in body(text("![x](https://example.com/x.png)"))
    attached = text("![x](attachment:a.png)")
    attached.attachments = {"a.png": {"image/png": "iVBORw0KGgo="}}
    assert '<img src="data:image/png;base64,iVBORw0KGgo=" alt="x">' in body(attached)
    attached.attachments = {"a.png": {'x" onerror="alert(1)': "AA"}}
    assert "<img" not in body(attached)


def test_pictures_are_data_and_an_svg_of_others_is_a_picture():
    shown = body(
        cell(foreign(image_png="iVBORw0KGgo=\n", text_plain=EVIL), foreign(**{"image_svg+xml": "<svg onload='x'/>"}))
    )
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in shown and "<svg" not in shown
    assert base64.b64encode(b"<svg onload='x'/>").decode() in shown


def test_output_metadata_naming_files_elsewhere_is_ignored(tmp_path):
    output = foreign(image_png="iVBORw0KGgo=")
    output.metadata = {"filename": "../../../../etc/passwd", "filenames": {"image/png": "/etc/passwd"}}
    assert "passwd" not in body(cell(output))


def test_the_same_chart_twice_keeps_its_references_apart():
    drawing = '<svg><clipPath id="c1"></clipPath><g clip-path="url(#c1)"></g><use href="#c1"/></svg>'
    shown = body(cell(own("chart", drawing), own("chart", drawing)))
    assert re.findall(r' id="(c1[^"]*)"', shown) == ["c1", "c1-2"]
    assert 'clip-path="url(#c1-2)"' in shown and 'href="#c1-2"' in shown


def test_the_policy_lets_only_the_pages_own_style_and_script_through():
    made = page(text("# x"))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', made).group(1)
    for tag in ("style", "script"):
        (inline,) = re.findall(rf"<{tag}>(.*?)</{tag}>", made, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy


def test_the_page_states_its_provenance():
    made = page(facts=[("data", "abc123"), ("versions", "python 3.11")], source="source.ipynb", language="en")
    assert "<dt>Data hash</dt><dd>abc123</dd>" in made and '<a href="source.ipynb">' in made


def test_an_error_output_is_never_published():
    with pytest.raises(PublishBlocked, match="ZeroDivisionError"):
        page(cell(v4.new_output("error", ename="ZeroDivisionError", evalue="x", traceback=[])))


def test_nbconvert_finds_the_exporter_useful_on_its_own():
    made, resources = export.ReportExporter().from_notebook_node(v4.new_notebook(cells=[text("# Hello")]))
    assert "<title>Hello</title>" in made and resources["output_extension"] == ".html"


CHART = '<figure class="sf-chart"><svg></svg></figure>'
TABLE = "<table><tr><td>1</td></tr></table>"


def check(made, *cells):
    checks.check_page(made, v4.new_notebook(cells=list(cells)), "zh")


def test_a_page_with_all_charts_and_tables_passes():
    cells = [
        text("# A"),
        cell(own("chart", CHART), own("table", f"<div>{TABLE}</div>")),
        cell(own("prose", "<p>x</p>")),
    ]
    check(page(*cells), *cells)


def test_a_lost_chart_stops_the_page():
    both, one = cell(own("chart", CHART), own("chart", CHART)), cell(own("chart", CHART))
    with pytest.raises(PublishBlocked, match="chart: 2 made, 1 on the page"):
        check(page(one), both)


@pytest.mark.parametrize(("kind", "part"), [("chart", "svg"), ("table", "table")])
def test_a_chart_without_drawing_or_a_table_without_rows_stops_the_page(kind, part):
    empty = cell(own(kind, "<p>nothing</p>"))
    with pytest.raises(PublishBlocked, match=f"A {kind} on the page is empty: {part}"):
        check(page(empty), empty)


@pytest.mark.parametrize(
    "bad",
    [
        "<script>alert(1)</script>",
        "<style>p{}</style>",
        "<p onclick='x'></p>",
        "<p style='color:red'></p>",
        "<img src='https://example.com/x.png'>",
        "<img src='x.png'>",
        "<svg><image href='https://example.com/x.png'/></svg>",
        "<svg><use xlink:href='//example.com/x#a'/></svg>",
        "<svg><foreignObject></foreignObject></svg>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href=' javascript:alert(1)'>x</a>",
        "<iframe></iframe>",
        "<form></form>",
        "<link rel=stylesheet href=x.css>",
        "<meta http-equiv=refresh content=0>",
        "<video poster='https://example.com/x.png'></video>",
    ],
)
def test_own_html_that_could_act_or_load_stops_the_page(bad):
    output = cell(own("prose", bad))
    with pytest.raises(PublishBlocked):
        check(page(output), output)


def test_fragments_of_all_kinds_of_fine_own_html_pass():
    fine = (
        "<a href='#x'>a</a><a href='https://example.com'>b</a>"
        "<svg><use href='#c'/></svg><img src='data:image/png;base64,AA'>"
    )
    output = cell(own("prose", fine))
    check(page(output, previous={"href": "../../%E5%8D%8E/index.html", "period": "x"}), output)


def test_tidying_removes_what_differs_between_machines_and_runs():
    output = cell(
        foreign(text_plain="<Thing at 0x7f00deadbeef> in /home/li/sales/x.csv"),
        v4.new_output("stream", name="stderr", text="warning"),
        own("table", TABLE),
    )
    output.metadata["papermill"] = {"start_time": "2026"}
    tidy = reviews.tidy(v4.new_notebook(cells=[output], metadata={"papermill": {}}), {"/home/li/sales": "."})
    (only,) = tidy.cells
    assert only.outputs[0].data["text/plain"] == "<Thing> in ./x.csv"
    assert len(only.outputs) == 2 and only.id == "cell-1" and only.metadata == {}
    assert "papermill" not in tidy.metadata


def test_markdown_headings_are_escaped_in_contents_and_ids():
    made = page(text("## A <b> & `c`"))
    assert '<h2 id="a-b-c">A &lt;b&gt; &amp; <code>c</code></h2>' in made
    assert '<a href="#a-b-c">A &lt;b&gt; &amp; c</a>' in made
    assert markup.plain("<code>x</code>") == "x"
