"""Numbers of inputs that once ended badly: a file each, `SOURCE-NUMBER.txt`, with what was seen."""

from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")


def kept_numbers(source: str, corpus: Path = CORPUS) -> list[int]:
    """Numbers of the inputs of a source that a corpus holds: each stands for its input."""
    names = (path.stem.rpartition("-") for path in corpus.glob(f"{source}-*.txt"))
    return sorted(int(number) for name, _, number in names if name == source)
