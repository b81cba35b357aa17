"""The program that a pickle is, checked before it is run: which steps it has, and how much work they make. Pure.

Most steps cost what they take of the file. Not so a tuple that holds another one twice, which holds another one twice:
to hash such a key of a dict takes twice as long with each. So the size of tuples is counted as if each part of one
stood there by itself. What the steps do is the standard library's table.

Format: https://docs.python.org/3/library/pickletools.html.
"""

import pickletools  # nosec B403  # reads, and runs nothing
from typing import Any

from telecine.core.errors import SourceError
from telecine.core.text.numbers import counted

MOST_STEPS = 4_000_000
_MOST_BITS = 512
"""Of a whole number."""
_REFUSED = ("EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "INST", "OBJ", "NEWOBJ_EX", "NEXT_BUFFER")
_PUTS, _GETS = ("PUT", "BINPUT", "LONG_BINPUT"), ("GET", "BINGET", "LONG_BINGET")
_TUPLES = ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")
_MARK = 0
"""On the stack, in the place of a size."""


def check_program(data: bytes) -> None:
    """Nothing, for a pickle of bounded work. Raises: SourceError, IndexError, and what `genops` raises of damage."""
    stack: list[int] = []
    memo: dict[int, int] = {}
    work = 0
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data), 1):
        name = opcode.name
        if count > MOST_STEPS:
            raise SourceError(f"a pickle of more than {MOST_STEPS} steps is not read")
        if name in _REFUSED:
            raise SourceError(f"a pickle with {name} is not read: it names objects outside of the file")
        if isinstance(argument, int) and argument.bit_length() > _MOST_BITS:
            raise SourceError(f"a number of more than {_MOST_BITS} bits is not read")
        if name in _PUTS:
            if not 0 <= int(str(argument)) <= count:
                raise SourceError(
                    f"a pickle that keeps something at place {argument} after {counted(count, 'step')} is damaged"
                )
            memo[int(str(argument))] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in _GETS:
            stack.append(memo.get(int(str(argument)), 1))
            work += stack[-1]
        else:
            work += _apply(opcode, stack)
        if work > 4 * MOST_STEPS:
            raise SourceError("it names the same tuples so often that to compare them would take too long")


def _apply(opcode: Any, stack: list[int]) -> int:
    """What a step does to the sizes on the stack; the size of what it adds."""
    before = list(opcode.stack_before)
    marked = pickletools.markobject in before
    taken: list[int] = []
    if marked:
        while (top := stack.pop()) != _MARK:
            taken.append(top)
        before = before[: before.index(pickletools.markobject)]
    taken += [stack.pop() for _ in before]
    size = 1 + sum(taken) if opcode.name in _TUPLES else 1
    if opcode.name == "DUP":
        size = taken[0]
    is_mark = opcode.name == "MARK"
    stack += [_MARK if is_mark else size for _ in opcode.stack_after]
    return 0 if is_mark else size
