"""JSON with another value somewhere, for tests of what reads it."""

GONE = object()
"""In place of a value: the place itself goes."""


def places(content, path=()):
    """Where something could be replaced: paths to all values."""
    yield path
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in pairs:
        yield from places(value, (*path, key))


def replaced(content, path, value):
    """A copy with `value` at the path; GONE as a whole is null."""
    if not path:
        return None if value is GONE else value
    copy = dict(content) if isinstance(content, dict) else list(content)
    if len(path) == 1 and value is GONE:
        del copy[path[0]]
    else:
        copy[path[0]] = replaced(content[path[0]], path[1:], value)
    return copy
