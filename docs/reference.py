"""Pages of the reference that are read from the code and its configs, so that they say what is true."""

import contextlib
import io
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints
from unittest import mock

import yaml

from docs.parameters import of_target
from docs.words import OF_A_RECORD, OF_GROUPS, OF_TABLES
from synaug.command.help import FAMILIES, family, help_text
from synaug.command.subcommands import SUBCOMMANDS
from synaug.comparison import columns, exchange
from synaug.record import shapes, tables
from synaug.report import data_files
from synaug.report.audited import OF_GEOMETRY, OF_QUALITY
from synaug.settings import conf_dir
from synaug.settings.table import kind_of, written

# What a config says to Hydra or to us, and a user does not set.
NOT_SETTINGS = {"defaults", "hydra", "_target_", "_partial_", "_recursive_"}
# Groups whose options are grids or pairs of others: a list of them says enough.
WITHOUT_SETTINGS = {"method", "experiment"}


@dataclass(frozen=True)
class Setting:
    """A leaf of a config, with what is said beside it."""

    name: str
    default: str
    target: str | None
    comment: str


def pages() -> dict[str, str]:
    """Markdown of the generated pages, by place below ``docs/pages``."""
    found = {
        "reference/settings/run.md": _run_page(),
        "reference/files.md": _files_page(),
        "reference/record.md": _record_page(),
        "reference/commands.md": _commands_page(),
    }
    for group in sorted(OF_GROUPS):
        found[f"reference/settings/{Path(group).name}.md"] = _group_page(group)
    return found


def _run_page() -> str:
    own = [setting for setting in _settings(conf_dir() / "config.yaml") if setting.name.partition(".")[0] != "hydra"]
    shared = [setting for setting in own if "." in setting.name]
    alone = [setting for setting in own if "." not in setting.name]
    return (
        "# Settings of a run\n\nWritten as `name=value` on the command line, or as arguments of "
        "[`synaug.run`](../api.md). Every value is checked before anything is loaded.\n\n"
        f"{_table(alone)}\n## What every option of a group has, and Lightning's trainer\n\n{_table(shared)}"
    )


def _group_page(group: str) -> str:
    paths = sorted((conf_dir() / group).glob("*.yaml"))
    parts = [f"# {group}\n\n{OF_GROUPS[group]}\n"]
    if group == "augmenter":
        ordered = sorted(paths, key=lambda path: (FAMILIES.index(family(path)), path.stem))
        for name in FAMILIES:
            members = [path for path in ordered if family(path) == name]
            parts.append(f"## {name[0].upper()}{name[1:]}\n\n{_options(group, members, '###')}")
    else:
        parts.append(_options(group, paths, "##"))
    return "\n".join(parts)


def _options(group: str, paths: Sequence[Path], heading: str) -> str:
    if group in WITHOUT_SETTINGS:
        rows = [(f"`{group}={path.stem}`", _said_of(path)) for path in paths]
        return _rows(("option", "what it is"), rows)
    parts = []
    for path in paths:
        found = list(_settings(path, f"{group}."))
        parts.append(f"{heading} {path.stem}\n\n{_sentence(_said_of(path))}\n")
        if found and not group.startswith("hydra/"):
            parts.append(_table(found))
    return "\n".join(parts)


def _settings(path: Path, prefix: str = "") -> Iterator[Setting]:
    """The leaves of a file, in its order."""
    text = path.read_text(encoding="utf-8")
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is not None:
        yield from _leaves(node, prefix, None, text.splitlines())


def _leaves(node: yaml.Node, prefix: str, target: str | None, lines: Sequence[str]) -> Iterator[Setting]:
    assert isinstance(node, yaml.MappingNode)
    own = next((value.value for key, value in node.value if key.value == "_target_"), target)
    for key, value in node.value:
        name = f"{prefix}{key.value}"
        if key.value in NOT_SETTINGS:
            continue
        if isinstance(value, yaml.MappingNode) and value.value:
            yield from _leaves(value, f"{name}.", own, lines)
            continue
        _, mark, comment = lines[value.start_mark.line].partition(" #")
        plain = yaml.safe_load(yaml.serialize(value))
        said = comment.strip() if mark else of_target(str(own)).get(key.value, "")
        yield Setting(name, "needed" if plain == "???" else f"`{written(plain)}`", own, said)


