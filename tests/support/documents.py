"""Documents of JSON with one entry changed."""


def places(value, place=()):
    """Where an entry is, as names and numbers from the top, for every entry."""
    yield place
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, entry in entries:
        yield from places(entry, (*place, name))


def changed(value, place, new):
    """The document with `new` at a place."""
    if not place:
        return new
    copied = value.copy()
    copied[place[0]] = changed(value[place[0]], place[1:], new)
    return copied
