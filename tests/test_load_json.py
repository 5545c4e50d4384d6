import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesforecast import engine
from salesforecast.errors import BadInput
from salesforecast.load import files
from salesforecast.settings import ImportLimits


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with engine.connect(tmp_path_factory.mktemp("json") / "s.duckdb", write=True) as opened:
        yield opened


@pytest.fixture
def load(tmp_path, store):
    """Return a function that reads JSON (text or a value) and gives, by table, its rows as dicts without blanks."""

    def read(content, name="a.json", encoding="utf-8", **limits):
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        path = tmp_path / name
        raw = text.encode(encoding)
        path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        result = {}
        for source in files.read(store, path, name, 0, lambda header: False, None, ImportLimits(**limits)):
            rows = store.rows(f"SELECT * EXCLUDE (row) FROM {source.relation} ORDER BY row")
            result[source.sheet] = [
                {name: cell for name, cell in zip(source.headers, row, strict=True) if cell} for row in rows
            ]
        return result[None] if set(result) == {None} else result

    return read


ROW = {"id": "1", "name": "甲"}


@pytest.mark.parametrize(
    "document",
    [
        [ROW], {"data": [ROW]}, {"records": [ROW], "totalSize": 1, "done": True}, {"results": [ROW], "paging": None},
        {"items": [ROW]}, {"value": [ROW], "@odata.context": "x"}, {"jsonrpc": "2.0", "result": [ROW]},
        {"errorCode": 0, "data": {"total": 1, "dataList": [ROW]}}, {"data": {"items": [ROW], "filtered": 1}},
        {"orders": [ROW]}, {"columns": ["id", "name"], "data": [[1, "甲"]]}, [["id", "name"], [1, "甲"]], ROW,
    ],
)  # fmt: skip
def test_records_are_found_in_the_envelopes_of_interfaces(load, document):
    assert load(document) == [ROW]


def test_a_document_of_several_lists_gives_a_table_for_each(load):
    found = load({"name": "board", "cards": [{"id": "c", "idList": "l"}], "lists": [{"id": "l", "name": "Won"}]})
    assert found == {"cards": [{"id": "c", "idList": "l"}], "lists": [{"id": "l", "name": "Won"}]}


def test_nested_objects_are_columns_and_wrappers_disappear(load):
    record = {
        "attributes": {"type": "Opportunity", "url": "/x"}, "Id": "006", "Account": {"attributes": {"type": "Account"},
        "Name": "Acme"}, "Owner": {"name": "Li", "id": "9"}, "properties": {"dealname": "D"}, "tags": ["a", "b"],
        "Tag": [{"name": "x", "id": "1"}, {"name": "y", "id": "2"}], "team_id": [7, "East"], "note": None, "won": False,
    }  # fmt: skip
    assert load([record]) == [
        {
            "Id": "006", "Account.Name": "Acme", "Owner.name": "Li", "Owner.id": "9", "dealname": "D", "tags": "a; b",
            "Tag": "x; y", "team_id.id": "7", "team_id": "East", "won": "false",
        }
    ]  # fmt: skip


def test_numbers_keep_the_digits_they_are_written_with(load):
    assert load('[{"id": 1234567890123456789, "amount": 1.10, "rate": 1e-7, "bad": NaN}]') == [
        {"id": "1234567890123456789", "amount": "1.10", "rate": "1e-7"}
    ]


def test_false_is_nothing_where_other_records_have_a_value(load):
    assert load([{"phone": False, "active": False}, {"phone": "1", "active": True}]) == [
        {"active": "false"},
        {"phone": "1", "active": "true"},
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.ndjson.gz"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_one_record_a_line_in_any_encoding(load, name, encoding):
    text = '{"客户": "上海甲公司", "a": 1}\n\n{"客户": "北京乙公司", "b": 2}\n'
    assert load(text, name, encoding) == [{"客户": "上海甲公司", "a": "1"}, {"客户": "北京乙公司", "b": "2"}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1}\n{"a": 2}\n{"a": \n', "line 3 is not valid JSON"), ("[1, 2", "not valid JSON"), ("[]", "no records"),
        ('"text"', "no list of records"), ("[" * 100_000, "nested too deeply"), ("{", "not valid JSON"),
    ],
)  # fmt: skip
def test_what_is_no_list_of_records_is_refused(load, text, says):
    with pytest.raises(BadInput, match=says):
        load(text)


def test_deep_nesting_ends_as_text(load):
    record = {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}
    assert load([record]) == [{"a.b.c.d.e.f": '{"g": "1"}'}]


@pytest.mark.parametrize(
    ("limits", "says"), [({"columns": 2}, "over 2 different fields"), ({"document_mb": 1}, "document of over 1 MB")]
)
def test_limits_hold(load, limits, says):
    with pytest.raises(BadInput, match=says):
        load([{"a": "x" * 1_100_000, "b": 1, "c": 2}], **limits)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(records=st.lists(st.dictionaries(st.sampled_from("abc"), TEXT, min_size=1), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_text_comes_through_unchanged(load, records):
    # A last row of one cell below wider ones would be a footer, so the first and the last row are full.
    full = {"a": "1", "b": "2", "c": "3"}
    found = load([full, *records, full])
    wanted = [{key: value for key, value in record.items() if value} for record in records]
    assert found == [full, *(each for each in wanted if any(value.strip() for value in each.values())), full]
