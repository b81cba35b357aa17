"""Expressions over named values, for `--where` and derived columns: text in, values out, nothing executed.

    success == true and rows >= 30
    "retry" in tags or outcome != "dropped"
    clip(norm(action[0:3] - observation.state[0:3]), 0, 0.2)

Python's own parser reads the text; the evaluator below knows the operators here and the functions it is given, and
nothing else: no attribute of a value, no import, no other call. A name may have dots: `observation.state` is one name.

A value that nobody knows is None, written `unknown` or `null`. It equals itself only, and comes neither before nor
behind anything, so `rows >= 30` leaves out an episode whose rows are not known.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any

import numpy as np

from telecine.core.dataclass import dataclass
from telecine.core.errors import PlanError
from telecine.core.text.numbers import counted

Value = Any
"""bool, int, float, str, None, a tuple of those, or an array with one row per row of an episode."""
Functions = Mapping[str, Callable[..., Value]]

LONGEST = 2000
"""Characters of an expression."""
_DEEPEST = 40
_CONSTANTS: Mapping[str, Value] = {"true": True, "false": False, "null": None, "unknown": None}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_ORDER: Mapping[type[ast.cmpop], Callable[[Value, Value], Value]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_NODES = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BinOp, ast.operator,
    ast.Compare, ast.cmpop, ast.Call, ast.Name, ast.Attribute, ast.Load, ast.Constant, ast.Tuple, ast.List,
    ast.Subscript, ast.Slice,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression. Equal texts are equal."""

    text: str
    names: frozenset[str] = field(compare=False)
    """The values it needs."""
    _root: ast.expr = field(compare=False, repr=False)
    _functions: Functions = field(compare=False, repr=False)

    def __call__(self, values: Mapping[str, Value]) -> Value:
        """What it comes to with these values. Raises: PlanError for operands that do not go together."""
        try:
            return _value(self._root, values, self._functions)
        except (TypeError, ValueError, IndexError, ZeroDivisionError, OverflowError) as error:
            raise PlanError(f"{self.text!r} cannot be computed: {error}") from error


def parse_expression(text: str, names: frozenset[str], functions: Functions = MappingProxyType({})) -> Expression:
    """The expression that a text holds.

    names: of the values there are. functions: by name, those that may be called.

    Raises:
        PlanError: it is no expression, needs a name or function that there is not, or uses what has no meaning here.

    >>> parse_expression("rows >= 30 and not success", frozenset({"rows", "success"}))({"rows": 31, "success": False})
    True
    """
    root = _parsed(text)
    used = frozenset(_names(root))
    unknown = sorted(used - names)
    if unknown:
        raise PlanError(f"{text!r}: there is no {', '.join(unknown)}; there are {', '.join(sorted(names))}")
    for node in ast.walk(root):
        if isinstance(node, ast.Call) and _called(node) not in functions:
            known = ", ".join(sorted(functions)) or "none"
            raise PlanError(f"{text!r}: no function {_called(node)!r}; functions: {known}")
    return Expression(text, used, root, functions)


def _parsed(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise PlanError(f"an expression of {counted(len(text), 'character')}; at most {LONGEST} are read")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = getattr(error, "msg", None) or str(error) or type(error).__name__
        raise PlanError(f"{text!r} is no expression: {why}; e.g. success == true and rows >= 30") from error
    _check(tree, text, 0)
    return tree.body


def _check(node: ast.AST, text: str, depth: int) -> None:
    wrong = not isinstance(node, _NODES) or isinstance(node, ast.Pow | ast.MatMult | ast.Is | ast.IsNot)
    wrong |= isinstance(node, ast.BinOp) and type(node.op) not in _ARITHMETIC
    wrong |= isinstance(node, ast.Constant) and not isinstance(node.value, bool | int | float | str | None)
    wrong |= isinstance(node, ast.Attribute) and not isinstance(node.value, ast.Name | ast.Attribute)
    wrong |= isinstance(node, ast.Call) and (bool(node.keywords) or not isinstance(node.func, ast.Name))
    if wrong:
        raise PlanError(f"{text!r}: {type(node).__name__} has no meaning in an expression")
    if depth > _DEEPEST:
        raise PlanError(f"{text!r} is nested more than {_DEEPEST} deep")
    for child in ast.iter_child_nodes(node):
        _check(child, text, depth + 1)


def _names(node: ast.AST) -> Iterator[str]:
    """Names of values below a node; a chain of attributes is one, and a function's name is none."""
    if isinstance(node, ast.Name | ast.Attribute):
        name = _dotted(node)
        if name not in _CONSTANTS:
            yield name
        return
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.Call) and child is node.func):
            yield from _names(child)


def _dotted(node: ast.expr) -> str:
    return f"{_dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ast.unparse(node)


def _called(node: ast.Call) -> str:
    return _dotted(node.func)


def _value(node: ast.expr, values: Mapping[str, Value], functions: Functions) -> Value:
    def of(child: ast.expr) -> Value:
        return _value(child, values, functions)

    match node:
        case ast.Constant():
            return node.value
        case ast.Name() | ast.Attribute():
            name = _dotted(node)
            return _CONSTANTS[name] if name in _CONSTANTS else values[name]
        case ast.Tuple() | ast.List():
            return tuple(of(element) for element in node.elts)
        case ast.BoolOp():
            return _joined(isinstance(node.op, ast.And), (of(v) for v in node.values))
        case ast.UnaryOp():
            return _unary(node.op, of(node.operand))
        case ast.BinOp():
            return _computed(node.op, of(node.left), of(node.right))
        case ast.Compare():
            operands = [of(node.left), *(of(c) for c in node.comparators)]
            pairs = zip(node.ops, operands, operands[1:], strict=False)
            return _joined(True, (_compared(op, left, right) for op, left, right in pairs))
        case ast.Subscript():
            return of(node.value)[..., _index(node.slice, of)]
    assert isinstance(node, ast.Call)  # `_check` lets nothing else through
    return functions[_called(node)](*(of(argument) for argument in node.args))


def _computed(op: ast.operator, left: Value, right: Value) -> Value:
    for value in (left, right):
        if isinstance(value, str | tuple):  # 'x' * 10**9 would take a gigabyte
            raise TypeError(f"{value!r:.40} is no number")
    return _ARITHMETIC[type(op)](left, right)


def _joined(every: bool, parts: Iterator[Value]) -> Value:
    """All of the parts hold, or any: row by row where one is an array; else what follows from the first is enough."""
    result: Value = every
    for part in parts:
        if isinstance(part, np.ndarray) or isinstance(result, np.ndarray):
            result = np.logical_and(result, part) if every else np.logical_or(result, part)
        elif bool(part) is not every:
            return not every
    return result


def _unary(op: ast.unaryop, value: Value) -> Value:
    if isinstance(op, ast.Not):
        return np.logical_not(value) if isinstance(value, np.ndarray) else not value
    return -value if isinstance(op, ast.USub) else +value


def _compared(op: ast.cmpop, left: Value, right: Value) -> Value:
    if isinstance(op, ast.In | ast.NotIn):
        return (left in (right or ())) is isinstance(op, ast.In)
    if isinstance(op, ast.Eq):
        return left == right
    if isinstance(op, ast.NotEq):
        return left != right
    return False if left is None or right is None else _ORDER[type(op)](left, right)


def _index(node: ast.expr, of: Callable[[ast.expr], Value]) -> Value:
    """A column, or a slice of columns, of the last axis."""
    if isinstance(node, ast.Slice):
        parts = (None if part is None else of(part) for part in (node.lower, node.upper, node.step))
        return slice(*parts)
    return of(node)
