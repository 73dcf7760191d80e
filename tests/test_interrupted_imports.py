"""Ctrl-C while the libraries are imported: one sentence, whichever import it hits, and nothing is imported again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program import TOY
from tests.thorough import some

CHECKOUT = Path(__file__).parents[1]
# Ctrl-C as a module begins to be imported: libraries then are there in part, or are taken from `sys.modules` again.
PLANTED = """
import signal, sys
from importlib.abc import MetaPathFinder
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever has started the tests
class Plant(MetaPathFinder):
    at = sys.argv.pop(1)
    def find_spec(self, name, path=None, target=None):
        if name == self.at:
            self.at = None
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Plant())
from synaug.__main__ import main
sys.exit(main())
"""


def interrupted_at(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-c", PLANTED, module, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize(
    "module",
    some(
        [
            "synaug.command.subcommands",
            "hydra.main",
            "numpy.linalg",
            "torch.nn.functional",
            "sympy.printing",  # which torch's compiler imports
            "sklearn.base",
            "synaug.pipeline",
        ],
        4,
    ),
)
def test_an_interruption_while_a_run_imports_is_one_sentence(module: str, csv: str, tmp_path: Path) -> None:
    done = interrupted_at(module, *TOY, csv, f"output_dir={tmp_path / 'runs'}", f"cache_dir={tmp_path / 'cache'}")
    others = ("still importing", "Ctrl-C received")  # which another thread says, sooner or later
    said = [line for line in done.stderr.splitlines() if not line.startswith(others)]
    assert (done.returncode, said[-1:]) == (
        1,
        ["interrupted; what is recorded is kept, and the same command goes on from there"],
    ), done.stderr
    assert "Traceback" not in done.stderr
    assert len(said) == 1, done.stderr
