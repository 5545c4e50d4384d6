"""The command line in one process: what it prints, its exit codes, and that an error is one line."""

import sys

import pytest

from salesforecast import cli, publish
from salesforecast.errors import KernelDied, NoData

ORDERS = "订单编号,下单日期,金额,区域\nA1,2026/10/5,100,华东\nA2,2026/10/6,50,华南\nA3,2026/10/7,待定,华南\n"


@pytest.fixture
def salesforecast(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command in a folder of its own: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["salesforecast", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return run


@pytest.fixture
def published(monkeypatch):
    """Replace publishing by a list of what was asked for; a scope named in `failing` raises its error."""
    asked, failing = [], {}

    def run(review, **parameters):
        asked.append((review, parameters))
        error = failing.get(tuple(parameters["scope"].values()))
        if error:
            raise error
        return type("Run", (), {"page": f"{review}.html"})

    monkeypatch.setattr(publish, "run", run)
    return asked, failing


def test_import_prints_counts_and_writes_recipe_and_refused_rows(salesforecast, tmp_path):
    code, out, _ = salesforecast(
        "import", "orders.csv", "--into", "s.duckdb", "--save-recipe", "r.toml", "--rejected", "refused.csv"
    )
    assert code == 0
    assert "3 rows read, 2 stored, 1 rejected" in out
    assert "待定" in (tmp_path / "refused.csv").read_text(encoding="utf-8-sig")
    code, out, _ = salesforecast("import", "--recipe", "r.toml")
    assert code == 0
    assert "unchanged" in out


def test_a_dry_run_stores_nothing(salesforecast, tmp_path):
    code, out, _ = salesforecast("import", "orders.csv", "--into", "s.duckdb", "--dry-run")
    assert code == 0
    assert "下单日期" in out
    assert not (tmp_path / "s.duckdb").exists()


@pytest.mark.parametrize(
    ("arguments", "expected", "says"),
    [
        (["import"], 4, "Name files"),
        (["import", "none.csv"], 3, "No file at none.csv"),
        (["check", "--store", "none.duckdb"], 3, "Import files first"),
        (["check", "--store", "orders.csv"], 3, "is not a salesforecast store"),
        (["run", "monthly_sale", "--period", "2026-10"], 4, "Did you mean 'monthly_sales'"),
        (["run", "monthly_sales", "--period", "2026-10", "-p", "x"], 4, "key=value"),
        (["run", "monthly_sales", "--period", "2026-10", "-p", "colour=red"], 4, "colour"),
    ],
)
def test_an_error_is_one_line_with_its_exit_code(salesforecast, arguments, expected, says):
    code, out, err = salesforecast(*arguments)
    assert (code, out) == (expected, "")
    assert err.count("\n") == 1
    assert says in err


def test_check_says_what_a_review_will_lack(salesforecast):
    salesforecast("import", "orders.csv", "--into", "s.duckdb")
    code, out, _ = salesforecast("check", "--store", "s.duckdb")
    assert code == 0
    assert "ok    regions" in out
    assert any(line.split()[:2] == ["lacks", "attainment"] and "targets" in line for line in out.splitlines())


def test_one_failing_scope_does_not_stop_the_others_and_the_worst_code_counts(salesforecast, published):
    asked, failing = published
    salesforecast("import", "orders.csv", "--into", "s.duckdb")
    failing[("华东",)] = KernelDied("the kernel ended")
    code, out, err = salesforecast(
        "run",
        "monthly_sales",
        "--period",
        "2026-10",
        "--store",
        "s.duckdb",
        "--for-each",
        "region",
        "--language",
        "zh,en",
    )
    assert [(each["scope"]["region"], each["language"]) for _, each in asked] == [
        ("华东", "zh"), ("华东", "en"), ("华南", "zh"), ("华南", "en"),
    ]  # fmt: skip
    assert out.count("monthly_sales.html") == 2
    assert err.count("the kernel ended") == 2
    assert code == KernelDied.exit_code


def test_scope_and_parameters_reach_the_run(salesforecast, published):
    asked, failing = published
    failing[("华北",)] = NoData("No order lines in 2026-10.")
    code, _, err = salesforecast(
        "run", "forecast", "--period", "2026-10", "--scope", "region=华北", "-p", "horizon=12", "--basis", "invoice"
    )
    assert asked[0][1]["scope"] == {"region": "华北"}
    assert (asked[0][1]["horizon"], asked[0][1]["basis"]) == ("12", "invoice")
    assert (code, err) == (3, "salesforecast: No order lines in 2026-10.\n")
