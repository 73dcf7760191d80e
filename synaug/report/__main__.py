"""``python -m synaug.report FOLDER…``: tables, figures, one page, and a verdict in words."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from synaug.errors import UserError, user_sentence
from synaug.metrics import METRICS


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    made = argparse.ArgumentParser(
        prog="python -m synaug.report", description="Compare all runs below some folders, and write a report of them."
    )
    made.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of an experiment, e.g. multirun/paper")
    made.add_argument(
        "--metric",
        metavar="A,B,…",
        help=f"metrics, the one that the verdict speaks of first; of: {', '.join(METRICS)}",
    )
    made.add_argument(
        "--output", type=Path, metavar="FOLDER", help="where to write; FOLDER/report of the first folder if not given"
    )
    made.add_argument(
        "--mixed", action="store_true", help="compare runs of different versions of the code all the same"
    )
    made.add_argument(
        "--rope", type=float, default=0.01, help="differences up to it are of no practical importance (default 0.01)"
    )
    return made


def metrics_asked_for(text: str | None) -> tuple[str, ...] | None:
    """Read ``--metric``.

    Raises
    ------
    UserError
        If a name is no metric's.
    """
    if text is None:
        return None
    names = tuple(dict.fromkeys(filter(None, (name.strip() for name in text.split(",")))))
    if not names:
        raise UserError(f"--metric={text!r} names no metric: choose among {', '.join(METRICS)}")
    for name in names:
        if name not in METRICS:
            near = difflib.get_close_matches(name, METRICS, n=1)
            remedy = f"did you mean {near[0]}? " if near else ""
            raise UserError(f"--metric: {name!r} is no metric: {remedy}Known are {', '.join(METRICS)}")
    return names


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    asked = parser().parse_args(arguments)
    try:
        metrics = metrics_asked_for(asked.metric)
        # After what needs no data, as these take seconds.
        from synaug import comparison as comparisons
        from synaug import evidence as evidences
        from synaug import report

        evidence = evidences.read(asked.folders)
        comparison = comparisons.compare(evidence, metrics=metrics, rope=asked.rope, mixed=asked.mixed)
        page = report.write(evidence, comparison, asked.output or asked.folders[0] / "report")
    except (UserError, OSError, MemoryError) as error:
        said = user_sentence(error)
        if said is None:
            raise
        sys.stderr.write(f"{said}\n")
        return 1
    sys.stdout.write(f"{comparison.verdict}\n\nreport: {page}\n")
    return 0 if len(evidence.runs) else 1


if __name__ == "__main__":
    sys.exit(main())
