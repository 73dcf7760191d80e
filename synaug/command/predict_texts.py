"""``synaug predict model/ new.csv --text body``: a class and probabilities for each row, as csv.

Rows come out in order, a batch at a time: beside the table that is read, memory holds one batch. A file is written
whole or not at all; what goes to the console comes as it is known.
"""

import argparse
import csv
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from synaug.errors import UserError
from synaug.files.escaping import csv_cell, make_console_safe, shown, wrapped
from synaug.files.places import unwritable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from synaug.encoder.vector_files import Read
    from synaug.model.model import Model

PROGRAM = "synaug predict"
SETTING = re.compile(r"[\w.]+=")
OPTION = re.compile(r"predict\.(text|vectors|output|separator|quoting)=")
STDIN = "-"
NO_TEXT = re.compile("[\0\udc80-\udcff]")
LINES = ("", ".txt")  # endings of files that are no tables, but may hold a text a line
PREDICTED, PROBABILITY = "predicted", "probability"
ROWS_AT_ONCE = 4096  # of vectors
MOST_TOLD = 10


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    command_line = argparse.ArgumentParser(
        prog=PROGRAM, description="Predict the classes of new texts, or of vectors, with a model that was fitted."
    )
    command_line.add_argument("model", type=Path, metavar="MODEL", help="folder that synaug fit wrote")
    command_line.add_argument(
        "file",
        metavar="FILE",
        help="csv, tsv, jsonl or parquet; .npy or .safetensors of vectors; -: texts from standard input, one a line",
    )
    command_line.add_argument(
        "settings", nargs="*", metavar="KEY=VALUE", help="where the encoder is now: encoder.model=…, encoder.device=…"
    )
    command_line.add_argument("--text", default="text", metavar="COLUMN", help="column of the texts (%(default)s)")
    command_line.add_argument(
        "--vectors", metavar="COLUMN", help="column of vectors to read instead, in parquet or jsonl"
    )
    command_line.add_argument("--output", type=Path, metavar="FILE", help="write the csv to a file, not to the console")
    command_line.add_argument(
        "--separator", metavar="SIGN", help="for csv and tsv: comma, semicolon, tab, bar or one character"
    )
    command_line.add_argument("--quoting", metavar="HOW", help="for csv and tsv: double, backslash or none")
    command_line.add_argument(
        "--config-dir", metavar="FOLDER", help="configs of your own, if the encoder is one of them"
    )
    return command_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    make_console_safe()
    words = sys.argv[1:] if arguments is None else arguments
    asked = parser().parse_intermixed_args([f"--{word[8:]}" if OPTION.match(word) else word for word in words])
    # Not before: --help is quick.
    from synaug.command.arguments import Arguments
    from synaug.command.explain_rows import reported

    try:
        return reported(lambda: predict(asked), Arguments(tuple(asked.settings), config_dir=asked.config_dir))
    except BrokenPipeError:  # whoever read has gone, as `head` does
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def predict(asked: argparse.Namespace) -> None:
    """Predict what was asked for.

    Raises
    ------
    UserError
        If the model or the file cannot be read, or they do not fit each other.
    """
    from synaug.model.card import said_of_probabilities

    output = None if asked.output is None else _output(asked.output, asked)
    model = loaded(asked.model, asked.settings, asked.config_dir)
    header, rows = _rows(asked, model)
    taken = [name for name in header if name in (PREDICTED, *_probability_columns(model))]
    if taken:
        raise UserError(
            f"{asked.file} has a column {taken[0]!r}, which is the name of a column that predictions get: rename it"
        )
    with _to(output) as file:
        on_console = file.isatty()
        own: Callable[[str], str] = shown if on_console else str
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*map(own, header), PREDICTED, *map(csv_cell, _probability_columns(model))])
        for cells, said in rows:
            writer.writerow([*map(own, cells), *_cells(model, said)])
    sys.stderr.write(wrapped(f"{said_of_probabilities(model.config)}\n"))


