"""The typed parameters a review declares in its cell tagged `parameters`, read without running it.

A parameters cell holds assignments of literals and nothing else::

    period: str = "2026-10"  # the month under review
    top: int = 10  # customers listed
    as_of: str | None = None

Values from Python must have the declared type; text from a command line is read exactly: `007` stays text for a
`str`, is 7 for an `int`, and `1e3` is no `int`. Secrets are references to the environment (`env:NAME`), never values.
"""

from __future__ import annotations

import ast
import io
import json
import keyword
import math
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from salesforecast.errors import BadValue, UnknownName, suggestion

if TYPE_CHECKING:
    from nbformat import NotebookNode

REQUIRED: Any = object()
_TYPES: dict[str, Any] = {
    "str": str, "int": int, "float": float, "bool": bool, "date": date, "list": list, "dict": dict, "Any": Any,
}  # fmt: skip
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_SECRET_NAME = re.compile(r"(^|_)(password|passwd|secret|token|api_?key|credential)s?(_|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Parameter:
    """One declared parameter; `default` is `REQUIRED` when the notebook gives none."""

    name: str
    annotation: str
    type: Any
    default: Any = REQUIRED
    help: str = ""

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is REQUIRED


def declared(notebook: NotebookNode, origin: str = "notebook") -> dict[str, Parameter]:
    """Return the parameters a notebook declares, by name, in their order.

    Raises `BadValue` when there is no cell tagged `parameters`, more than one, or one that holds anything but
    assignments of literals to plain names.

    >>> import nbformat.v4 as v4
    >>> cell = v4.new_code_cell('period: str = "2026-10"  # month', metadata={"tags": ["parameters"]})
    >>> declared(v4.new_notebook(cells=[cell]))["period"].help
    'month'
    """
    cells = [
        cell for cell in notebook.cells if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", [])
    ]
    if len(cells) != 1:
        found = f"{len(cells)} code cells" if cells else "no code cell"
        raise BadValue(f"{origin} has {found} tagged 'parameters'; expected one. Tag exactly one cell.")
    return parse(cells[0].source, origin)


def parse(source: str, origin: str = "parameters cell") -> dict[str, Parameter]:
    """Return the parameters declared in the text of a parameters cell.

    >>> parse("top: int = 10  # customers listed")["top"].default
    10
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise BadValue(f"{origin}: the parameters cell is not valid Python: {error}.") from None
    comments = _comments(source)
    found: dict[str, Parameter] = {}
    for statement in body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        parameter = _parameter(statement, comments.get(statement.end_lineno or 0, ""), origin)
        found[parameter.name] = parameter
    return found


def validate(parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every declared parameter with its value: the given one, checked, or the default.

    Dates become ISO text, which is what the kernel receives. Raises `UnknownName` for a name the notebook does not
    declare and `BadValue` for a value of another type, a missing required value, or a secret given as a value.

    >>> validate(parse("top: int = 10"), {"top": "20"})
    {'top': 20}
    >>> validate(parse("top: int = 10"), {"topp": "20"})
    Traceback (most recent call last):
    salesforecast.errors.UnknownName: No parameter named 'topp'. Did you mean 'top'? Available: top.
    """
    for name in given:
        _check_name(name)
        if name not in parameters:
            available = ", ".join(sorted(parameters)) or "none"
            raise UnknownName(f"No parameter named {name!r}.{suggestion(name, parameters)} Available: {available}.")
    values = {}
    for name, parameter in parameters.items():
        value = given.get(name, parameter.default)
        if value is REQUIRED:
            raise BadValue(f"Parameter {name!r} ({parameter.annotation}) has no default; give a value.")
        values[name] = checked(parameter, value)
    return values


def checked(parameter: Parameter, value: Any) -> Any:
    """Return a value as the declared type, in a form JSON and papermill carry unchanged.

    >>> checked(parse("code: str = ''")["code"], "007")
    '007'
    """
    if is_reference(value):
        return value
    if _SECRET_NAME.search(parameter.name) and value not in (None, ""):
        raise BadValue(
            f"Parameter {parameter.name!r} looks like a secret; give a reference such as env:NAME, not the value."
        )
    try:
        return _plain(_convert(parameter.type, value))
    except ValueError:
        raise BadValue(f"Parameter {parameter.name!r} must be {parameter.annotation}, got {_shown(value)}.") from None


def is_reference(value: Any) -> bool:
    """Whether a value refers to an environment variable, to be resolved by the notebook only.

    >>> is_reference("env:CRM_PASSWORD"), is_reference("env: x")
    (True, False)
    """
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("#").strip() for token in tokens if token.type == tokenize.COMMENT}