def _table(settings: Sequence[Setting]) -> str:
    rows = []
    for setting in settings:
        kind = kind_of(setting.name, setting.target)
        rows.append((f"`{setting.name}`", setting.default, kind.said if kind else "", setting.comment))
    return _rows(("setting", "default", "may be", "what it does"), rows)


def _rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(_cell(cell) for cell in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _said_of(path: Path) -> str:
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("# @"))
    return next(lines).removeprefix("#").strip()


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _files_page() -> str:
    notes: Mapping[str, Mapping[str, str]] = {
        "comparisons.csv": columns.NOTES,
        "scores.parquet": data_files.OF_SCORES,
        "exchange.csv": exchange.NOTES,
        "quality.csv": OF_QUALITY,
        "geometry.csv": OF_GEOMETRY,
    }
    parts = [
        "# Files of a report\n\n`synaug report` writes these beside the page. Each report has a `README.md` that says "
        "the same of the columns that it has. In csv files an apostrophe stands before text that a spreadsheet would "
        "take for a formula.\n"
    ]
    for name, of_columns in notes.items():
        about = OF_TABLES[name]
        rows = [(", ".join(f"`{each}`" for each in key.split(", ")), _plain(note)) for key, note in of_columns.items()]
        parts.append(f"## {name}\n\n{about}\n\n{_rows(('column', 'what it is'), rows)}")
    return "\n".join(parts)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([<>*_\[\]])", r"\\\1", text) if "`" not in text else text


def _record_page() -> str:
    needed = shapes.Record.__required_keys__
    rows = []
    for key in get_type_hints(shapes.Record):
        rows.append((f"`{key}`", "yes" if key in needed else "", OF_A_RECORD[key]))
    parts = [
        "# The record\n\nA run leaves one folder, and in it `record.json`. It is there when the run is done for the "
        "seeds that it lists. JSON; tables have their column names once (`columns`), then rows (`data`).\n\n",
        f"The schema is {shapes.SCHEMA}. Older records are read as far as they go; a newer one is refused. Keys that "
        "are not listed here are kept.\n\n",
        _rows(("key", "always there", "what it is"), rows),
        "\n## Columns of its tables\n\n",
    ]
    of_tables = {
        "scores": tables.SCORE_COLUMNS,
        "validation_scores": tables.VALIDATION_COLUMNS,
        "balance": tables.BALANCE_COLUMNS,
        "curves": tables.CURVE_COLUMNS,
        "best": tables.BEST_COLUMNS,
        "tau_norm": tables.TAU_NORM_COLUMNS,
        "amounts": tables.AMOUNT_COLUMNS,
        "label_noise": tables.LABEL_NOISE_COLUMNS,
        "quality": tables.QUALITY_COLUMNS,
        "geometry": tables.GEOMETRY_COLUMNS,
        "faults": tables.FAULT_COLUMNS,
    }
    parts.append(
        _rows(("table", "columns"), [(f"`{k}`", ", ".join(f"`{c}`" for c in v)) for k, v in of_tables.items()])
    )
    return "".join(parts)


def _commands_page() -> str:
    parts = ["# Commands\n\nWhat each command says of itself under `--help`. Commands start in well under a second.\n"]
    for name, (about, entrance) in commands().items():
        said = help_text() if entrance is None else _help(entrance)
        parts.append(f"## {name}\n\n{about}\n\n```text\n{said.strip()}\n```\n")
    return "\n".join(parts)


def commands() -> dict[str, tuple[str, str | None]]:
    """Each command: what it is for, and its entrance; None for the help of runs."""
    known = {f"synaug {name}": (_sentence(each.line), each.entrance) for name, each in SUBCOMMANDS.items()}
    return known | {"synaug run": (known["synaug run"][0] + " `run` may be left out.", None)}


def _help(entrance: str) -> str:
    """What a command line prints for ``--help``, 100 columns wide."""
    module, _, function = entrance.partition(":")
    main: Callable[[], Any] = getattr(import_module(module), function)
    said = io.StringIO()
    with (
        mock.patch.dict("os.environ", {"COLUMNS": "100"}),
        mock.patch.object(sys, "argv", ["synaug", "--help"]),
        contextlib.redirect_stdout(said),
        contextlib.suppress(SystemExit),
    ):
        main()
    return said.getvalue()