def _output(given: Path, asked: argparse.Namespace) -> Path:
    """Where the csv goes, if it can: told before anything is predicted. A link is followed, and stays.

    Raises
    ------
    UserError
        If it is a folder, cannot be written, is the file that is read, or lies among a model's files.
    """
    try:
        if given.is_fifo() or given.is_char_device():  # written into, never replaced
            return given
        path = given.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise UserError(f"--output {given} cannot be used ({error}): give another file") from error
    if path.is_dir():
        raise UserError(f"--output {given} is a folder: give a file in it")
    if asked.file != STDIN and path == Path(asked.file).resolve():
        raise UserError(f"--output {given} is the input file, which would be replaced: give another file")
    if path.is_relative_to(asked.model.resolve()):
        raise UserError(f"--output {given} is in the model's folder, which is only for the model: give another file")
    problem = None if path.exists() and not path.is_file() else unwritable(path)  # a device has no new file beside it
    if problem is not None:
        raise UserError(f"--output {given} {problem}: give another file")
    return path


def loaded(folder: Path, settings: Sequence[str], config_dir: str | None) -> "Model":
    """Load a model, whose encoder may lie elsewhere by now, or be one of the user's own configs."""
    import yaml

    from synaug.model.model import load_model

    places: dict[str, Any] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if not SETTING.match(setting) or not key.startswith("encoder."):
            raise UserError(f"{setting} is no setting of a model: give encoder.model=… or encoder.device=…")
        try:
            places[key.removeprefix("encoder.")] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"{setting} cannot be read as a value: put it in quotes, {key}='\"...\"'") from error
    model = load_model(folder, places)
    target = str(model.config["encoder"]["settings"]["_target_"])
    if config_dir is not None:
        from synaug.command.remake import known_targets
        from synaug.model.vectors import ROOM, moved

        if target.rpartition(".")[0] != ROOM and target in known_targets(config_dir):
            from hydra.utils import instantiate

            return load_model(folder, instantiate(moved(model.config["encoder"]["settings"], places), _convert_="all"))
    return model


Row = tuple[Sequence[str], "NDArray[np.float64] | None"]


def _rows(asked: argparse.Namespace, model: "Model") -> tuple[list[str], Iterator[Row]]:
    """The file's columns, and its rows with the log probabilities that the model says; None of a row without text."""
    if asked.file == STDIN:
        for name in ("vectors", "separator", "quoting"):
            if getattr(asked, name) is not None:
                raise UserError(f"--{name} is for files, but standard input has one text per line: leave it out")
        return ["text"], _of_texts(model, (([line], line) for line in _lines()), None, "line")
    from synaug.dataset.unlabelled import UnlabelledTable
    from synaug.encoder.vector_files import ARRAYS, VectorFile
    from synaug.model.vectors import as_vectors
    from synaug.settings.names import nearest

    path = Path(asked.file)
    if path.is_dir():
        raise UserError(f"{asked.file} is a folder: give one file in it")
    if not path.exists():
        near = nearest(path.name, [each.name for each in path.parent.glob("*")] if path.parent.is_dir() else [])
        raise UserError(f"{asked.file} is not a file{near or ': give the path of an existing file'}")
    if path.suffix.lower() in ARRAYS:
        read = VectorFile(path, "--vectors", asked.vectors or "").read()
        model.refuse_vectors()
        as_vectors(read.rows[:1], model.head.n_features)  # told before a line is written
        return ["row"], _of_vectors(model, ([str(row + 1)] for row in range(len(read.rows))), read)
    if path.suffix.lower() in LINES:
        raise UserError(
            f"{asked.file} is not a table: give its lines on standard input, "
            f"synaug predict {asked.model} - < {path.name}"
        )
    column, setting = (asked.text, "text") if asked.vectors is None else (asked.vectors, "vectors")
    table = UnlabelledTable(
        asked.file, column, setting=setting, separator=asked.separator, quoting=asked.quoting
    ).whole()
    if setting == "vectors":
        header, others = table.without_wanted()
        return [*header], _of_vectors(
            model, (list(map(_cell, row)) for row in others), VectorFile(path, "--vectors", asked.vectors).read()
        )
    own = (list(map(_cell, row)) for row in table.rows)
    wrong = next((row for row, text in enumerate(table.wanted) if not isinstance(text, str | None)), None)
    if wrong is not None:
        raise UserError(
            f"row {wrong + 1} of {asked.file} has no text in column {column!r}: name the column of the texts with "
            "--text, or that of vectors with --vectors"
        )
    return [*table.header], _of_texts(model, zip(own, table.wanted, strict=True), len(table.rows), "row")


