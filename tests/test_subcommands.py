"""One command line: `synaug`, its commands, and what none of them may cost before it does anything."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from synaug import __main__ as synaug
from synaug import __version__
from synaug.command.subcommands import RUN, SUBCOMMANDS, overview
from tests.program import Outcome
from tests.program import run as run_words

CHECKOUT = Path(__file__).parents[1]
# What takes a tenth of a second and more to import; argparse and pathlib suffice for help.
HEAVY = (
    *("torch", "transformers", "pytorch_lightning", "wandb", "sklearn", "imblearn", "datasets", "pandas", "scipy"),
    *("numpy", "pydantic", "hydra", "omegaconf", "yaml", "matplotlib"),
)
SCREEN = 24  # lines of a terminal
COLUMNS = 100


def there(name: str) -> bool:
    """Whether a command's module is part of this checkout."""
    return find_spec(SUBCOMMANDS[name].entrance.partition(":")[0]) is not None


NAMES = [name for name in SUBCOMMANDS if there(name)]


def process(*words: str, program: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``python -m synaug`` or another module in a process of its own."""
    command = [sys.executable, "-m", program or "synaug", *words]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": str(COLUMNS)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def here(*words: str, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Run ``synaug`` with these words in this process."""
    monkeypatch.setattr("tests.program.main", synaug.main)
    return run_words(*words)


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_lists_every_command_on_one_screen(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = here(*words, monkeypatch=monkeypatch)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= COLUMNS
    for name, each in SUBCOMMANDS.items():
        assert f"  {name:<10}  {each.line}" in lines
    assert any("run --help" in line and "groups" in line for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_the_help_of_a_command_imports_nothing_heavy_and_is_that_of_its_name(name: str) -> None:
    program = (
        "import sys\n"
        f"sys.argv = ['synaug', {name!r}, '--help']\n"
        "from synaug.__main__ import main\n"
        "try: code = main()\n"
        "except SystemExit as stop: code = stop.code or 0\n"
        f"heavy = [name for name in {HEAVY} if name in sys.modules]\n"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": str(COLUMNS)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "synaug" in done.stdout.splitlines()[0]
    if name != RUN:
        assert f"synaug {name}" in done.stdout.partition("\n")[0]
        assert max(map(len, done.stdout.splitlines())) <= COLUMNS, done.stdout


def test_help_of_a_command_may_be_asked_for_by_the_word_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    for name in ("report", "maps", "embed"):
        asked = here("help", name, monkeypatch=monkeypatch)
        assert asked.code == 0
        assert asked.out == here(name, "--help", monkeypatch=monkeypatch).out


def test_help_beside_settings_is_that_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    config_dir = f"--config-dir={CHECKOUT / 'tests' / 'conf'}"
    of_run = here("run", config_dir, "--help", monkeypatch=monkeypatch)
    assert "augmenter=" in of_run.out
    assert "\n  toy " in of_run.out
    assert here(config_dir, "--help", monkeypatch=monkeypatch) == of_run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["reprot", "x"], "reprot is neither a command nor a setting: did you mean report?"),
        (["explian"], "did you mean explain?"),
        (["help", "reports"], "did you mean report?"),
        (["multirun/mine"], "multirun/mine is neither a command nor a setting: a setting is key=value or group=option"),
        (["smote"], "smote is neither a command nor a setting: a setting is key=value"),
    ],
)
def test_a_word_that_is_nothing_gets_a_sentence(words: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = here(*words, monkeypatch=monkeypatch)
    assert (outcome.code, outcome.out) == (1, "")
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("before", [[], [RUN]])
def test_hydra_s_command_line_is_as_it_was(before: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shown = here(*before, "--cfg", "job", "augmenter=adasyn", "name=mine", monkeypatch=monkeypatch)
    assert shown.code == 0
    assert "imblearn.over_sampling.ADASYN" in shown.out
    assert "name: mine" in shown.out
    wrong = here(*before, "augmenter=smoet", f"output_dir={tmp_path}", monkeypatch=monkeypatch)
    assert wrong.code == 1
    assert wrong.err.startswith("augmenter=smoet is no option: did you mean smote?")
    flag = here(*before, "--config-dir=/nowhere", monkeypatch=monkeypatch)
    assert (flag.code, flag.err.splitlines()[0][:40]) == (1, "Additional config directory '/nowhere' n")


def test_a_command_gets_the_words_behind_it_and_its_exit_code_goes_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nothing = here("report", str(tmp_path / "nowhere"), monkeypatch=monkeypatch)
    assert nothing.code == 1
    assert "nowhere" in nothing.err
    assert here("report", "--no-such", monkeypatch=monkeypatch).code == 2
    monkeypatch.setattr("synaug.report.__main__.main", lambda words: len(words))
    assert here("report", "a", "b=1", "--csv", monkeypatch=monkeypatch).code == 3


def test_an_interruption_before_a_command_can_see_it_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(words: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("synaug.report.__main__.main", interrupted)
    outcome = here("report", "x", monkeypatch=monkeypatch)
    assert outcome.code == 1
    assert re.fullmatch("interrupted.*\n", outcome.err)


def test_version_is_the_package_s(monkeypatch: pytest.MonkeyPatch) -> None:
    assert here("--version", monkeypatch=monkeypatch).out == f"synaug {__version__}\n"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("synaug.report", "report"),
        ("synaug.explain", "explain"),
        ("synaug.maps", "maps"),
        ("synaug.embed", "embed"),
        ("synaug.embeddings", "embed"),
        ("synaug.check", "check"),
        ("synaug.tracking.dashboard", "dashboard"),
    ],
)
def test_each_command_is_also_a_module(module: str, name: str) -> None:
    of_module, of_command = process("--help", program=module), process(name, "--help")
    assert of_module.returncode == of_command.returncode == 0, of_module.stderr
    assert of_module.stdout == of_command.stdout != ""


def test_what_the_overview_names_is_there() -> None:
    assert set(re.findall(r"^  (\w+) {2,}", overview(), re.MULTILINE)) == set(SUBCOMMANDS)
