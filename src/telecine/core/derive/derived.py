"""A column computed from others by an expression: its values, what they mean, and how to get back. Pure.

The expressions are those of `core/text/expressions.py` with the functions of `functions.py`. They are computed for all
rows of a file at once, in the types of the columns; what looks at other rows stays within the episode.
"""

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from telecine.core.derive.functions import Function, Meaning, RowBlock, Rows, Toolbox
from telecine.core.episode import FeatureColumn
from telecine.core.errors import PlanError
from telecine.core.plan.derived import Derived
from telecine.core.text.expressions import parse_expression
from telecine.core.text.numbers import counted


def check_derived(derived: Iterable[Derived], columns: Iterable[str], tools: Toolbox) -> None:
    """Nothing, when every expression can be read, each with columns that are there or made before it.

    Raises: PlanError naming the column.
    """
    known = set(columns)
    for one in derived:
        try:
            parse_expression(_kept_wide(one.value), frozenset(known), _bound(tools.known, None))
        except PlanError as error:
            raise PlanError(f"derived column {one.key}: {error}") from error
        known.add(one.key)


def compute(derived: Sequence[Derived], values: Mapping[str, Rows], rows: RowBlock, tools: Toolbox) -> dict[str, Rows]:
    """Key -> (n, w) values of each derived column.

    values: (n, w) of the columns, (n, 1) of single numbers.

    Raises: PlanError for what cannot be computed, or is no number in some row.
    """
    known, made = dict(values), {}
    for one in derived:
        expression = parse_expression(_kept_wide(one.value), frozenset(known), _bound(tools.known, rows))
        with np.errstate(all="ignore"):
            found = np.asarray(expression(known))
        if found.ndim > 2 or not (np.issubdtype(found.dtype, np.number) or found.dtype == np.bool_):
            raise PlanError(f"derived column {one.key}: {one.value!r} makes {found.dtype} {found.shape}, not numbers")
        found = found if found.ndim == 2 else found.reshape(-1, 1)
        wide = np.broadcast_to(found, (rows.count, found.shape[1]))
        dtype = one.dtype or ("bool" if found.dtype == np.bool_ else "float32")
        made[one.key] = known[one.key] = _cast(wide, dtype, one, rows)
    return made


def _cast(values: Rows, dtype: str, one: Derived, rows: RowBlock) -> Rows:
    with np.errstate(all="ignore"):
        made: Rows = values.astype(dtype, copy=False)
        is_sound = made.dtype.kind != "f" or np.isfinite(np.sum(made, dtype=np.float64))  # a tenth of looking at each
    bad = np.empty(0, np.int64) if is_sound else np.flatnonzero(~np.isfinite(made).all(axis=1))
    if bad.size:
        row = int(bad[0] - rows.bounds[0][bad[0]])
        raise PlanError(
            f"derived column {one.key}: NaN or infinity in {counted(bad.size, 'row')}, first in row {row} of "
            "an episode; "
            "keep the values in range with clip or where"
        )
    return made


def column_of(one: Derived, width: int, dtype: str, meaning: Meaning) -> FeatureColumn:
    """The column, with names that the entry gives or its expression implies. Raises: PlanError for a wrong number."""
    if one.names is not None and len(one.names) != width:
        raise PlanError(f"derived column {one.key}: {counted(len(one.names), 'name')} for {counted(width, 'number')}")
    names = one.names or meaning.names
    return FeatureColumn(one.key, dtype, (width,), names if names and len(names) == width else None)


def meanings_of(derived: Sequence[Derived], columns: Mapping[str, Meaning], tools: Toolbox) -> dict[str, Meaning]:
    """Key -> what each derived column is; entries that say it themselves win."""
    known, made = dict(columns), {}
    for one in derived:
        found = _meaning(ast.parse(_kept_wide(one.value), mode="eval").body, known, tools.known)
        given = Meaning(one.names or found.names, one.units or found.units, one.frame or found.frame, one.key)
        made[one.key] = known[one.key] = given
    return made