def _lines() -> Iterator[str]:
    """Lines of standard input, which is UTF-8 whatever the console's encoding is.

    Raises
    ------
    UserError
        If it is closed, or a line of it is not UTF-8 or has a NUL, as of a file.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise UserError("standard input is closed: give texts there, one per line, or name a file")
    stream = getattr(sys.stdin, "buffer", None)
    # What is not UTF-8 becomes surrogates, so that its line is known.
    lines = sys.stdin if stream is None else TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline=None)
    for number, line in enumerate(lines, start=1):
        if NO_TEXT.search(line):
            raise UserError(
                f"line {number} of standard input is not UTF-8, or has a NUL: convert it to UTF-8 (e.g. with "
                "iconv -f latin1 -t utf-8)"
            )
        yield line.rstrip("\n")


def _of_texts(
    model: "Model", rows: Iterable[tuple[Sequence[str], str | None]], total: int | None, what: str
) -> Iterator[Row]:
    """Batch by batch, in order; rows without a text are told in the end."""
    from synaug.dataset.complete import cleaned, is_blank
    from synaug.model.model import in_bar

    empty: list[int] = []
    number = 0
    with in_bar(total) as bar:
        for batch in model.batches(rows):
            texts = [cleaned(text or "") for _, text in batch]
            filled = [place for place, text in enumerate(texts) if not is_blank(text)]
            said = dict(zip(filled, model.log_probabilities_of([texts[place] for place in filled]), strict=True))
            for place, (cells, _) in enumerate(batch):
                yield cells, said.get(place)
            empty += [number + place for place in range(len(batch)) if place not in said]
            number += len(batch)
            bar.update(len(batch))
    _tell_empty(empty, what, "text")


def _of_vectors(model: "Model", own: Iterator[Sequence[str]], read: "Read") -> Iterator[Row]:
    """Block by block, in order; rows without a vector are told in the end."""
    for start in range(0, len(read.rows), ROWS_AT_ONCE):
        said = model.log_probabilities(read.rows[start : start + ROWS_AT_ONCE])
        for of_row, absent in zip(said, read.absent[start : start + ROWS_AT_ONCE], strict=True):
            yield next(own), None if absent else of_row
    _tell_empty([row for row, absent in enumerate(read.absent) if absent], "row", "vector")


def _tell_empty(empty: Sequence[int], what: str, lacking: str) -> None:
    if not empty:
        return
    first = ", ".join(str(place + 1) for place in empty[:MOST_TOLD])
    more = f" and {len(empty) - MOST_TOLD:,} more" if len(empty) > MOST_TOLD else ""
    s = "s" if len(empty) > 1 else ""
    sys.stderr.write(f"{what}{s} {first}{more}: no {lacking}, so nothing is predicted there\n")


def _cell(value: Any) -> str:
    """A value of the user's own table as a cell: text is kept as it is, and what csv does not know is JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return json.dumps(_plain(value), default=str)


def _plain(value: Any) -> Any:
    """A value of a jsonl as it stood there: an object is read as the tuple of its keys and values."""
    if isinstance(value, tuple):
        return {key: _plain(each) for key, each in value}
    return list(map(_plain, value)) if isinstance(value, list) else value


def _probability_columns(model: "Model") -> list[str]:
    return [f"{PROBABILITY}[{name}]" for name in model.classes_]


def _cells(model: "Model", said: "NDArray[np.float64] | None") -> list[str]:
    """The class and its probabilities; empty where nothing is predicted, and no class where the rule abstains."""
    if said is None:
        return [""] * (1 + len(model.classes_))
    (name,) = model.named(said[None])
    (probabilities,) = model.decision.probabilities(said[None])
    return ["" if name is None else csv_cell(name), *(f"{probability:.6g}" for probability in probabilities)]


@contextmanager
def _to(output: Path | None) -> Iterator[TextIO]:
    """Where the csv goes: a file that is whole or absent, a device or pipe, or the console."""
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    from synaug.files.atomic import replacing

    if output.exists() and not output.is_file():  # /dev/null, or a pipe that somebody reads
        with output.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        return
    with replacing(output) as file:
        text = TextIOWrapper(file, "utf-8", newline="")
        yield text
        text.flush()
        text.detach()
