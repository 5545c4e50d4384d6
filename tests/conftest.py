"""Fixtures shared by all tests: a store made from frames, the third-party data where it is present, real databases."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from salesforecast import engine
from salesforecast.schema import TABLES

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data():
    """The folder of third-party test data; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("third-party test data is not present beside the checkout")
    return SHARED


@pytest.fixture
def make_store(tmp_path):
    """Return a function that writes canonical frames straight into a new store and returns its path."""

    def write(path=None, **tables):
        path = path or tmp_path / "sales.duckdb"
        with engine.connect(path, write=True) as store:
            for name, frame in tables.items():
                write_frame(store, name, pd.DataFrame(frame))
        return path

    return write


def write_frame(store, name, frame):
    """Append a canonical frame to a table of the store; missing columns become their default or null."""
    frame = frame.reset_index(drop=True)
    store.register("incoming", frame)
    columns = [each for each in TABLES[name].columns if each.name in frame.columns or each.default is not None]
    sources = [f'"{each.name}"' if each.name in frame.columns else f"'{each.default}'" for each in columns]
    store.execute(
        f"INSERT INTO store.{name} ({', '.join(engine.quote(each.name) for each in columns)}, row_key) "
        f"SELECT {', '.join(sources)}, CAST(row_number() OVER () AS VARCHAR) FROM incoming"
    )


@pytest.fixture(scope="session")
def postgres():
    """The address of a fresh PostgreSQL server, on a Unix socket only; skipped where Debian's package is not installed.

    Its language is Chinese, so that texts sort and compare otherwise than by their bytes.
    """
    pytest.importorskip("psycopg")
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    as_owner = []
    if os.geteuid() == 0:  # a server refuses to run as root
        as_owner = ["runuser", "-u", "postgres", "--"]
        shutil.chown(folder, "postgres")

    def call(program, *arguments):
        command = [*as_owner, programs[-1].with_name(program), "-D", folder / "data", *arguments]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)

    language = ("--encoding=UTF8", "--locale=C", "--locale-provider=icu", "--icu-locale=zh-CN")
    try:
        made = call("initdb", "--username=tester", "--auth=trust", "--no-sync", *language)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        if made.returncode == 0:
            made = call("pg_ctl", "-w", "-o", options, "-l", folder / "log", "start")
        if made.returncode:
            pytest.skip(f"PostgreSQL does not start here: {made.stderr.strip()[-200:]}")
        yield f"postgresql:///postgres?host={folder}&user=tester"
        call("pg_ctl", "-m", "fast", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def spark_session():
    """A local Spark for questions about hardly any rows: compiling each of them would take most of the time."""
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None:
        pytest.skip("Java is not installed: apt-get install openjdk-17-jre-headless")
    settings = {
        "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "1", "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        session = sql.SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        yield session
        session.stop()
