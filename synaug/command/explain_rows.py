"""Synthetic rows in words: ``synaug explain multirun/mine/<run> --row 17``.

One split of a recorded run is made again (`synaug.command.remake`); nothing is trained. With ``--page``, some rows of
each of several runs are written beside them, for the next report (`synaug.command.explain_on_the_page`).
"""

import argparse
import csv
import io
import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synaug.command.arguments import Arguments
from synaug.errors import UserError, user_sentence
from synaug.files.atomic import replacing
from synaug.files.escaping import csv_cell, make_console_safe, say, shown, wrapped
from synaug.files.sign_of_life import busy
from synaug.sweep import interrupts

if TYPE_CHECKING:
    from synaug.command.remake import Remade
    from synaug.quality.described import Described

NEAREST, EXAMPLES = 5, 3
SETTING = re.compile(r"[\w.]+=")  # of a folder that looks like one, write ./
CSV_COLUMNS = (
    *("row", "class", "parent_1", "class_1", "share_1", "text_1", "parent_2", "class_2", "share_2", "text_2"),
    *("off", "moved", "nearest", "nearest_class", "nearest_distance", "nearest_text"),
    *("another_class", "another_class_besides"),
)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    command_line = argparse.ArgumentParser(
        prog="synaug explain",
        description="Say what the synthetic rows of a recorded run were made of, and which real texts lie nearest.",
    )
    of_a_split(command_line)
    command_line.add_argument(
        "--row", type=int, action="append", metavar="N", help="number of a synthetic row, from 0; may be given again"
    )
    command_line.add_argument(
        "--nearest", type=int, default=NEAREST, metavar="K", help="real rows to name (%(default)s)"
    )
    command_line.add_argument(
        "--examples", type=int, default=EXAMPLES, metavar="N", help="without --row: rows of each class (%(default)s)"
    )
    command_line.add_argument("--csv", type=Path, metavar="FILE", help="write all synthetic rows there, a line each")
    command_line.add_argument("--json", action="store_true", help="print JSON, with whole texts, for a program to read")
    command_line.add_argument(
        "--page",
        action="store_true",
        help="put examples of all these runs, or of all runs of an experiment, on the next report",
    )
    command_line.add_argument("--texts", action="store_true", help="with --page: put the texts onto the page, too")
    return command_line


def of_a_split(command_line: argparse.ArgumentParser) -> None:
    """Add what says which run and split, and where its data are."""
    command_line.add_argument("runs", nargs="+", metavar="RUN", help="folder of a recorded run, multirun/mine/<run>")
    command_line.add_argument(
        "settings",
        nargs="*",
        metavar="KEY=VALUE",
        help="where files are now, if they moved: dataset.path=…, cache_dir=…; or threads=…",
    )
    command_line.add_argument("--seed", type=int, metavar="S", help="of the split; if not given, the lowest recorded")
    command_line.add_argument("--fold", type=int, default=0, metavar="F", help="of the split (%(default)s)")
    command_line.add_argument(
        "--inner", type=int, metavar="I", help="the rows of this inner fold's model, instead of all rows of the split"
    )
    where_from(command_line)


def where_from(command_line: argparse.ArgumentParser) -> None:
    """Add what says which parts may be made."""
    command_line.add_argument("--config-dir", metavar="FOLDER", help="configs of your own, as for a run")
    command_line.add_argument(
        "--trust",
        action="store_true",
        help="make parts that no config names, too; they may run any code, so only for a record that you trust",
    )


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    make_console_safe()
    command_line = parser()
    asked = command_line.parse_intermixed_args(sys.argv[1:] if words is None else words)
    given = [*asked.runs, *asked.settings]
    asked.settings = [word for word in given if SETTING.match(word)]
    asked.runs = [Path(word) for word in given if not SETTING.match(word)]
    if not asked.runs:
        command_line.error("the following arguments are required: RUN")
    return reported(lambda: explain(asked), Arguments(tuple(asked.settings), config_dir=asked.config_dir))


def reported(work: Any, given: Arguments) -> int:
    """Do something, say in a sentence what a user can mend, and return the exit code."""
    from synaug.command.explain import explained
    from synaug.command.process import as_before

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        with interrupts.terminable(), as_before():
            work()
    except (KeyboardInterrupt, interrupts.Terminated) as stop:
        return _interrupted(stop)
    except Exception as error:
        behind = interrupts.behind(error)
        if behind is not None:
            return _interrupted(behind)
        said = user_sentence(error, "choose another place") or explained(error, given, of_a_job=True)
        if said is None:
            raise
        sys.stderr.write(wrapped(f"{said}\n"))
        return 1
    return 0


def _interrupted(stop: KeyboardInterrupt | interrupts.Terminated) -> int:
    sys.stderr.write("interrupted\n")
    return stop.exit_code if isinstance(stop, interrupts.Terminated) else 1


