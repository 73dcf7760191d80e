"""What a tab completes, in real shells: commands, options, files, and a run's settings."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from synaug.command.completion import SHELLS
from synaug.command.subcommands import SUBCOMMANDS
from tests.test_subcommands import HEAVY

CHECKOUT = Path(__file__).parents[1]
AUGMENTERS = {path.stem for path in (CHECKOUT / "conf" / "augmenter").glob("*.yaml")}
# As a shell calls it at a tab: the line is what stands on it, and the answer is what bash would offer.
BASH = """
eval "$(synaug completion bash)"
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
_python_argcomplete synaug 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = "synaug completion fish | source; complete -C $argv[1]"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """With ``synaug`` of this checkout on the PATH."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "synaug"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m synaug "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT)}


def offered(line: str, environment: dict[str, str], folder: Path = CHECKOUT) -> list[str]:
    """What bash offers in the place where a line ends."""
    command = ["bash", "--norc", "-c", BASH, "bash", line]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    return [word.rstrip() for word in done.stdout.splitlines() if word.strip()]


def of_augmenter(beginning: str) -> set[str]:
    return {name for name in AUGMENTERS if name.startswith(beginning)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("synaug ", {*SUBCOMMANDS, "help"}),
        ("synaug rep", {"report", "report="}),
        ("synaug ex", {"explain", "experiment="}),
        ("synaug help da", {"dashboard"}),
        ("synaug completion ", set(SHELLS)),
        # bash has what stands before = already, and wants the rest
        ("synaug augmenter=s", of_augmenter("s")),
        ("synaug run augmenter=s", of_augmenter("s")),
        ("synaug --multirun augmenter=none,s", {f"none,{name}" for name in of_augmenter("s")}),
        ("synaug run name=x augme", {"augmenter="}),
        ("synaug run augmenter=vae augmenter.lat", {"augmenter.latent_dim="}),
        ("synaug run method=cvae augmenter.warm", {"augmenter.warmup_epochs="}),
        ("synaug run augmenter.amo", {"augmenter.amount="}),
        ("synaug run trainer.acc", {"trainer.accelerator="}),
        ("synaug run --multi", {"--multirun"}),
        ("synaug embed encoder=min", {"minilm"}),
        ("synaug check pub", {"published="}),
        ("synaug report --thr", {"--threshold"}),
        ("synaug report --metric mcc,f1_", {"mcc,f1_macro"}),
        ("synaug maps --kind umap,t", {"umap,tsne"}),
        ("synaug run nothing_like_it", set()),
    ],
)
def test_bash_offers_what_may_stand_there(line: str, expected: set[str], environment: dict[str, str]) -> None:
    assert set(offered(line, environment)) == expected


def test_files_and_folders_are_offered_where_values_are_paths(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "multirun" / "mine").mkdir(parents=True)
    (tmp_path / "mine.csv").touch()
    (tmp_path / ".hidden.csv").touch()
    assert offered("synaug report multirun/m", environment, tmp_path) == ["multirun/mine/"]
    assert set(offered("synaug run dataset.path=m", environment, tmp_path)) == {"mine.csv", "multirun/"}
    assert offered("synaug run dataset.path=nowhere/m", environment, tmp_path) == []
    assert offered("synaug explain multirun/mine dataset.path=mi", environment, tmp_path) == ["mine.csv"]


def test_options_of_a_folder_of_one_s_own_are_offered_and_a_broken_file_costs_nothing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "conf" / "augmenter").mkdir(parents=True)
    (tmp_path / "conf" / "augmenter" / "smine.yaml").write_text("_target_: a.B\nshare: 0.5\n")
    (tmp_path / "conf" / "augmenter" / "broken.yaml").write_text("share: [\n")
    for flag in ("--config-dir=conf", "--config-dir conf", "-cd conf"):
        assert "smine" in offered(f"synaug run {flag} augmenter=s", environment, tmp_path)
        assert offered(f"synaug run {flag} augmenter=smine augmenter.sh", environment, tmp_path) == ["augmenter.share="]
        assert offered(f"synaug run {flag} augmenter=broken augmenter.sh", environment, tmp_path) == []


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_offers_the_same(environment: dict[str, str]) -> None:
    for line, expected in (("synaug rep", {"report", "report="}), ("synaug run augmenter=flo", {"augmenter=flow"})):
        command = ["fish", "--no-config", "-c", FISH, line]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=CHECKOUT)
        assert {word.partition("\t")[0].strip() for word in done.stdout.splitlines()} == expected


@pytest.mark.parametrize("line", ["synaug run augmenter=vae augmenter.l", "synaug report --m", "synaug "])
def test_a_tab_imports_nothing_heavy(line: str, environment: dict[str, str], tmp_path: Path) -> None:
    heavy = tuple(name for name in HEAVY if name != "yaml")
    program = (
        "import atexit, os, sys\n"
        "sys.argv = ['synaug']\n"
        "leave = os._exit\n"
        "def checked(code):\n"
        f"    imported = [name for name in {heavy} if name in sys.modules]\n"
        "    sys.stderr.write(f'imported {imported}')\n"
        "    sys.stderr.flush()\n"
        "    leave(code)\n"
        "os._exit = checked\n"
        "from synaug.__main__ import main\n"
        "main()\n"
    )
    asked = {
        **environment,
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "answer"),
        "_ARGCOMPLETE_IFS": "\n",
    }
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=asked)
    assert done.stderr.endswith("imported []"), done.stderr
    assert (tmp_path / "answer").read_text()
