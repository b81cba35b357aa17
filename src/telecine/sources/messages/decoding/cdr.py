"""Serialised ROS messages to columns: CDR of ROS 2 (either byte order) and ROS 1, many messages at a time.

CDR: OMG DDSI-RTPS 2.3, 10 (encapsulation) and CORBA 3.3 part 2, 9.3 (alignment), in the plain first version that all
middlewares of ROS 2 write. ROS 1: https://wiki.ros.org/roscpp/Overview/MessagesSerializationAndAdaptingTypes.
"""

import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from telecine.core.grid import Rows
from telecine.core.recording import Array as Numbers
from telecine.sources.messages.columns import concatenated, empty, encoded, nested, taken
from telecine.sources.messages.decoding.cursor import Cursor, Rules, at_each, spread
from telecine.sources.messages.decoding.types import ArrayType, Node, NumberType, StructType, TextType, leaves
from telecine.sources.messages.model import LeafColumn

CDR = Rules(aligned=True)
CDR_BIG = Rules(aligned=True, order=">")
ROS1 = Rules(aligned=False, ended=False, empty_bytes=0)
HEADER_BYTES = 4
TAIL_BYTES = 8
"""Real CDR writers leave up to this many unused bytes behind a message."""
LONGEST_TAIL_BYTES = 64
"""ROS 1's own readers never ask for the end of a message, and drivers (RealSense) leave bytes behind it; more says that
the type is another one."""
MOST_ITEMS = 65536
"""Items of an array whose items differ in size are read one after the other; no real message has more."""
MOST_COMPARED_BYTES = 1 << 23

ByteSpans = tuple[Rows, Rows]
"""Where a bytes field is in the buffer: (k,) first bytes, (k,) lengths."""


@dataclass(slots=True)
class Asked:
    """Which leaves to give as columns, which bytes fields as positions in the buffer, and what was found.

    held: how many bytes of each message are in the buffer, where that may be less than all.
    """

    columns: Collection[str]
    spans: Collection[str] = ()
    held: int | None = None
    found: dict[str, LeafColumn] = field(default_factory=dict)
    byte_spans: dict[str, ByteSpans] = field(default_factory=dict)

    def unanswered(self) -> "Asked":
        """The same question, nothing found yet."""
        return Asked(self.columns, self.spans, self.held)


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """Columns and positions for the messages at `rows`; `bad` ones with the reason."""

    rows: Rows
    columns: Mapping[str, LeafColumn]
    byte_spans: Mapping[str, ByteSpans]
    bad: Mapping[int, str]
    tail: tuple[int, int] = (0, 0)
    """(messages with unused bytes behind their last field, the most bytes of one)."""


def decode_ros1(root: StructType, data: Numbers, starts: Rows, sizes: Rows, asked: Asked) -> DecodedBatch:
    """Messages of ROS 1, message i in the sizes[i] bytes of `data` (uint8) from starts[i]."""
    if not len(starts):
        return _answer(Cursor(data, starts, starts, ROS1), asked, starts)
    cursor = Cursor(data, starts, starts + sizes, ROS1, asked.held)
    _read(cursor, root, "", asked)
    return _with_tail(cursor, asked, np.arange(len(starts)))


def _with_tail(cursor: Cursor, asked: Asked, which: Rows) -> DecodedBatch:
    """The answer with what stands behind the last field; messages with too much there are bad."""
    tails = np.where(cursor.bad, 0, cursor.stop - cursor.base - cursor.at)
    cursor.mark(tails > LONGEST_TAIL_BYTES, "it is longer than its type")
    tails = tails[(tails > 0) & ~cursor.bad]
    return replace(_answer(cursor, asked, which), tail=(tails.size, int(tails.max(initial=0))))


def decode_cdr(root: StructType, data: Numbers, starts: Rows, sizes: Rows, asked: Asked) -> DecodedBatch:
    """The same for CDR; each message begins with its encapsulation header."""
    kinds = at_each(data, starts, ">", "uint16")
    kinds = np.where(sizes < HEADER_BYTES, 0xFFFF, kinds)
    answers = []
    alike = len(kinds) > 0 and bool((kinds == kinds[0]).all())
    for kind in [int(kinds[0])] if alike else np.unique(kinds).tolist():
        which: Rows = np.arange(len(kinds)) if alike else np.flatnonzero(kinds == kind)
        if kind in (0, 1):
            rules = CDR if kind else CDR_BIG
            answers += _decode_plain(root, data, (starts, sizes, which), rules, asked)
        else:
            why = "it has no CDR header" if kind == 0xFFFF else f"its CDR kind is {kind:#06x}, not plain CDR"
            answers.append(DecodedBatch(which[:0], {}, {}, dict.fromkeys(which.tolist(), why)))
    return _merged(answers)


