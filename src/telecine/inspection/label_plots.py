"""The labels of an episode drawn as bars over its time, one line a style: a PNG for people. Needs matplotlib."""

from pathlib import Path

from telecine.core.label import Label
from telecine.inspection.curves import figure_of
from telecine.inspection.dataset_summary import DatasetSummary, EpisodeSummary

LONGEST = 28
"""Characters of a text in a bar."""
_COLOURS = ("#9ecae1", "#c6dbef", "#fdd0a2", "#c7e9c0", "#dadaeb", "#fdae6b", "#a1d99b", "#bcbddc")


def draw_labels(page: DatasetSummary, folder: Path) -> list[Path]:
    """Write `episode_N_labels.png` of each episode that has labels. Raises: DatasetError without matplotlib."""
    made = []
    episodes = {episode.index: episode for episode in page.episodes}
    for entry in page.labels:
        path = folder / f"episode_{entry.episode:06d}_labels.png"
        _draw(entry.labels, episodes[entry.episode], page.fps, path)
        made.append(path)
    return made


def _draw(labels: tuple[Label, ...], episode: EpisodeSummary, fps: int, path: Path) -> None:
    styles = list(dict.fromkeys(label.style for label in labels))
    lanes: list[list[Label]] = []
    for style in styles:
        for label in (one for one in labels if one.style == style):
            free = next((n for n in lanes if n[0].style == style and n[-1].stop <= label.start), None)
            free.append(label) if free is not None else lanes.append([label])
    figure = figure_of(max(len(lanes), 1))
    figure.subplots_adjust(left=0.03 + 0.0075 * max(map(len, styles)))  # room for the longest name
    axis = figure.add_subplot(1, 1, 1)
    colours = {text: _COLOURS[n % len(_COLOURS)] for n, text in enumerate(dict.fromkeys(one.text for one in labels))}
    for height, lane in enumerate(lanes):
        for label in lane:
            start, seconds = label.start / fps, (label.stop - label.start) / fps
            axis.barh(
                height, seconds, left=start, height=0.8, color=colours[label.text], edgecolor="#555555", linewidth=0.5
            )
            text = label.text or "call of a tool"
            short = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
            axis.text(start, height, f" {short}", va="center", fontsize=7, clip_on=True)
    axis.set_yticks(range(len(lanes)), [lane[0].style for lane in lanes], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlim(0, episode.seconds)
    axis.tick_params(axis="x", labelsize=7)
    figure.suptitle(f"episode {episode.index}: {', '.join(episode.tasks)}; labels over seconds", fontsize=10)
    figure.savefig(path, dpi=100)
