"""Labels of the episodes that a writer adds: their columns, in whatever episode a style comes first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from telecine.core.episode import Episode, FeatureColumn
from telecine.core.findings import Finding
from telecine.core.label import LANGUAGE, STYLES
from telecine.core.labels.columns import with_labels
from telecine.core.labels.spelling import spelling_findings
from telecine.core.text.numbers import counted


class EpisodeLabels:
    """Makes columns of labels, and notes what is to be said of all of them."""

    def __init__(self, *, published: bool, made: Iterable[str] = ()) -> None:
        """made: columns that every episode gets, whether it has such labels or not."""
        self._published = published
        self._keys = set(made)
        """Columns that labels made."""
        self._lost = 0
        self._texts: dict[str, dict[str, None]] = {}

    def labelled(self, episode: Episode, known: Mapping[str, FeatureColumn]) -> Episode:
        """The episode with the columns of its labels. known: of the dataset; a published one gets no others."""
        if self._published:
            labels = tuple(label for label in episode.labels if label.kind.column in known)
            styles = tuple(style for style in episode.label_styles if STYLES[style].column in known)
            self._lost += len(episode.labels) - len(labels)
            episode = replace(episode, labels=labels, label_styles=styles)
        for label in episode.labels:
            if label.text and label.kind.is_language:
                self._texts.setdefault(label.style, {})[label.text] = None
        self._keys |= {key for key in LANGUAGE if key in known}
        made = with_labels(episode, self._keys)
        self._keys |= {column.key for column in made.columns} - {column.key for column in episode.columns}
        return made

    def findings(self, where: str, tasks: Iterable[str]) -> Iterator[Finding]:
        """What is to be said of the labels so far, and of the dataset's task texts."""
        if self._lost:
            text = f"it has no columns for {counted(self._lost, 'label')} of the episodes added, left out"
            yield Finding("label-lost", "warning", where, text, "convert all recordings again")
        yield from spelling_findings({"task": tasks, **self._texts}, where)
