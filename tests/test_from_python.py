"""`synaug.run`: what the command line does, as a function that leaves the process as it was."""

import asyncio
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import synaug
import synaug.pipeline
from synaug import record
from synaug.command.from_python import written
from synaug.errors import UserError
from synaug.settings import conf_dir
from tests import toy
from tests.program import BRIEF, TOY, Program, without_cost

pytestmark = pytest.mark.usefixtures("no_figures")

ROOT = Path(__file__).parents[1]
OWN_CONF = Path(__file__).parent / "conf"
SHORT: dict[str, Any] = {
    "dataset": "files",
    "dataset.text": "body",
    "dataset.label": "topic",
    "encoder": "toy",
    "n_folds": 2,
    "validation.n_folds": 2,
    "max_steps": 4,
    "imbalance_ratio": "ir5",
    "augmenter": "random",
}


@dataclass(frozen=True)
class Recorded:
    """A run that is recorded, and the settings that made it."""

    settings: dict[str, Any]
    done: Any


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A run that tests only read, or copy."""
    folder = tmp_path_factory.mktemp("recorded")
    csv = toy.write_csv(folder / "mine.csv", *toy.texts(40))
    settings = {**SHORT, "dataset.path": csv, "output_dir": folder / "multirun", "cache_dir": folder / "cache"}
    return Recorded(settings, run(settings))


@pytest.fixture
def again(recorded: Recorded, tmp_path: Path) -> dict[str, Any]:
    """The settings of a copy of the recorded run."""
    folder = Path(recorded.settings["output_dir"]).parent
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    placed = {
        name: tmp_path / Path(recorded.settings[name]).name for name in ("dataset.path", "output_dir", "cache_dir")
    }
    return {**recorded.settings, **placed}


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """Of a short run in folders of its own, with another folder for what it must not touch."""
    csv = toy.write_csv(tmp_path / "mine.csv", *toy.texts(40))
    return {**SHORT, "dataset.path": csv, "output_dir": tmp_path / "multirun", "cache_dir": tmp_path / "cache"}


def run(settings: dict[str, Any], *overrides: str, **choices: Any) -> Any:
    return synaug.run(*overrides, config_dir=OWN_CONF, **{**settings, **choices})


def in_a_new_process(script: str, *arguments: str, folder: Path = ROOT) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_next_to_nothing() -> None:
    said = in_a_new_process(
        "import importlib, sys, typing\nbefore = set(sys.modules)\nimport synaug\nprint(*(set(sys.modules) - before))"
    )
    assert said.split() == ["synaug"]


def test_what_the_package_offers_is_listed_and_nothing_else_is_there() -> None:
    assert {"run", "load", "compare", "__version__"} <= set(dir(synaug))
    with pytest.raises(AttributeError, match="module 'synaug' has no attribute 'nonsense'"):
        _ = synaug.nonsense


def test_a_module_that_is_called_like_a_function_of_the_package_can_be_called_like_it() -> None:
    # Importing such a module puts it in the function's place.
    called_alike = {module.name for module in pkgutil.iter_modules(synaug.__path__)} & set(synaug.__all__)
    assert called_alike == {"fit"}
    assert all(callable(import_module(f"synaug.{name}")) for name in called_alike)


def test_a_run_from_python_is_that_of_the_command_line(settings: dict[str, Any], tmp_path: Path) -> None:
    done = run(settings)
    command = [f"{key}={value}" for key, value in SHORT.items()]
    program = Program(tmp_path / "program")
    outcome = program(TOY[0], *command, f"dataset.path={settings['dataset.path']}")
    assert outcome.code == 0, outcome.err
    assert without_cost(json.loads((done.folder / "record.json").read_text())) == without_cost(program.record())
    assert done.folder.name == program.run_folders[0].name
    assert done.folder.parent == tmp_path / "multirun" / "default"
    here = [each for each in done.record["overrides"] if "_dir=" not in each]
    assert here == [each for each in program.record()["overrides"] if "_dir=" not in each]
    files = {path.relative_to(done.folder) for path in done.folder.rglob("*")}
    assert files == {path.relative_to(program.run_folders[0]) for path in program.run_folders[0].rglob("*")}


def test_what_is_recorded_is_not_done_again_unless_forced(settings: dict[str, Any]) -> None:
    first, second, forced = run(settings), run(settings), run(settings, force=True)
    assert [each.ended for each in (first, second, forced)] == ["done", "skipped", "done"]
    assert first.record == second.record
    assert forced.folder == first.folder
    assert forced.record["cost"]["finished"] >= first.record["cost"]["finished"]
    assert without_cost(forced.record) == without_cost(first.record)
    with pytest.raises(FrozenInstanceError):
        first.ended = "failed"


def test_the_scores_are_a_frame(recorded: Recorded) -> None:
    scores = recorded.done.scores
    assert list(scores.columns) == ["seed", "fold", "decision", "metric", "class", "value"]
    assert scores["value"].dtype == float
    assert set(scores["fold"]) == {0, 1}


def test_a_run_is_short_to_look_at(recorded: Recorded) -> None:
    done = recorded.done
    assert repr(done) == f"Run(folder={done.folder!r}, ended='done')"


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"augmenter": "none,smote"}, "augmenter=none,smote names several values, but this is one run: add --multirun"),
        ({"augmenter": ["none", "smote"]}, "all of them in a sweep, --multirun augmenter=none,smote"),
        ({"augmenter": "smot"}, "augmenter=smot is no option: did you mean smote?"),
        ({"nonsense": 3}, "nonsense is no setting"),
        ({"max_steps": 0}, "max_steps=0 must be at least 1"),
        ({"method": "smote"}, "method=smote chooses the augmenter and the loss, and so does augmenter=random"),
        ({"name": "../elsewhere"}, "becomes a folder"),
        ({"imbalance_ratio.ratio": 100000}, "imbalance_ratio.ratio=100000"),
        ({"dataset.path": "nowhere.csv"}, "nowhere.csv"),
        ({"threads": object()}, "threads=<object object at"),
        ({"seeds": range(1_000_000)}, "seeds has 1,000,000 elements: give at most 10,000"),
    ],
)
def test_what_can_be_mended_is_one_sentence(again: dict[str, Any], choices: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        run(again, **choices)
    assert sentence in str(caught.value)
    assert run(again).ended == "skipped"  # nothing is left of it: this is the run that is recorded


@pytest.mark.parametrize("sweep", ["experiment=demo", "hydra.mode=MULTIRUN"])
def test_a_sweep_is_refused(sweep: str, settings: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a sweep, but synaug\.run makes one run: give python -m synaug --multirun"):
        run(settings, sweep)
    assert not list(tmp_path.glob("multirun/*/*/record.json"))


@pytest.mark.parametrize("flag", ["--multirun", "-m", "--cfg"])
def test_flags_of_the_command_are_refused(flag: str) -> None:
    with pytest.raises(UserError, match=r"is a flag of the command, but synaug\.run makes one run"):
        synaug.run(flag, "augmenter=none,smote")


def test_a_setting_that_is_no_text_is_refused() -> None:
    with pytest.raises(UserError, match=r"\{'augmenter': 'smote'\} is no setting"):
        synaug.run({"augmenter": "smote"})  # type: ignore[arg-type]


def test_a_fault_of_ours_is_the_error_itself(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("broken")

    monkeypatch.setattr("synaug.pipeline.run", broken)
    with pytest.raises(ZeroDivisionError, match="broken"):
        run(settings)


@pytest.mark.parametrize("turned", [False, True], ids=["as it is", "as Lightning turns it"])
def test_an_interruption_interrupts(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch, turned: bool) -> None:
    def interrupted(*_: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            if turned:
                sys.exit(1)
            raise

    with monkeypatch.context() as patch:
        patch.setattr("synaug.pipeline.run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(settings)
    assert not GlobalHydra.instance().is_initialized()
    assert run(settings).ended == "done"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("smote", "x=smote"),
        ("rotten tomatoes", "x=rotten tomatoes"),
        ("2024", "x='2024'"),
        ("true", "x='true'"),
        ("null", "x='null'"),
        ("a,b", "x='a,b'"),
        ("[a]", "x='[a]'"),
        ("é.csv", "x='é.csv'"),
        ("it's", r"x='it\'s'"),
        ("", "x=''"),
        (Path("some where/a.csv"), "x=some where/a.csv"),
        (None, "x=null"),
        (True, "x=true"),
        (np.int64(3), "x=3"),
        (0.1, "x=0.1"),
        (1e-7, "x=1e-07"),
        (np.float64(0.5), "x=0.5"),
        (np.bool_(True), "x=true"),
        ([0, 1], "x=[0,1]"),
        (range(3), "x=[0,1,2]"),
        (("a", "1", None, [True]), "x=[a,'1',null,[true]]"),
        ({"a": 1, "b": "c d"}, "x={a:1,b:c d}"),
    ],
)
def test_python_values_are_written_as_on_the_command_line(value: Any, expected: str) -> None:
    assert written("x", value) == expected
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        read = compose("config", [f"+{expected}"]).x
    plain = str(value) if isinstance(value, Path) else value
    assert read == (list(plain) if isinstance(plain, tuple | range) else plain)


def test_hydra_of_the_users_own_stays_as_it_is(settings: dict[str, Any]) -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        assert run(settings).ended == "done"
        assert compose("config", ["augmenter=none"]).augmenter.amount == 0


# logging.config forgets the outer job's file when the inner run configures logging; it is closed with the process.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_job_of_a_sweep_may_ask_for_a_run(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = synaug.pipeline.run
    inner: list[str] = []

    def nested(*arguments: Any) -> Any:
        if not inner:
            inner.append("begun")
            inner.append(run(settings, name="inner").ended)
        return real(*arguments)

    monkeypatch.setattr("synaug.pipeline.run", nested)
    csv = f"dataset.path={settings['dataset.path']}"
    outcome = Program(tmp_path / "sweep")("--multirun", *BRIEF, csv, "augmenter=none,random", "report=true")
    assert outcome.code == 0, outcome.err
    assert inner == ["begun", "done"]
    note = json.loads((tmp_path / "sweep" / "multirun" / "default" / record.SWEEP).read_text())
    assert [job["status"] for job in note["jobs"]] == ["done", "done"]
    assert (tmp_path / "sweep" / "multirun" / "default" / "report" / "index.html").is_file()


def test_threads_take_turns(settings: dict[str, Any]) -> None:
    arguments, ends = sys.argv, []
    augmenters = ("none", "random", "smote")
    threads = [
        threading.Thread(target=lambda name=name: ends.append(run(settings, augmenter=name)), name=name)
        for name in augmenters
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.record["choices"]["augmenter"] for each in ends) == sorted(augmenters)
    assert sys.argv is arguments


def test_it_works_where_a_loop_is_running(settings: dict[str, Any]) -> None:
    async def cell() -> str:
        ended: str = run(settings).ended
        return ended

    assert asyncio.run(cell()) == "done"


STATES = """
import json, sys
import synaug, synaug.pipeline
from synaug.command.app import main
from tests import process_state, toy

