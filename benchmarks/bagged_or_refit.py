"""Which classifier should predict the test rows: the mean of the inner models, or one refit on all rows?

``python -m benchmarks.bagged_or_refit`` runs both with several numbers of inner folds in six scenarios, and prints a
table. What is recorded is not run again, so it may be stopped at any time.
"""

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import synaug
from synaug.comparison import compare, evidence, stats
from synaug.comparison.labels import CHOSEN, NO_AUGMENTER, PLAIN_LOSS

METRIC = "balanced_accuracy"
SCENARIOS = tuple(f"{dataset}/{ratio}" for dataset in ("sst2", "ag_news") for ratio in (10, 50, 100))
INNER_FOLDS = (3, 5)
FINALS = ("bagged", "refit")
# Augmenter and loss, as options.
METHODS = ((NO_AUGMENTER, "plain"), (NO_AUGMENTER, "class_weighted"), ("smote", "plain"))
HEADER = (
    *("scenario", "inner folds", "final", "plain", "class weights", "SMOTE", "best without synthesis"),
    *("SMOTE − best without [95 %]", "argmax, last weights", "below its best look"),
)


@dataclass(frozen=True)
class Cell:
    """One scenario under one protocol; scores and differences in points.

    Attributes
    ----------
    scenario, inner_folds, final
        Which.
    scores
        Of `METHODS` with their chosen rules, then of the best without synthesis.
    gain, low, high
        The primary question, adjusted for nothing: one scenario alone.
    argmax, handicap
        The baseline with its last weights, and by how much the look with the highest mean score over splits lies above.
    """

    scenario: str
    inner_folds: int
    final: str
    scores: tuple[float, ...]
    gain: float
    low: float
    high: float
    argmax: float
    handicap: float


def run(arguments: argparse.Namespace, inner_folds: int, final: str) -> Path:
    """Make the runs of one protocol that are not recorded yet, and return their folder."""
    name = f"{final}_{inner_folds}"
    for scenario, (augmenter, loss) in itertools.product(arguments.scenarios, METHODS):
        dataset, ratio = scenario.split("/")
        print(f"{name}: {scenario} {augmenter} {loss}", flush=True)
        synaug.run(
            *arguments.override,
            name=name,
            output_dir=str(arguments.output),
            dataset=dataset,
            imbalance_ratio=f"ir{ratio}",
            augmenter=augmenter,
            loss=loss,
            seeds=list(range(arguments.seeds)),
            **{
                "validation.n_folds": inner_folds,
                "validation.final": final,
                "dataset.max_per_class": arguments.max_per_class,
                "trainer.enable_progress_bar": False,
            },
        )
    return Path(arguments.output, name)


def cells(folder: Path, inner_folds: int, final: str) -> Iterator[Cell]:
    """Read what the runs of one protocol say of each scenario."""
    known = evidence.read([folder])
    table = compare.compare(known, metrics=(METRIC,)).tables[METRIC]
    points = table.assign(
        **{name: 100 * table[name] for name in ("value", "reference_value", "gain", "low_raw", "high_raw")}
    )
    for scenario in dict.fromkeys(points["scenario"]):
        rows = points[points["scenario"] == scenario]
        (primary,) = rows[rows["family"] == stats.PRIMARY].to_dict("records")
        runs = known.runs[(known.runs["scenario"] == scenario) & (known.runs["augmenter_option"] == NO_AUGMENTER)]
        plain = runs[runs["loss"] == PLAIN_LOSS]["identity"].item()
        argmax, handicap = _argmax(known.records[plain]["curves"])
        yield Cell(
            f"{scenario.dataset}, {scenario.at}",
            inner_folds,
            final,
            (*(_value(rows, augmenter, loss) for augmenter, loss in METHODS), primary["reference_value"]),
            primary["gain"],
            primary["low_raw"],
            primary["high_raw"],
            argmax,
            handicap,
        )


def _value(rows: pd.DataFrame, augmenter: str, loss: str) -> float:
    """Mean score of a method with its rule chosen."""
    label = PLAIN_LOSS if loss == "plain" else loss
    of_method = (rows["augmenter"] == augmenter) & (rows["loss"] == label) & (rows["decision"] == CHOSEN)
    return float(rows[of_method]["value"].iloc[0])


def _argmax(curves: dict[str, Any]) -> tuple[float, float]:
    """Mean score of argmax on test rows at the last look, and how far the best look's lies above it."""
    by_step = pd.DataFrame(**curves).astype({"argmax_test": float}).groupby("step")["argmax_test"].mean()
    last = float(by_step.iloc[-1])
    return 100 * last, 100 * (float(by_step.max()) - last)


def table(found: Sequence[Cell]) -> str:
    """All cells in markdown, and the means over scenarios of each protocol."""
    lines = [f"| {' | '.join(HEADER)} |", f"|{'---|' * len(HEADER)}"]
    in_order = sorted(found, key=lambda cell: [each.scenario for each in found].index(cell.scenario))
    for cell in in_order:
        scores = [f"{score:.1f}" for score in cell.scores]
        gain = f"{cell.gain:+.1f} [{cell.low:+.1f}, {cell.high:+.1f}]"
        cells = [cell.scenario, str(cell.inner_folds), cell.final, *scores, gain, f"{cell.argmax:.1f}"]
        lines.append(f"| {' | '.join([*cells, f'{cell.handicap:.1f}'])} |")
    for inner_folds, final in dict.fromkeys((cell.inner_folds, cell.final) for cell in found):
        of_protocol = [cell for cell in found if (cell.inner_folds, cell.final) == (inner_folds, final)]
        scores = [f"**{score:.1f}**" for score in np.mean([cell.scores for cell in of_protocol], axis=0)]
        difference, width = np.mean([(cell.gain, cell.high - cell.low) for cell in of_protocol], axis=0)
        cells = ["**mean**", str(inner_folds), final, *scores, f"{difference:+.1f}, width {width:.1f}"]
        argmax, handicap = (np.mean([getattr(cell, name) for cell in of_protocol]) for name in ("argmax", "handicap"))
        lines.append(f"| {' | '.join([*cells, f'{argmax:.1f}', f'{handicap:.1f}'])} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, then print the table of all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bagged_or_refit", description=__doc__)
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=SCENARIOS, metavar="DATASET/RATIO")
    parser.add_argument("--inner-folds", nargs="+", type=int, default=INNER_FOLDS)
    parser.add_argument("--finals", nargs="+", choices=FINALS, default=FINALS)
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--max-per-class", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=Path("multirun/bagged_or_refit"), help="folder of the runs")
    parser.add_argument("--table", type=Path, help="a file for the table, beside the console")
    parser.add_argument("override", nargs="*", help="further settings, e.g. max_steps=256")
    arguments = parser.parse_args()
    found: list[Cell] = []
    for inner_folds, final in itertools.product(arguments.inner_folds, arguments.finals):
        found += cells(run(arguments, inner_folds, final), inner_folds, final)
    said = table(found)
    print(f"\n{said}")
    if arguments.table is not None:
        arguments.table.write_text(f"{said}\n")


if __name__ == "__main__":
    main()
