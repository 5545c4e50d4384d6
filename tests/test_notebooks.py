"""Every notebook runs on the demo company, in both languages, through our own publisher; and without it."""

import json
from pathlib import Path

import nbformat
import pytest

import salesforecast as sf
from salesforecast.demo import company
from salesforecast.present.labels import has_label
from salesforecast.publish.parameters import declared

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted(ROOT.glob("notebooks/**/*.ipynb"))
REVIEWS = [path for path in NOTEBOOKS if path.stem != "start_here"]
STANDARD = {"period", "store", "as_of", "scope", "language", "audience", "basis", "settings"}


@pytest.fixture(scope="session")
def demo_store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    (folder / "salesforecast.toml").write_bytes((ROOT / "data" / "demo" / "salesforecast.toml").read_bytes())
    sf.import_files([ROOT / "data" / "demo"], into=folder / "demo.duckdb")
    return folder / "demo.duckdb"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.parametrize("path", REVIEWS, ids=lambda path: path.stem)
def test_a_review_declares_the_standard_parameters_and_titles_both_languages(path):
    notebook = nbformat.read(path, as_version=4)
    assert set(declared(notebook, path.name)) >= STANDARD
    assert has_label("review", path.stem)
    headings = {"lang-zh": [], "lang-en": []}
    for cell in notebook.cells:
        for language in headings.keys() & set(cell.metadata.get("tags", [])):
            headings[language] += [tag for tag in cell.metadata.tags if tag.startswith("section:")]
    assert headings["lang-zh"] == headings["lang-en"] != []


@pytest.mark.slow
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("path", REVIEWS, ids=lambda path: path.stem)
def test_a_review_of_the_demo_company_is_published(path, language, demo_store, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    run = sf.run(path.stem, period="2026-10", store=demo_store, language=language, out=tmp_path)
    page = run.page.read_text(encoding="utf-8")
    assert run.status == "published"
    assert len(page.encode()) < 1_500_000
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}"' in page
    assert "sf-missing" not in page.split("</style>")[-1]
    for nothing in ("nan", "None", "NaT"):
        assert f">{nothing}<" not in page


@pytest.mark.slow
@pytest.mark.parametrize(("language", "month"), [("zh", "2025年8月"), ("en", "Aug 2025")])
def test_the_monthly_review_finds_the_planted_truths(language, month, demo_store, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    run = sf.run("monthly_sales", period="2026-10", store=demo_store, language=language, out=tmp_path)
    page = run.page.read_text(encoding="utf-8")
    findings = page.split('class="sf-findings"')[1].split("</ol>")[0]
    truths = company().truths
    planted = [truths[name]["where"] for name in ("declining_region", "overstretched_target", "price_rise")]
    for where in planted:
        assert any(str(value) in findings for value in where.values()), where
    assert month in findings


@pytest.mark.slow
def test_start_here_runs_top_to_bottom_without_papermill(tmp_path, monkeypatch):
    from nbclient import NotebookClient

    notebook = nbformat.read(ROOT / "notebooks" / "start_here.ipynb", as_version=4)
    parameters = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    parameters.source += f"\nstore = {str(tmp_path / 'mine.duckdb')!r}"
    # JupyterLab starts a kernel in the notebook's own folder; relative paths must lead to the same files from there.
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = [output.get("metadata", {}).get("salesforecast", {}).get("kind") for output in shown]
    assert {"cards", "chart", "table"} <= set(kinds)
    assert (tmp_path / "mine.duckdb").exists()