settings = json.loads(sys.argv[1])
config_dir, command = sys.argv[2], sys.argv[3:]
import imblearn.over_sampling, matplotlib.pyplot, pytorch_lightning  # what their imports leave is not a run's

def again(**choices):
    return synaug.run(config_dir=config_dir, **{**settings, **choices})

def refused():
    try:
        again(augmenter="nonsense")
    except synaug.errors.UserError:
        pass

def on_the_command_line():
    sys.argv[:] = ["synaug", *command]
    main()

states = [("start", process_state.snapshot())]
steps = {
    "run": again,
    "run again": again,
    "forced": lambda: again(force=True, threads=2, **{"+trainer.deterministic": True, "hydra.job.chdir": True}),
    "refused": refused,
}
for name, step in steps.items():
    step()
    states.append((name, process_state.snapshot()))
sys.argv[:] = ["synaug", *command]
states.append(("before the command", process_state.snapshot()))
on_the_command_line()
states.append(("command", process_state.snapshot()))
again(augmenter="none")
states.append(("run after the command", process_state.snapshot()))
again(augmenter="none")
synaug.load(settings["output_dir"])
synaug.compare(settings["output_dir"])
states.append(("compared", process_state.snapshot()))
found = {}
for (_, before), (name, after) in zip(states, states[1:]):
    changed = process_state.changes(before, after)
    if name == "before the command":
        changed.pop("arguments", None)
    if changed:
        found[name] = changed
