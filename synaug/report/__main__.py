"""``synaug report FOLDER…``: tables, figures, one page, and a verdict in words."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from synaug.errors import UserError, user_sentence
from synaug.files.escaping import make_console_safe, say, wrapped
from synaug.files.sign_of_life import busy
from synaug.report import limits
from synaug.scores.names import CLASS_METRICS, METRICS

# Kinds of needs that have an option of their own.
OPTIONS: tuple[Literal["costs", "threshold", "recall", "precision"], ...] = (
    "costs",
    "threshold",
    "recall",
    "precision",
)
OF_ONE_CLASS = [f"{name}[CLASS]" for name in CLASS_METRICS]


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    command_line = argparse.ArgumentParser(
        prog="synaug report", description="Compare all runs below some folders, and write a report of them."
    )
    command_line.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="an experiment's, e.g. multirun/paper"
    )
    command_line.add_argument(
        "--metric",
        metavar="A,B,…",
        help=f"metrics, the verdict's first; choose among {', '.join([*METRICS, *OF_ONE_CLASS])}; "
        "f1[CLASS] is also judged under the thresholds that are best for it on out-of-fold rows",
    )
    needs = command_line.add_argument_group(
        "decision rules for what you need",
        "Each adds a decision rule, judged from the log probabilities that runs kept: nothing is trained. "
        "Thresholds are chosen on out-of-fold rows and judged on test rows. Costs, thresholds, precisions and "
        "--abstain hold at the class frequencies of the data set, which test rows have, too, whatever the run's "
        "target_prior is.",
    )
    for option, metavar, text in (
        (
            ("--costs", "--cost"),
            "FILE|CLASS=NUMBER,…",
            "decide for the least expected cost: a csv with a header of class names and a row of costs for each true "
            "class, or what missing a row of a class costs (1 for classes that are not named)",
        ),
        (
            ("--threshold",),
            "CLASS=NUMBER",
            "of two classes, decide for this one from this probability on, e.g. spam=0.3",
        ),
        (
            ("--recall",),
            "CLASS=NUMBER",
            "the threshold with the best precision among those with this recall or more, e.g. spam=0.95",
        ),
        (
            ("--precision",),
            "CLASS=NUMBER",
            "the threshold with the best recall among those with this precision or more, e.g. spam=0.9",
        ),
    ):
        needs.add_argument(*option, action="append", default=[], metavar=metavar, help=text)
    needs.add_argument(
        "--abstain",
        action="append",
        default=[],
        metavar="NUMBER",
        help="name no class where the probability of the likeliest is below this; shows coverage and risk",
    )
    command_line.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where to write (FOLDER/report of the first folder if not given)"
    )
    command_line.add_argument(
        "--mixed", action="store_true", help="compare runs of different versions of the code all the same"
    )
    command_line.add_argument(
        "--rope", type=float, help="differences up to this size are of no practical importance (one point if not given)"
    )
    command_line.add_argument(
        "--csv",
        action="store_true",
        help="write the long table as scores.csv.gz, too, with an apostrophe before what looks like a formula",
    )
    return command_line


def metrics_asked_for(text: str | None) -> tuple[str, ...] | None:
    """Read ``--metric``.

    Raises
    ------
    UserError
        If it names none.
    """
    if text is None:
        return None
    between = re.split(r",(?![^\[]*\])", text)  # a class may have a comma in its name
    names = tuple(dict.fromkeys(filter(None, (name.strip() for name in between))))
    if not names:
        raise UserError(f"--metric={text!r} names no metric: choose among {', '.join([*METRICS, *OF_ONE_CLASS])}")
    return names


def as_options(arguments: Sequence[str]) -> list[str]:
    """Take ``metric=f1[spam]``, as a run has it, for ``--metric=f1[spam]``."""
    settings = re.compile("(metric|rope|output|costs?|threshold|recall|precision|abstain)=")
    return [f"--{each}" if settings.match(each) else each for each in arguments]


def distinct(folders: Sequence[Path]) -> list[Path]:
    """Folders without those that lie within another of them, or are given twice."""
    kept: dict[Path, Path] = {}
    for folder in folders:
        kept.setdefault(folder.resolve(), folder)
    return [folder for place, folder in kept.items() if not (kept.keys() & set(place.parents) and place.is_dir())]


def place_for(folder: Path) -> Path:
    """Where the report goes, looked at before minutes are spent on it.

    Raises
    ------
    UserError
        If no folder can be there.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise UserError(f"no report can be written to {folder}, as {there} is a file: give a folder with --output")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(
            f"no report can be written to {folder}, as {there} is write-protected: give a folder with --output"
        )
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    make_console_safe()
    asked = parser().parse_args(as_options(sys.argv[1:] if arguments is None else arguments))
    try:
        metrics = metrics_asked_for(asked.metric)
        folders = distinct(asked.folders)
        output = place_for(asked.output or asked.folders[0] / "report")
        with busy("importing what compares"):  # after what needs none of it, as it takes seconds
            from synaug import report
            from synaug.comparison import compare as comparisons
            from synaug.comparison import evidence as evidences
            from synaug.comparison.significance import ROPE
            from synaug.report import asked_for, later
            from synaug.scores.abstaining import read_level
            from synaug.scores.needs import read_need

        rope = ROPE if asked.rope is None else asked.rope
        comparisons.check_metrics(metrics or ())
        comparisons.check_rope(rope)
        needs = [read_need(kind, text) for kind in OPTIONS for text in getattr(asked, kind)]
        levels = [read_level(text) for text in dict.fromkeys(asked.abstain)]
        with busy("reading runs"):
            evidence = evidences.read(folders)
            evidence, served = later.judge(evidence, [*needs, *later.of_metrics(evidence, metrics or ())], levels)
        if len(evidence.runs) > limits.LARGE:
            sys.stderr.write(f"comparing {len(evidence.runs):,} runs, then drawing: this may take minutes\n")
        with busy(f"comparing {len(evidence.runs):,} runs"):
            comparison = comparisons.compare(evidence, metrics=metrics, rope=rope, mixed=asked.mixed)
        with busy("drawing figures and writing the page"):
            page = report.write(evidence, comparison, output, csv=asked.csv, later=served)
    except (UserError, OSError, MemoryError) as error:
        said = user_sentence(error, "choose another place with --output")
        if said is None:
            raise
        sys.stderr.write(wrapped(f"{said}\n"))
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command writes the report anew\n")
        return 1
    say("\n\n".join([str(comparison.verdict), *asked_for.lines(served), f"report: {page}"]) + "\n")
    return 0 if len(evidence.runs) else 1


if __name__ == "__main__":
    sys.exit(main())
