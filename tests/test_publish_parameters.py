"""Parameters are declared in the notebook, read without running it, and checked before a kernel starts."""

import nbformat.v4 as v4
import pytest

from salesforecast.errors import BadValue, UnknownName
from salesforecast.publish.parameters import REQUIRED, declared, parse, validate


def one(declaration, value):
    """Validate one value against one declaration."""
    (name,) = parse(declaration)
    return validate(parse(declaration), {name: value})[name]


def test_a_declaration_has_a_name_a_type_a_default_and_help():
    cell = 'period: str = "2026-10"  # the month\ntop: int = 10\nlimit = 0.5  # share\nstore: str\n"""doc"""'
    found = parse(cell)
    assert list(found) == ["period", "top", "limit", "store"]
    assert found["period"].help == "the month" and found["top"].default == 10
    assert found["limit"].type is float and found["store"].default is REQUIRED


@pytest.mark.parametrize(
    ("declaration", "value", "result"),
    [
        ("x: str = ''", "007", "007"),
        ("x: str = ''", "true", "true"),
        ("x: str = ''", "</script>\u2028\n'\"", "</script>\u2028\n'\""),
        ("x: int = 0", "007", 7),
        ("x: int = 0", -3, -3),
        ("x: float = 0.0", "1e3", 1000.0),
        ("x: float = 0.0", 2, 2.0),
        ("x: bool = False", "true", True),
        ("x: str | None = None", None, None),
        ("x: str | None = 'a'", "2026-10", "2026-10"),
        ("x: int | None = None", "5", 5),
        ("x: date | None = None", "2026-10-31", "2026-10-31"),
        ("x: Optional[int] = None", "5", 5),
        ("x: dict[str, str] | None = None", {"region": "华东"}, {"region": "华东"}),
        ("x: dict[str, str] | None = None", '{"region": "华东"}', {"region": "华东"}),
        ("x: list[int] = []", "[1, 2]", [1, 2]),
        ("x: Literal['a', 'b'] = 'a'", "b", "b"),
        ("x: str = ''", "env:CRM_URL", "env:CRM_URL"),
        ("api_token: str = ''", "env:TOKEN", "env:TOKEN"),
    ],
)
def test_a_value_of_the_declared_type_is_taken_exactly(declaration, value, result):
    assert one(declaration, value) == result
    assert type(one(declaration, value)) is type(result)


@pytest.mark.parametrize(
    ("declaration", "value"),
    [
        ("x: str = ''", 7),
        ("x: int = 0", "1e3"),
        ("x: int = 0", "1.0"),
        ("x: int = 0", True),
        ("x: int = 0", 1.0),
        ("x: int = 0", " 5"),
        ("x: int = 0", "٥"),
        ("x: float = 0.0", "NaN"),
        ("x: float = 0.0", float("inf")),
        ("x: bool = False", "banana"),
        ("x: bool = False", "1"),
        ("x: bool = False", 1),
        ("x: date = '2026-10-31'", "2026-02-30"),
        ("x: date = '2026-10-31'", "1700000000"),
        ("x: Literal['a', 'b'] = 'a'", "c"),
        ("x: list[int] = []", "[1, 'b']"),
        ("x: dict[str, str] = {}", {"region": 1}),
        ("password: str = ''", "hunter2"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(declaration, value):
    (name,) = parse(declaration)
    with pytest.raises(BadValue, match=f"Parameter '{name}'"):
        one(declaration, value)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'period'"):
        validate(parse("period: str = ''"), {"peroid": "2026-10"})


@pytest.mark.parametrize("name", ["x=1\nimport os\ny", "__builtins__", "class", "a-b", "", "1a", "x y"])
def test_a_name_that_is_no_ordinary_identifier_is_refused(name):
    with pytest.raises(BadValue, match="identifier"):
        validate(parse("x: int = 1"), {name: 1})


def test_a_missing_required_value_is_named():
    with pytest.raises(BadValue, match="'store' \\(str\\) has no default"):
        validate(parse("store: str"), {})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x: int = len([1])", "must be a literal"),
        ("import os", "line 1 .* is not an assignment"),
        ("x: int = 1\nprint(x)", "line 2"),
        ("x.y: int = 1", "plain name"),
        ("x: open('f') = 1", "is not known"),
        ("x = None", "needs a type"),
        ("x: int = 'a'", "'x' must be int"),
        ("__x__: int = 1", "identifier"),
        ("x: int = ", "not valid Python"),
        ("x: int = 1\0", "not valid Python"),
    ],
)
def test_a_parameters_cell_holds_only_literals(source, words):
    with pytest.raises(BadValue, match=words):
        parse(source)


def tagged(count):
    cells = [v4.new_code_cell("x: int = 1", metadata={"tags": ["parameters"]}) for _ in range(count)]
    return v4.new_notebook(cells=cells)


@pytest.mark.parametrize(("count", "words"), [(0, "no code cell tagged"), (2, "2 code cells tagged")])
def test_exactly_one_cell_declares_the_parameters(count, words):
    with pytest.raises(BadValue, match=words):
        declared(tagged(count), "mini.ipynb")
    assert list(declared(tagged(1))) == ["x"]