print("\\0" + json.dumps(found))
"""


def test_nothing_of_the_process_is_left_changed(settings: dict[str, Any]) -> None:
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in settings.items()}
    command = [TOY[0], "--multirun", *(f"{key}={value}" for key, value in plain.items()), "report=false"]
    said = in_a_new_process(STATES, json.dumps(plain), str(OWN_CONF), *command, "augmenter=none,random")
    assert json.loads(said.rpartition("\0")[2]) == {}


def test_the_identity_of_a_config_is_told_once_a_run(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    identity = record.identity

    def counted(*arguments: Any) -> str:
        told.append(identity(*arguments))
        return told[-1]

    monkeypatch.setattr("synaug.record.identity", counted)
    assert told == [run(settings).record["identity"]]


@contextmanager
def default(name: str, value: object) -> Iterator[None]:
    """One of torch's defaults for the whole process."""
    before = getattr(torch, f"get_{name}")()
    getattr(torch, f"set_{name}")(value)
    yield
    getattr(torch, f"set_{name}")(before)


@pytest.mark.parametrize(
    "mode",
    [
        lambda: torch.autocast("cpu", dtype=torch.bfloat16),
        torch.no_grad,
        torch.inference_mode,
        lambda: torch.device("meta"),
        lambda: default("default_dtype", torch.float64),
        lambda: default("float32_matmul_precision", "medium"),
    ],
    ids=["mixed precision", "no gradients", "inference", "another device", "another type", "less precision"],
)
def test_the_caller_s_modes_of_torch_change_no_number(
    recorded: Recorded, again: dict[str, Any], mode: Callable[[], Any]
) -> None:
    plain = recorded.done
    with mode():
        before = state()
        forced = run(again, force=True)
        assert state() == before
    assert forced.record["scores"] == plain.record["scores"]
    assert forced.record["probabilities_sha256"] == plain.record["probabilities_sha256"]


def state() -> list[object]:
    names = ("get_default_dtype", "get_float32_matmul_precision", "is_grad_enabled", "is_inference_mode_enabled")
    return [*(getattr(torch, name)() for name in names), torch.is_autocast_enabled("cpu"), torch.get_default_device()]


def test_an_error_that_has_only_words_keeps_them(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ConnectionError("no quota left")

    monkeypatch.setattr("synaug.pipeline.run", broken)
    with pytest.raises(ConnectionError, match=r"^no quota left$"):
        run(settings)


def test_load_gives_the_scores_of_what_was_run(again: dict[str, Any]) -> None:
    run(again, augmenter="none")
    frame = synaug.load(again["output_dir"])
    assert isinstance(frame, pd.DataFrame)
    assert set(frame["augmenter"]) == {"none", "random"}