Where = tuple[Rows, Rows, Rows]
"""Starts, sizes, and which of them."""


def _decode_plain(root: StructType, data: Numbers, where: Where, rules: Rules, asked: Asked) -> list[DecodedBatch]:
    """With both ways to pad an empty array: what does not end where the message ends is tried in the other way."""
    starts, sizes, _ = where
    first, rest = _ending(root, data, where, rules, asked)
    if not len(rest):
        return [first]
    other, hopeless = _ending(root, data, (starts, sizes, rest), replace(rules, empty_aligned=True), asked)
    if not len(hopeless):
        return [first, other]
    cursor = _run(root, data, (starts, sizes, hopeless), rules, last := asked.unanswered())
    return [first, other, _with_tail(cursor, last, hopeless)]


def _ending(root: StructType, data: Numbers, where: Where, rules: Rules, asked: Asked) -> tuple[DecodedBatch, Rows]:
    """(the messages that end where they should, which ones do not)."""
    cursor = _run(root, data, where, rules, mine := asked.unanswered())
    off, which = cursor.left_over(TAIL_BYTES), where[2]
    if off is None:
        return _answer(cursor, mine, which), which[:0]
    cursor.bad, cursor.spoilt = off, True
    return replace(_answer(cursor, mine, which), bad={}), which[off]


def _run(root: StructType, data: Numbers, where: Where, rules: Rules, asked: Asked) -> Cursor:
    starts, sizes, which = where
    if len(which) < len(starts):
        starts, sizes = starts[which], sizes[which]
    held = None if asked.held is None else asked.held - HEADER_BYTES
    cursor = Cursor(data, starts + HEADER_BYTES, starts + sizes, rules, held)
    _read(cursor, root, "", asked)
    return cursor


def _answer(cursor: Cursor, asked: Asked, which: Rows) -> DecodedBatch:
    if not cursor.spoilt:
        return DecodedBatch(which, asked.found, asked.byte_spans, {})
    good = np.flatnonzero(~cursor.bad)
    bad = dict.fromkeys(which[cursor.bad].tolist(), cursor.reason or "it does not fit its type")
    positions = {path: (starts[good], sizes[good]) for path, (starts, sizes) in asked.byte_spans.items()}
    return DecodedBatch(which[good], taken(asked.found, good), positions, bad)


def _merged(answers: list[DecodedBatch]) -> DecodedBatch:
    """All answers as one, in order of the messages."""
    some = [answer for answer in answers if len(answer.rows)]
    if len(answers) == 1 or not some:
        bad = {row: why for answer in answers for row, why in answer.bad.items()}
        return replace(answers[0], bad=bad) if answers else DecodedBatch(np.zeros(0, np.int64), {}, {}, {})
    rows = np.concatenate([answer.rows for answer in some])
    order = np.argsort(rows, kind="stable")
    columns = {path: concatenated([a.columns[path] for a in some]).take(order) for path in some[0].columns}
    positions = {
        path: (
            np.concatenate([a.byte_spans[path][0] for a in some])[order],
            np.concatenate([a.byte_spans[path][1] for a in some])[order],
        )
        for path in some[0].byte_spans
    }
    tail = sum(a.tail[0] for a in answers), max(a.tail[1] for a in answers)
    return DecodedBatch(
        rows[order], columns, positions, {row: why for a in answers for row, why in a.bad.items()}, tail
    )


def _read(cursor: Cursor, node: Node, path: str, asked: Asked) -> None:
    match node:
        case NumberType(dtype=dtype, width=width):
            start = cursor.skip(width, width)
            if path in asked.columns:
                asked.found[path] = LeafColumn(cursor.fetch(start, dtype))
        case TextType():
            _read_text(cursor, path, asked)
        case StructType(fields=fields):
            if not fields:
                cursor.skip(cursor.rules.empty_bytes, 1)
            for name, inner in fields:
                _read(cursor, inner, f"{path}.{name}" if path else name, asked)
        case ArrayType(item=NumberType() as item, size=size):
            _read_numbers(cursor, item, size, f"{path}[]", asked)
        case ArrayType():
            _read_items(cursor, node, f"{path}[]", asked)


