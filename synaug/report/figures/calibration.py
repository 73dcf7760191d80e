"""Reliability diagrams, before and after each decision rule."""

import numpy as np
from matplotlib.axes import Axes

from synaug.report import words
from synaug.report.figures import style
from synaug.report.figures.material import Drawing, Material
from synaug.scores.decision import RULES

MOST_AUGMENTERS = 6
FEWEST_ROWS = 10  # in a bin: fewer say little


def draw(material: Material, panel: str, number: int) -> Drawing | None:
    """Draw, for a data set at one ratio, confidence against the share of hits, with axes for each rule."""
    block = material.example_block(panel)
    sums = reliabilities(material, block)
    return _figure(material, block, sums, number) if sums else None


def reliabilities(material: Material, block: str) -> dict[str, dict[str, np.ndarray]]:
    """Sums `[bins, (rows, confidence, hits)]` by augmenter and rule."""
    return {
        augmenter: {entry["decision"]: np.array(entry["rows_confidence_hits"]) for entry in record["reliability"]}
        for augmenter, record in material.main_records(block, MOST_AUGMENTERS).items()
    }


def calibration_error(sums: np.ndarray) -> float:
    """Expected calibration error of pooled sums (Guo et al. 2017)."""
    rows = sums[:, 0].sum()
    return float(np.abs(sums[:, 1] - sums[:, 2]).sum() / rows) if rows else float("nan")


def _figure(material: Material, block: str, sums: dict[str, dict[str, np.ndarray]], number: int) -> Drawing:
    with style.applied():
        figure = style.figure(4.6)
        grid = figure.subplots(1, len(RULES), sharey=True)
        for axes, rule in zip(grid, RULES, strict=True):
            _panel(axes, {name: own[rule] for name, own in sums.items() if rule in own}, material.main_augmenters)
            style.title(axes, words.decision(rule))
        grid[0].set_ylabel("hits (%)")
        handles, labels = grid[0].get_legend_handles_labels()
        style.legend(figure, handles, labels)
    errors = {
        name: ", ".join(f"{words.decision(rule)} {100 * calibration_error(own[rule]):.1f}" for rule in own)
        for name, own in sums.items()
    }
    n_all = len(material.records_of(block))
    note = "On the diagonal confidence is right; below it, too high. Bins with fewer than 10 rows are not drawn."
    if n_all > len(sums):
        note += f" The first {len(sums)} of {n_all} augmenters."
    return Drawing(
        name=f"reliability-{number + 1}",
        section="calibration",
        title=f"Reliability on {words.short(material.label(block), 60)}",
        alt=(
            f"Reliability diagrams on {material.label(block)}, all members together; calibration errors in points: "
            f"{'; '.join(f'{name}: {told}' for name, told in errors.items())}."
        ),
        figure=figure,
        note=note,
    )


def _panel(axes: Axes, sums: dict[str, np.ndarray], order: list[str]) -> None:
    axes.plot([0, 100], [0, 100], color=style.SOFT, linewidth=1, linestyle=":")
    for name, own in sums.items():
        kept = own[own[:, 0] >= FEWEST_ROWS]
        if not len(kept):
            continue
        axes.plot(
            100 * kept[:, 1] / kept[:, 0],
            100 * kept[:, 2] / kept[:, 0],
            color=style.colour(name, order),
            marker=style.marker(name, order),
            markersize=9 if name == "none" else 5,
            markeredgecolor="none",
            label=words.short(name),
        )
    axes.set_xlabel("confidence (%)")
    axes.set(xlim=(0, 102), ylim=(0, 102), xticks=range(0, 101, 20), yticks=range(0, 101, 20))
    style.rule_grid(axes, "both")