def _parameter(statement: ast.stmt, comment: str, origin: str) -> Parameter:
    where = f"{origin}: line {statement.lineno} of the parameters cell"
    annotation: ast.expr | None
    target: ast.expr
    if isinstance(statement, ast.AnnAssign):
        target, value, annotation = statement.target, statement.value, statement.annotation
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value, annotation = statement.targets[0], statement.value, None
    else:
        raise BadValue(f"{where} is not an assignment; write only lines such as `top: int = 10  # help`.")
    if not isinstance(target, ast.Name):
        raise BadValue(f"{where} assigns to something other than a plain name.")
    _check_name(target.id)
    try:
        default = REQUIRED if value is None else ast.literal_eval(value)
    except ValueError:
        raise BadValue(f"{where}: the default of {target.id!r} must be a literal, not computed.") from None
    if annotation is None:
        if type(default) not in (str, int, float, bool, list, dict):
            raise BadValue(f"{where}: {target.id!r} needs a type, for example `{target.id}: str | None = None`.")
        return Parameter(target.id, type(default).__name__, type(default), default, comment)
    found = Parameter(target.id, ast.unparse(annotation), _type(annotation, where), default, comment)
    if default is not REQUIRED:
        checked(found, default)
    return found


def _type(node: ast.expr, where: str) -> Any:
    """Turn an annotation into a type without evaluating it."""
    match node:
        case ast.Constant(value=None):
            return type(None)
        case ast.Name(id=name) if name in _TYPES:
            return _TYPES[name]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type(left, where) | _type(right, where)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return _type(inner, where) | None
        case ast.Subscript(value=ast.Name(id="list"), slice=inner):
            return list[_type(inner, where)]  # type: ignore[misc]
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, inner])):
            return dict[_type(key, where), _type(inner, where)]  # type: ignore[misc]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            choices = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if all(isinstance(choice, ast.Constant) for choice in choices):
                return Literal[tuple(choice.value for choice in choices)]  # type: ignore[attr-defined]
    known = ", ".join(_TYPES)
    raise BadValue(
        f"{where}: type {ast.unparse(node)!r} is not known; use {known}, Literal, list[...], dict[...] or `| None`."
    )


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name.startswith("__"):
        raise BadValue(f"{name!r} cannot be a parameter name; expected an ordinary Python identifier.")


def _convert(kind: Any, value: Any) -> Any:
    """Return `value` as `kind`, or raise ValueError: strictly for Python values, exactly for text."""
    from pydantic import TypeAdapter, ValidationError

    adapter = TypeAdapter(kind)
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError:
        if not isinstance(value, str):
            raise
    for read in (_int, _float, _bool, _date, _json):
        try:
            return adapter.validate_python(read(value), strict=True)
        except ValueError:
            continue
    raise ValueError(value)


def _int(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ValueError(text)
    return int(text)


def _float(text: str) -> float:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise ValueError(text)
    return float(text)


def _bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _date(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _json(text: str) -> Any:
    if text != "null" and not text.startswith(("[", "{")):
        raise ValueError(text)
    return json.loads(text)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:60] + '…'} ({type(value).__name__})"
