"""The catalogue and the list of runs are built from the run records alone."""

import pytest

from salesforecast import publish
from salesforecast.errors import BadInput
from salesforecast.publish import catalogue, places
from salesforecast.publish.record import Run, load, records


def archive(out, review, period, number, status="published", **changes):
    """Write one record as a run leaves it."""
    values = {
        "id": f"20261121T1200{number:02}000000Z-abcdef",
        "status": status,
        "review": review,
        "period": period,
        "scope": {},
        "basis": "order",
        "audience": "management",
        "language": "zh",
        "as_of": "2026-10-31",
        "parameters": {"period": period},
        "parameters_hash": "0" * 64,
        "data_hash": "1" * 64,
        "notebook_hash": "2" * 64,
        "key": "3" * 64,
        "versions": {"python": "3.11"},
        "started": f"2026-11-21T12:00:{number:02}Z",
    } | changes
    run = Run(**values)
    place = (run.scope, run.basis, run.audience, run.language)
    folder = places.report_folder(out, run.review, run.period, *place) / "runs" / run.id
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(run.model_dump_json())
    return run.model_copy(update={"folder": folder})


def test_a_record_survives_the_disk(tmp_path):
    written = archive(tmp_path, "sales", "2026-10", 1, scope={"region": "华东"})
    assert load(written.folder / "run.json") == written
    assert written.page == written.folder.parents[1] / "current" / "index.html"


def test_runs_are_listed_newest_first_with_corrupt_ones(tmp_path):
    archive(tmp_path, "sales", "2026-10", 2, status="failed", error="Cell `1/0` failed.", scope={"region": "华东"})
    archive(tmp_path, "sales", "2026-09", 1)
    broken = archive(tmp_path, "sales", "2026-08", 3).folder / "run.json"
    broken.write_text('{"id": ')
    frame = publish.runs(tmp_path)
    assert list(frame["period"]) == ["2026-08", "2026-10", "2026-09"]
    assert list(frame["status"]) == ["corrupt", "failed", "published"]
    assert list(frame["scope"]) == ["all", "region=华东", ""]
    with pytest.raises(BadInput, match="not a readable run record"):
        load(broken)


def test_a_record_with_an_unknown_key_is_corrupt(tmp_path):
    path = archive(tmp_path, "sales", "2026-08", 3).folder / "run.json"
    path.write_text(path.read_text().replace('"status"', '"statuss"'))
    assert list(records(tmp_path)) == [path]


def test_the_catalogue_shows_the_newest_good_page_of_each_report_and_its_failures(tmp_path):
    archive(tmp_path, "sales", "2026-09", 1)
    archive(tmp_path, "sales", "2026-10", 2)
    archive(tmp_path, "sales", "2026-10", 3, status="failed", error="Cell `1/0` failed.")
    archive(tmp_path, "sales", "2026-11", 4, status="failed", error="The kernel ended.")
    page = catalogue.build(tmp_path)
    good, stale, failed = (
        page.split(f">{period}<")[1].split("</tr>")[0] for period in ("2026-09", "2026-10", "2026-11")
    )
    assert "已发布" in good
    assert "2026-11-21 12:00 UTC" in stale and "1 次失败" in stale and "Cell `1/0` failed." in stale
    assert "失败,未发布" in failed and 'current/index.html">2026-11' not in page
    assert 'href="sales/2026-10/all/order/management/zh/current/index.html"' in page
    assert page.index("2026-11<") < page.index("2026-10<") < page.index("2026-09<")


def test_a_good_run_clears_earlier_failures(tmp_path):
    archive(tmp_path, "sales", "2026-10", 1, status="failed", error="x")
    archive(tmp_path, "sales", "2026-10", 2)
    assert "sf-status-published" in catalogue.build(tmp_path)


def test_hostile_names_in_records_are_text_and_links_are_quoted(tmp_path):
    evil = '"><script>alert(1)</script>'
    archive(tmp_path, "sales", "2026-10", 1, scope={"customer": evil})
    archive(tmp_path, evil, "2026-10", 2, status="failed", error=evil)
    page = catalogue.build(tmp_path)
    assert page.count("<script>") == 1 and "&lt;script&gt;alert(1)" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_corrupt_records_are_named_and_do_not_stop_the_catalogue(tmp_path):
    archive(tmp_path, "sales", "2026-10", 1)
    (archive(tmp_path, "sales", "2026-09", 2).folder / "run.json").write_bytes(b"\xff\x00")
    path = publish.rebuild(tmp_path)
    page = path.read_text()
    assert "2026-10" in page and "sales/2026-09/all/order/management/zh/runs/" in page
    assert not list(tmp_path.glob("*.tmp"))


def test_an_empty_archive_has_a_catalogue(tmp_path):
    assert "No reports yet" in publish.rebuild(tmp_path / "reports").read_text()
