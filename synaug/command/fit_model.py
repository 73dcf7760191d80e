"""``synaug fit multirun/mine model/``: the classifier that a verdict favours, fitted on all rows and kept."""

import argparse
import logging
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synaug.errors import UserError
from synaug.files.escaping import make_console_safe, say, shown, wrapped

if TYPE_CHECKING:
    from synaug.model.model import Model

PROGRAM = "synaug fit"
TUNING = "synaug.tuning"  # the room whose log tells how long tuning takes
OPTION = re.compile(r"fit\.(run|rule|scenario|metric)=")
SETTING = re.compile(r"[\w.]+=")  # of a folder that looks like one, write ./


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    command_line = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Fit the method that the verdict favours on all rows, and save it as a model that predicts.",
    )
    command_line.add_argument(
        "folders",
        nargs="*",
        metavar="FOLDER",
        help="first the experiment's (multirun/mine), then the model's, which is made; with --run, the model's is "
        "enough",
    )
    command_line.add_argument(
        "settings",
        nargs="*",
        metavar="KEY=VALUE",
        help="where files are now, if they were moved: dataset.path=…, cache_dir=…; also threads=…",
    )
    command_line.add_argument(
        "--run", type=Path, metavar="RUN", help="folder of the run to fit, or its name; also fit.run=RUN"
    )
    command_line.add_argument(
        "--rule",
        metavar="RULE",
        help="prior_corrected, tuned, argmax, or what you need, e.g. recall:spam=0.95, costs:costs.csv, abstain:0.7; "
        "also fit.rule=RULE",
    )
    command_line.add_argument(
        "--scenario",
        metavar="NAME",
        help="which scenario, where there are several: a part of its name; also fit.scenario=NAME",
    )
    command_line.add_argument("--metric", metavar="NAME", help="the verdict's metric (balanced_accuracy)")
    command_line.add_argument("--mixed", action="store_true", help="compare runs of different versions of the code")
    command_line.add_argument("--config-dir", metavar="FOLDER", help="configs of your own, as for synaug run")
    command_line.add_argument(
        "--trust",
        action="store_true",
        help="also make parts that no config names; they may run any code, so use it only for a record that you trust",
    )
    return command_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    make_console_safe()
    words = sys.argv[1:] if arguments is None else arguments
    command_line = parser()
    asked = command_line.parse_intermixed_args([f"--{word[4:]}" if OPTION.match(word) else word for word in words])
    given = [*asked.folders, *asked.settings]
    asked.settings = [word for word in given if SETTING.match(word)]
    folders = [Path(word) for word in given if not SETTING.match(word)]
    least, most = (1, 2) if asked.run is not None else (2, 2)
    if not least <= len(folders) <= most:
        command_line.error("give two folders, the experiment's and the model's (with --run, the model's is enough)")
    # Not before: --help is quick.
    from synaug.command.arguments import Arguments
    from synaug.command.explain_rows import reported

    source = folders[0] if len(folders) == 2 else None
    return reported(
        lambda: _fit(asked, source, folders[-1]), Arguments(tuple(asked.settings), config_dir=asked.config_dir)
    )


def _fit(asked: argparse.Namespace, source: Path | None, place: Path) -> None:
    from synaug.command import fit_record
    from synaug.files.places import unwritable
    from synaug.model.folder import refuse_what_is_no_model

    logging.getLogger(TUNING).setLevel(logging.INFO)  # how long it takes is said beforehand
    # Not after minutes of fitting.
    refuse_what_is_no_model(place)
    if (problem := unwritable(place)) is not None:
        raise UserError(f"{place} {problem}: give another place for the model")
    model = fit_record.fit(
        fit_record.Asked(
            source,
            asked.run,
            asked.scenario,
            asked.rule,
            asked.metric,
            asked.mixed,
            asked.settings,
            asked.config_dir,
            asked.trust,
        )
    )
    replaced = ", in the place of the one that was there" if place.exists() and any(place.iterdir()) else ""
    model.save(place)
    said = [*told(model.config), f"model: {place} (its card is {place / 'README.md'}){replaced}"]
    say(wrapped("\n".join(said)) + "\n")


def told(config: Any) -> list[str]:
    """What was fitted, and what it promises, in a few lines."""
    from synaug.model.card import no_verdict, promised

    record, fitted = config["record"], config["fitted"]
    lines = [f"{shown(record['method'])}, fitted on all {fitted['rows']:,} rows of {shown(config['data']['name'])}"]
    lines.append(no_verdict(record) or f"verdict: {record['verdict']}")
    return [*lines, *promised(record)]


def fit(
    folder: str | Path,
    *settings: str,
    run: str | Path | None = None,
    rule: str | None = None,
    scenario: str | None = None,
    metric: str | None = None,
    mixed: bool = False,
    config_dir: str | Path | None = None,
    trust: bool = False,
) -> "Model":
    """Fit the method that a verdict favours on all rows of its data set, as ``synaug fit`` does.

    The run's own procedure is applied to all rows: inner folds choose the steps, the offsets of the rule and the
    amount. `Model.card` quotes the scores of the run's outer splits, with intervals.

    Parameters
    ----------
    folder
        Of a recorded experiment, ``"multirun/mine"``, or of one of its runs.
    *settings
        ``"dataset.path=..."``: where files are now, if they were moved.
    run
        A run to fit instead of the one that the verdict favours: its folder, or its name.
    rule
        ``"prior_corrected"``, ``"tuned"``, ``"argmax"``, or what you need: ``"recall:spam=0.95"``,
        ``"precision:spam=0.9"``, ``"costs:spam=10"``, ``"costs:costs.csv"``, ``"threshold:spam=0.3"``,
        ``"metric:f1[spam]"``, ``"abstain:0.7"`` (no class where the likeliest is less probable). None: what
        out-of-fold rows favour.
    scenario
        Name of a scenario, or a part of it that no other has; needed where there are several.
    metric
        The verdict's; None: balanced accuracy.
    mixed
        Compare runs of different versions of the code all the same.
    config_dir
        A folder of configs of your own, as ``--config-dir``.
    trust
        Also make parts that no config names; they may run any code.

    Returns
    -------
    Model

    Raises
    ------
    UserError
        If something is wrong that you can mend; the sentence says what.
    """
    from synaug.command import fit_record
    from synaug.command.process import as_before

    for setting in settings:
        if not SETTING.match(setting):
            raise UserError(f'{setting!r} is no setting: write key=value, e.g. "dataset.path=..."')
    with as_before():
        return fit_record.fit(
            fit_record.Asked(
                Path(folder),
                None if run is None else Path(run),
                scenario,
                rule,
                metric,
                mixed,
                settings,
                None if config_dir is None else str(config_dir),
                trust,
            )
        )