def _meaning(node: ast.expr, known: Mapping[str, Meaning], functions: Mapping[str, Function]) -> Meaning:
    def of(child: ast.expr) -> Meaning:
        return _meaning(child, known, functions)

    match node:
        case ast.Name() | ast.Attribute():
            return known.get(ast.unparse(node), Meaning())
        case ast.Subscript(slice=ast.Slice()):
            inner, part = of(node.value), node.slice
            assert isinstance(part, ast.Slice)
            bounds = [None if end is None else ast.literal_eval(end) for end in (part.lower, part.upper, part.step)]
            names = None if inner.names is None else inner.names[slice(*bounds)]
            return Meaning(names, inner.units, inner.frame)
        case ast.UnaryOp():
            return of(node.operand)
        case ast.BinOp():
            left, right = of(node.left), of(node.right)
            named = left if left.names else right
            same = isinstance(node.op, ast.Add | ast.Sub) and left.units == right.units
            frame = right.key or named.frame if isinstance(node.op, ast.Sub) else named.frame
            return Meaning(named.names, named.units if same else "", frame)
        case ast.Call(func=ast.Name()) if node.func.id in functions:  # type: ignore[attr-defined]
            return functions[node.func.id].about(*(of(argument) for argument in node.args))  # type: ignore[attr-defined]
    return Meaning()


def inverse_of(one: Derived, tools: Toolbox) -> dict[str, str] | None:
    """{column, value}: the expression that gives a column back from the derived one; None where there is none.

    >>> from telecine.core.derive.functions import NO_TOOLS
    >>> from telecine.core.plan.derived import Derived
    >>> inverse_of(Derived(key="rel", value="relative(action, observation.state) * 2"), NO_TOOLS)["value"]
    'absolute(rel / 2, observation.state)'
    """
    return _undone(ast.parse(one.value.strip(), mode="eval").body, one.key, tools.known)


def _undone(node: ast.expr, value: str, functions: Mapping[str, Function]) -> dict[str, str] | None:
    """The first column in `node`, by what `node` comes to."""
    if isinstance(node, ast.Name | ast.Attribute):
        return {"column": ast.unparse(node), "value": value}
    first, rest, text = None, [], ""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
        first, rest = node.args[0], [ast.unparse(argument) for argument in node.args[1:]]
        undone_by = functions[node.func.id].undone_by
        rest = rest or ["first"] if undone_by == "accumulate" else rest
        text = f"{undone_by}({', '.join([value, *rest])})" if undone_by else ""
    elif isinstance(node, ast.BinOp):
        back = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*"}.get(type(node.op), "")
        text = f"{_grouped(value)} {back} {_grouped(ast.unparse(node.right))}" if back else ""
        first, rest = node.left, [ast.unparse(node.right)]
        if not _columns(node.left):  # 1 - x and 2 * x
            first, rest, left = node.right, [ast.unparse(node.left)], _grouped(ast.unparse(node.left))
            commutes = isinstance(node.op, ast.Add | ast.Mult)
            text = f"{_grouped(value)} {back} {left}" if commutes else ""
            text = f"{left} - {_grouped(value)}" if isinstance(node.op, ast.Sub) else text
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        first, text = node.operand, f"-{_grouped(value)}"
    if not text or first is None:
        return None
    found = _undone(first, text, functions)
    alone = found is not None and not any(found["column"] in _columns(ast.parse(r, mode="eval").body) for r in rest)
    return found if alone else None


def _grouped(text: str) -> str:
    alone = isinstance(ast.parse(text, mode="eval").body, ast.Name | ast.Attribute | ast.Call | ast.Constant)
    return text if alone else f"({text})"


def _columns(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Name | ast.Attribute):
        return {ast.unparse(node)}
    return {name for child in ast.iter_child_nodes(node) for name in _columns(child)}


def record(derived: Sequence[Derived], meanings: Mapping[str, Meaning], tools: Toolbox) -> dict[str, Any]:
    """What meta/telecine/derived.json says of each column: how it was made, what it is, and the way back."""
    made = {}
    for one in derived:
        about = meanings[one.key]
        made[one.key] = {
            "value": one.value,
            "names": None if about.names is None else list(about.names),
            "units": about.units or None,
            "frame": about.frame or None,
            "inverse": inverse_of(one, tools),
            "with": dict(tools.about),
        }
    return made


def _bound(functions: Mapping[str, Function], rows: RowBlock | None) -> dict[str, Callable[..., Any]]:
    def of(function: Function) -> Callable[..., Any]:
        return lambda *arguments: function.run(rows, *arguments)

    return {name: of(function) for name, function in functions.items()}


class _Wide(ast.NodeTransformer):
    """One element as a slice of one, so that it stays a column of (n, 1)."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        try:
            index = ast.literal_eval(node.slice) if not isinstance(node.slice, ast.Slice) else None
        except ValueError:
            index = None
        if isinstance(index, int):
            node.slice = ast.Slice(ast.Constant(index), ast.Constant(index + 1) if index != -1 else None)
        return node


def _kept_wide(text: str) -> str:
    """The expression with `action[3]` as `action[3:4]`; what cannot be read stays, for its parser to say so."""
    try:
        return ast.unparse(_Wide().visit(ast.parse(text.strip(), mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
