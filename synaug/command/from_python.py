"""One run, asked for from Python: what ``python -m synaug`` does, as a function."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from synaug import record
from synaug.command import app
from synaug.command.arguments import Arguments
from synaug.command.callbacks import OneRunCallback
from synaug.command.explain import explained
from synaug.command.job import Attempt, task
from synaug.command.overrides import quote
from synaug.command.process import as_before
from synaug.errors import UserError
from synaug.settings import GROUPS
from synaug.sweep import interrupts, sweep

if TYPE_CHECKING:
    import pandas as pd

# An experiment's file may make a sweep of a command.
ONE_RUN = (f"hydra.callbacks.sweep._target_={OneRunCallback.__module__}.{OneRunCallback.__name__}",)
# A run needs the process for itself: threads take turns.
_turn = threading.RLock()


MOST_ELEMENTS = 10_000


@dataclass(frozen=True)
class Run:
    """A run that is recorded.

    Attributes
    ----------
    folder
        Of its record, probabilities and log.
    ended
        ``"done"``, or ``"skipped"`` where all of its seeds were recorded before.
    record
        As in ``record.json``, of all seeds that are recorded: those of this call, and those of earlier ones.
    """

    folder: Path
    ended: str
    record: dict[str, Any] = field(repr=False)

    @property
    def scores(self) -> "pd.DataFrame":
        """One row a score: `seed`, `fold`, `decision`, `metric`, `class` (missing for scores of all), `value`."""
        import pandas as pd

        return pd.DataFrame(**self.record["scores"]).astype({"value": float})


def run(*overrides: str, config_dir: str | Path | None = None, **choices: Any) -> Run:
    """Make one run, or find it recorded: same settings, same folder and same record as on the command line.

    Nothing of the process is left changed, so that a notebook may call it as often as it likes. Threads take turns.
    Meanwhile the logging of the whole process is the run's, whose log also has what other threads say.

    Parameters
    ----------
    *overrides
        As on the command line, ``"augmenter=smote"``.
    config_dir
        A folder of configs of your own, as ``--config-dir``.
    **choices
        The same as Python values: ``augmenter="smote"``, ``seeds=[0, 1]``, ``**{"dataset.max_per_class": 100}``.
        Of seeds, those that are not recorded are computed. ``force=True`` makes a run again that is recorded, with all
        of its seeds.

    Returns
    -------
    Run

    Raises
    ------
    UserError
        What you can mend, in a sentence.
    """
    given = Arguments((*map(_override, overrides), *(written(key, value) for key, value in choices.items())))
    if config_dir is not None:
        place = str(config_dir)
        given = Arguments(given.overrides, (f"--config-dir={place}",), place)
    attempt = Attempt(task, says=False)
    perform(given, attempt)
    assert attempt.folder is not None
    assert attempt.ended is not None
    return Run(attempt.folder, attempt.ended.how, record.read(attempt.folder))


def perform(given: Arguments, attempt: Attempt) -> None:
    """Do one job as the command line would, and leave the process as it was.

    Raises
    ------
    UserError
        What the command would say.
    """
    with _turn, sweep.set_aside(), as_before(), interrupts.terminable(ends_process=False):
        try:
            given = app.with_texts_quoted(given)
            app.perform(given, attempt, first=ONE_RUN)
        except Exception as error:
            behind = interrupts.behind(error)
            if behind is not None:
                raise behind from None
            said = explained(error, given, of_a_job=error is attempt.error)
            if said is None or isinstance(error, UserError):
                raise
            raise UserError(said) from None
        except interrupts.Terminated as ended:
            raise SystemExit(ended.exit_code) from ended
        except SystemExit as stop:
            behind = interrupts.behind(stop)
            if behind is not None:
                raise behind from None
            if not isinstance(stop.code, str):
                raise
            raise UserError(stop.code) from None  # where a folder cannot be called so


def _override(text: str) -> str:
    if not isinstance(text, str):
        raise UserError(f"{text!r} is no setting: write key=value between quotes, or key=value as a keyword")
    if text.startswith("-"):
        raise UserError(
            f"{text} is a flag of the command, but synaug.run makes one run: for a sweep, or to look at a config, give "
            f"it to python -m synaug (config_dir=... stands for --config-dir)"
        )
    return text


def written(key: str, value: Any) -> str:
    """A setting as on the command line.

    Raises
    ------
    UserError
        If the value is of a type that no setting has.
    """
    if isinstance(value, Path):
        value = str(value)
    if type(value).__module__ == "numpy" and hasattr(value, "item") and not getattr(value, "shape", ()):
        value = value.item()
    if not isinstance(value, str):
        return f"{key}={_literal(key, value)}"
    plain = f"{key}={value}"
    is_list = key in GROUPS and "," in value  # several options: said so, where the command line is looked at
    return plain if is_list or _is_text(plain, value) else f"{key}={quote(value)}"


def _literal(key: str, value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Real):
        return repr(float(value))
    if isinstance(value, str | Path):
        value = str(value)
        return value if _is_text(f"x={value}", value) else quote(value)
    if isinstance(value, list | tuple | range) and len(value) > MOST_ELEMENTS:  # Hydra's grammar would take hours
        raise UserError(f"{key} has {len(value):,} elements: give at most {MOST_ELEMENTS:,}")
    if isinstance(value, list | tuple | range):
        return f"[{','.join(_literal(key, element) for element in value)}]"
    if isinstance(value, Mapping):
        return (
            "{" + ",".join(f"{_literal(key, name)}:{_literal(key, element)}" for name, element in value.items()) + "}"
        )
    raise UserError(
        f"{key}={value!r:.80} is of a type that no setting has ({type(value).__name__}): give text, a number, True, "
        "False, None, a path, or a list of them"
    )


def _is_text(override: str, value: str) -> bool:
    """Whether Hydra reads a setting without quotes as just this text."""
    try:
        parsed = OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return value != "" and not parsed.is_sweep_override() and parsed.value() == value