def _read_numbers(cursor: Cursor, item: NumberType, size: int | None, path: str, asked: Asked) -> None:
    counts = cursor.limit(cursor.counts() if size is None else size, item.width)
    if isinstance(counts, int):
        start = cursor.skip(counts * item.width, item.width if counts or cursor.rules.empty_aligned else 1)
    else:
        start = cursor.skip_each(counts * item.width, item.width, (counts > 0) | cursor.rules.empty_aligned)
    if path not in asked.columns and path not in asked.spans:
        return
    each = np.where(cursor.bad, 0, counts) if cursor.spoilt else np.broadcast_to(counts, cursor.base.shape)
    if path in asked.spans:
        asked.byte_spans[path] = (cursor.base + start, each * item.width)
    if path not in asked.columns:
        return
    if isinstance(counts, int) and not cursor.spoilt:
        values: Numbers = cursor.fetch(start, item.dtype, counts)
    else:
        cursor.reach(start, each * item.width)
        positions = spread(cursor.base + start, each, item.width)
        values = at_each(cursor.data, positions, cursor.rules.order, item.dtype)
    asked.found[path] = nested(LeafColumn(values), each)


def _read_text(cursor: Cursor, path: str, asked: Asked) -> None:
    sizes = cursor.limit(cursor.counts(), 1)
    start = cursor.skip(sizes, 1) if isinstance(sizes, int) else cursor.skip_each(sizes, 1, sizes > 0)
    if path in asked.columns:
        if isinstance(sizes, int) and isinstance(start, int):
            asked.found[path] = _texts_of_one_size(cursor.fetch(start, "uint8", sizes), sizes, cursor.rules)
        else:
            sizes = np.where(cursor.bad, 0, sizes)
            cursor.reach(start, sizes)
            asked.found[path] = _texts(cursor, cursor.base + start, sizes)


def _texts(cursor: Cursor, positions: Rows, sizes: Rows) -> LeafColumn:
    """The texts at `positions`: different texts of one length are compared as bytes."""
    known: dict[str, int] = {}
    codes = np.zeros(len(positions), np.int64)
    for size in np.unique(sizes).tolist():
        which = np.flatnonzero(sizes == size)
        part = _texts_of_one_size(at_each(cursor.data, positions[which], "<", "uint8", size), size, cursor.rules)
        mine = [known.setdefault(text, len(known)) for text in part.texts or ()]
        codes[which] = np.array(mine, np.int64)[part.values]
    return LeafColumn(codes, (), tuple(known))


def _texts_of_one_size(raw: Numbers, size: int, rules: Rules) -> LeafColumn:
    """Texts of `size` bytes each."""
    if not size:
        return LeafColumn(np.zeros(len(raw), np.int64), (), ("",))
    rows = raw.reshape(-1, size)
    if (rows == rows[0]).all():
        return LeafColumn(np.zeros(len(rows), np.int64), (), (_text(rows[0].tobytes(), rules),))
    flat = np.ascontiguousarray(rows).view(f"V{size}").reshape(-1)
    _, firsts, where = np.unique(flat, return_index=True, return_inverse=True)
    different = encoded([_text(row.tobytes(), rules) for row in rows[firsts]])
    return LeafColumn(different.values[where], (), different.texts)


def _text(raw: bytes, rules: Rules) -> str:
    if rules.ended and raw.endswith(b"\0"):
        raw = raw[:-1]
    return raw.decode("utf-8", "replace")


def _read_items(cursor: Cursor, node: ArrayType, path: str, asked: Asked) -> None:
    """Items that are no numbers: texts, and messages in messages."""
    counts = cursor.limit(cursor.counts() if node.size is None else node.size, node.least)
    if isinstance(node.item, TextType) and isinstance(counts, int) and _same_texts(cursor, counts, path, asked):
        return
    each = np.broadcast_to(np.asarray(counts, np.int64), cursor.base.shape)
    if not node.alike:
        cursor.mark(each > MOST_ITEMS, f"it has more than {MOST_ITEMS} items")
        each = np.where(cursor.bad, 0, each)
    most = int(each.max()) if len(each) else 0
    parts, owners = [], []
    for turn in range(min(most, 1) if node.alike else most):
        which = np.flatnonzero(each > turn)
        part, mine = cursor.part(which), asked.unanswered()
        _read(part, node.item, path, mine)
        cursor.join(part, which)
        parts.append(mine.found)
        owners.append(which)
    if node.alike and most > 1:
        rest = np.where(cursor.bad, 0, np.maximum(each - 1, 0))
        found, rest = _alike(cursor, node, rest, (path, asked))
        parts.append(found)
        owners.append(np.repeat(np.arange(len(rest)), rest))
    if parts:
        _gather(cursor, parts, owners, asked)
        return
    for leaf in leaves(node.item, path):
        if leaf.path in asked.columns:
            none, inner = empty(leaf), leaf.path.removeprefix(path).count("[]")
            within = none.bounds[len(none.bounds) - inner :]
            asked.found[leaf.path] = replace(none, bounds=(np.zeros(len(each) + 1, np.int64), *within))


