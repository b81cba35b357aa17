"""Where the documentation is published: who installed telecine has none of its pages at hand."""

SITE = "https://telecine-robotics.github.io/telecine/"


def page(name: str) -> str:
    """The address of a page, by the name of its file in docs/.

    >>> page("labels")
    'https://telecine-robotics.github.io/telecine/labels/'
    """
    return f"{SITE}{name}/"