def explain(asked: argparse.Namespace) -> None:
    """Make the split again, and say what was asked for.

    Raises
    ------
    UserError
        If the split cannot be made again, has no synthetic row, or not this one.
    """
    for name in ("nearest", "examples"):
        if getattr(asked, name) < 1:
            raise UserError(f"--{name} {getattr(asked, name)} must be 1 or more")
    if asked.page:
        _examples_alone(asked)
        from synaug.command.explain_on_the_page import write_examples

        write_examples(asked)
        return
    if asked.texts:
        raise UserError("--texts goes with --page: leave it out, as texts are always shown without --page")
    if len(asked.runs) > 1:
        raise UserError(f"{len(asked.runs)} runs are given: give one, or add --page to put examples of all on a report")
    from synaug.command.remake import Wanted, described_rows, remake

    (run,) = asked.runs
    with busy("making the split again"):
        remade = remake(Wanted(run, asked.seed, asked.fold, asked.inner, asked.settings, asked.config_dir, asked.trust))
    with busy("looking for the nearest real rows"):
        described = described_rows(remade, asked.nearest)
    n = len(described.lineage)
    if not n:
        raise UserError(f"{run} made no synthetic row in {_where(remade)}: choose a run whose augmenter adds rows")
    unknown = [row for row in asked.row or [] if not 0 <= row < n]
    if unknown:
        raise UserError(f"--row {unknown[0]} must be a synthetic row of this split: give one from 0 to {n - 1}")
    if asked.csv is not None:
        with replacing(asked.csv) as file:
            file.write(as_csv(described.rows(range(n))).encode())
    rows = described.rows(asked.row or described.examples(asked.examples))
    about = {
        "run": remade.record["run"],
        "seed": remade.training_set.split.seed,
        "fold": remade.training_set.split.fold,
        "inner": remade.training_set.inner,
        "remark": remade.remark,
    }
    if asked.json:
        whole = {} if asked.row else {"classes": described.by_class(), "most_used": described.most_used()}
        say(json.dumps({**about, **whole, "rows": rows}, indent=1) + "\n")
        return
    lines = list(_told(remade, described, rows, whole=not asked.row))
    if asked.csv is not None:
        lines.append(f"\nall {n} rows: {asked.csv}")
    say(wrapped("\n".join(lines) + "\n"))


def _examples_alone(asked: argparse.Namespace) -> None:
    """Refuse what is of one run."""
    for name in ("row", "inner", "csv", "json"):
        if getattr(asked, name) not in (None, False):
            raise UserError(f"--{name} is for a single run: leave out --{name} or --page")


def _where(remade: "Remade") -> str:
    split, inner = remade.training_set.split, remade.training_set.inner
    return f"seed {split.seed} fold {split.fold}{'' if inner is None else f', inner fold {inner}'}"


def _told(remade: "Remade", described: "Described", rows: Sequence[Mapping[str, Any]], *, whole: bool) -> Iterator[str]:
    from synaug.quality.described import LONG, SHORT, told

    real = len(remade.training_set.real)
    yield f"{remade.record['run']}, {_where(remade)}: {real} real rows and {len(described.lineage)} synthetic ones"
    if remade.remark is not None:
        yield remade.remark
    if whole:
        yield ""
        yield from _classes(described)
        yield from _most_used(described)
    for row in rows:
        yield ""
        yield from told(row, SHORT if whole else LONG)


def _classes(described: "Described") -> Iterator[str]:
    from synaug.settings.names import of_class

    for each in described.by_class():
        n, of_another = each["synthetic"], f"{each['another_class_besides'] / each['synthetic']:.0%}"
        made = f"{n} rows made from {each['real']} real ones"
        if each["with_parents"]:
            made += (
                f", {'all' if each['with_parents'] == n else each['with_parents']} with known parents "
                f"({each['parents']} real rows)"
            )
        yield (
            f"{of_class(shown(each['class']))}: {made}. The nearest real row is of another class for "
            f"{each['another_class'] / n:.0%} of them; not counting parents, for {of_another}"
        )


def _most_used(described: "Described") -> Iterator[str]:
    from synaug.quality.described import SHORT, cut
    from synaug.settings.names import of_class

    used = described.most_used()
    if used:
        yield ""
        yield "parents used most:"
    for each in used:
        yield f"  {each['times']} × row {each['row']} ({of_class(shown(each['class']))}): {cut(each['text'], SHORT)}"


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """All rows as a table that a spreadsheet may open: `CSV_COLUMNS`; what is not known is empty."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        cells: list[Any] = [row["row"], csv_cell(row["class"])]
        for parent in [*row["parents"], None, None][:2]:
            if parent is None:
                cells += [None] * 4
            else:
                share = "" if parent["share"] is None else f"{parent['share']:.6g}"
                cells += [parent["row"], csv_cell(parent["class"]), share, csv_cell(parent.get("text", ""))]
        cells += ["" if row[name] is None else f"{row[name]:.6g}" for name in ("off", "moved")]
        first = row["nearest"][0]
        cells += [first["row"], csv_cell(first["class"]), f"{first['distance']:.6g}", csv_cell(first.get("text", ""))]
        writer.writerow([*cells, *(str(row[name]).lower() for name in CSV_COLUMNS[-2:])])
    return file.getvalue()
