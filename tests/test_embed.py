"""`python -m synaug.embed` fills the cache that runs read, and leaves nothing else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from synaug.command import embed
from tests import program as programs
from tests import toy
from tests.program import TOY, Outcome, Program

CHECKOUT = Path(__file__).parents[1]
CONF = f"--config-dir={Path(__file__).parent / 'conf'}"
FILES = ["dataset=files", "dataset.text=body", "dataset.label=topic", "encoder=toy"]


def run(*arguments: str) -> Outcome:
    """Run ``python -m synaug.embed`` with these arguments, here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "main", embed.main)
        return programs.run(*arguments)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


@pytest.fixture
def fill(program: Program, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The command ``python -m synaug.embed`` with the cache folder of `program`."""
    monkeypatch.setattr(toy.HashingEncoder, "tokens_done", 0, raising=False)
    monkeypatch.setattr(toy.HashingEncoder, "flops_done", 0, raising=False)
    encode = toy.HashingEncoder.encode

    def counted(self: toy.HashingEncoder, texts: list[str], progress: object = None) -> object:
        ENCODED.extend(texts)
        self.tokens_done += 9 * len(texts)  # type: ignore[attr-defined]
        self.flops_done += 10**9 * len(texts)  # type: ignore[attr-defined]
        return encode(self, texts)

    class Fill(Program):
        def __call__(self, *arguments: str) -> Outcome:
            settings = [f"output_dir={self.folder / 'multirun'}", f"cache_dir={self.folder / 'cache'}"]
            return run(*arguments, *settings)

    ENCODED.clear()
    monkeypatch.setattr(toy.HashingEncoder, "encode", counted)
    return Fill(program.folder)


ENCODED: list[str] = []  # by the toy encoder, in this process


@pytest.fixture
def csv(tmp_path: Path) -> str:
    return f"dataset.path={toy.write_csv(tmp_path / 'mine.csv', *toy.texts(60))}"


def left(folder: Path) -> list[str]:
    """What a command left, but for the cache's own folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "embeddings" not in path.parts)


def test_the_cache_is_filled_and_the_run_encodes_nothing(program: Program, fill: Program, csv: str) -> None:
    outcome = fill(CONF, *FILES, csv)
    assert outcome.code == 0, outcome.err
    assert "warning" not in outcome.err
    (line,) = outcome.out.splitlines()
    (cache,) = (program.folder / "cache" / "embeddings").iterdir()
    numbers = (
        r"mine: 120 texts, 120 of them encoded here in \d+\.\d s \([\d,]+ tokens/s, [\d,]+ GFLOP/s\), all in (\S+)"
    )
    match = re.fullmatch(numbers, line)
    assert match is not None, line
    assert match[1] == str(cache)
    assert len(ENCODED) == 120
    assert program(*TOY, csv).code == 0
    assert len(ENCODED) == 120
    assert len(list(cache.glob("matrices/*.npy"))) == 1  # the run reads the one that was made


def test_nothing_but_the_cache_is_left(fill: Program, csv: str) -> None:
    assert fill(CONF, *FILES, csv).code == 0
    assert left(fill.folder) == ["cache", "mine.csv"]


def test_a_second_time_encodes_nothing_and_says_so(fill: Program, csv: str) -> None:
    fill(CONF, *FILES, csv)
    outcome = fill(CONF, *FILES, csv)
    assert "mine: 120 texts, 0 of them encoded here, all in " in outcome.out
    assert len(ENCODED) == 120


@pytest.mark.parametrize("flag", ["--multirun", "-m"])
def test_several_data_sets_are_filled_by_one_command(fill: Program, tmp_path: Path, flag: str) -> None:
    toy.write_csv(tmp_path / "mine.csv", *toy.texts(60))
    toy.write_csv(tmp_path / "yours.csv", *toy.texts(50, seed=1))
    outcome = fill(CONF, flag, *FILES, f"dataset.path={tmp_path / 'mine.csv'},{tmp_path / 'yours.csv'}")
    assert outcome.code == 0, outcome.err
    assert [line.partition(" of them")[0] for line in outcome.out.splitlines()] == [
        "mine: 120 texts, 120",
        "yours: 100 texts, 100",
    ]
    assert left(tmp_path) == ["cache", "mine.csv", "yours.csv"]


def test_flags_may_stand_before_the_settings_or_after_them(fill: Program, csv: str) -> None:
    assert fill(CONF, "--multirun", *FILES, csv).code == 0
    cache = f"cache_dir={fill.folder / 'other'}"
    assert run(*FILES, csv, cache, "--multirun", CONF).code == 0
    assert os.listdir(fill.folder / "other") == ["embeddings"]


def test_what_is_wrong_is_one_sentence_and_nothing_is_left(fill: Program, csv: str) -> None:
    outcome = fill(CONF, *FILES, csv, "encoder.dim=many")
    assert outcome.code == 1
    assert "encoder.dim=many must be a whole number" in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


def test_a_data_set_that_fails_does_not_keep_the_others_from_the_cache(fill: Program, tmp_path: Path) -> None:
    toy.write_csv(tmp_path / "mine.csv", *toy.texts(60))
    outcome = fill(CONF, "-m", *FILES, f"dataset.path={tmp_path / 'none.csv'},{tmp_path / 'mine.csv'}")
    assert outcome.code == 1
    assert "none.csv" in outcome.err
    assert outcome.out.startswith("mine: 120 texts, 120 of them encoded here")
    assert not (tmp_path / "multirun").exists()


def test_help_lists_the_options() -> None:
    outcome = run("--help")
    assert outcome.code == 0
    assert "dataset=" in outcome.out


def test_several_processes_given_one_command_share_the_texts_out(tmp_path: Path) -> None:
    csv = toy.write_csv(tmp_path / "mine.csv", *toy.texts(800))
    command = [sys.executable, "-m", "synaug.embed", CONF, *FILES, f"dataset.path={csv}", f"cache_dir={tmp_path / 'c'}"]
    processes = [
        subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate() for process in processes]
    encoded = 0
    for process, (out, err) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, err
        match = re.match(r"mine: 1,600 texts, ([\d,]+) of them encoded here", out)
        assert match is not None, out
        encoded += int(match[1].replace(",", ""))
    assert encoded == 1600
    assert os.listdir(tmp_path / "c") == ["embeddings"]