def _gather(cursor: Cursor, parts: list[dict[str, LeafColumn]], owners: list[Rows], asked: Asked) -> None:
    """Items read turn by turn, as arrays message by message."""
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    counts = np.bincount(owner, minlength=len(cursor.base))
    for path in parts[0]:
        asked.found[path] = nested(concatenated([part[path] for part in parts]).take(order), counts)


def _same_texts(cursor: Cursor, count: int, path: str, asked: Asked) -> bool:
    """Reads texts that are the same in all messages, such as joint names, at once; False: nothing was read."""
    if not isinstance(cursor.at, int) or not count or cursor.spoilt:
        return False
    end, texts = _texts_of_first(cursor, cursor.at, count)
    size = end - cursor.at
    if cursor.skipped_beyond(end) or size * len(cursor.base) > MOST_COMPARED_BYTES:
        return False
    rows = cursor.fetch(cursor.at, "uint8", size).reshape(len(cursor.base), size)
    if not (rows == rows[0]).all():
        return False
    cursor.at = end
    if path in asked.columns:
        column = encoded(texts)
        column = replace(column, values=np.broadcast_to(column.values, (len(cursor.base), count)))
        asked.found[path] = nested(column, np.full(len(cursor.base), count, np.int64))
    return True


def _texts_of_first(cursor: Cursor, at: int, count: int) -> tuple[int, list[str]]:
    """(offset behind, texts) of the texts of the first message, as far as they are within it."""
    rules, texts = cursor.rules, []
    stop = int(cursor.stop[0]) if cursor.held is None else min(int(cursor.stop[0]), int(cursor.base[0]) + cursor.held)
    raw = memoryview(cursor.data.data)[int(cursor.base[0]) : stop]
    length = struct.Struct(f"{rules.order}I")
    for _ in range(count):
        at = (at + 3) & -4 if rules.aligned else at
        if at + 4 > len(raw):
            return len(raw) + 1, []
        (size,) = length.unpack_from(raw, at)
        texts.append(_text(bytes(raw[at + 4 : at + 4 + size]), rules))
        at += 4 + size
    return at, texts


def _alike(
    cursor: Cursor, node: ArrayType, counts: Rows, wanted: tuple[str, Asked]
) -> tuple[dict[str, LeafColumn], Rows]:
    """Items behind the first, which all have one layout: their fields stand at equal distances.

    Behind the widest field of the first item the padding is the same in every message, so one layout does for all.
    Returns the columns, and how many items of each message they hold.
    """
    path, asked = wanted
    at = cursor.at if isinstance(cursor.at, int) else int(cursor.at[np.argmax(counts > 0)])
    phase = at % 8
    layout: list[tuple[str, NumberType, int, int]] = []
    size = _lay_out(node.item, path, phase, cursor.rules, layout) - phase
    start = cursor.base + cursor.skip_each(counts * size, 1, np.zeros(len(counts), bool))
    counts = np.where(cursor.bad, 0, counts)
    found = {}
    for leaf, number, offset, count in layout:
        if leaf in asked.columns:
            cursor.reach(start - cursor.base, counts * size)
            positions = spread(start + offset - phase, counts, size)
            values = LeafColumn(at_each(cursor.data, positions, cursor.rules.order, number.dtype, count).reshape(-1))
            found[leaf] = (
                nested(values, np.full(len(positions), count)) if leaf.removeprefix(path).endswith("[]") else values
            )
    return found, counts


def _lay_out(node: Node, path: str, at: int, rules: Rules, layout: list[tuple[str, NumberType, int, int]]) -> int:
    """Where the numbers of a value at `at` stand, as (path, number, offset, count); returns its end."""
    match node:
        case NumberType(width=width):
            start = (at + width - 1) & -width if rules.aligned else at
            layout.append((path, node, start, 1))
            return start + width
        case ArrayType(item=NumberType(width=width) as item, size=int(size)):
            start = (at + width - 1) & -width if rules.aligned and size else at
            layout.append((f"{path}[]", item, start, size))
            return start + width * size
        case StructType(fields=fields):
            for name, inner in fields:
                at = _lay_out(inner, f"{path}.{name}", at, rules, layout)
    return at
