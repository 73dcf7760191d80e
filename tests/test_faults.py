"""What becomes of a sweep that is killed, or whose disk is full, cache damaged, memory short or clock wrong."""

import builtins
import io
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from synaug import record
from synaug.__main__ import main
from synaug.files.atomic import files_below, replacing
from synaug.files.digest import file_sha256
from tests import toy
from tests.program import TOY, Outcome, Program, without_cost
from tests.thorough import THOROUGH, some

ROOT = Path(__file__).parents[1]
TINY = [*TOY, "n_folds=2", "max_steps=4", "trainer.enable_progress_bar=false"]
FAULTS_OF_OURS = ("Traceback (most", "UserWarning", "Logging error")


def ok(outcome: Outcome) -> Outcome:
    assert outcome.code == 0, outcome.err
    return outcome


def results(program: Program) -> list[dict[str, Any]]:
    """The records but for what is each run's own, and for the code: somebody may edit the checkout meanwhile."""
    found = [without_cost(each) for each in program.records()]
    return [{key: value for key, value in each.items() if key not in ("code", "git_commit")} for each in found]


def note(program: Program) -> dict[str, Any]:
    return record.sweep_of(program.folder / "multirun" / "default")


def statuses(program: Program) -> list[str]:
    return [job["status"] for job in note(program)["jobs"]]


Recorded = dict[str, tuple[int, bytes]]


def whole_records(folder: Path) -> Recorded:
    """Each record below a folder, once it is seen to be whole: by its run, which file it is and what stands in it."""
    found = {}
    for path in files_below(folder, "record.json"):
        content = path.read_bytes()
        recorded = json.loads(content)
        assert recorded["run"] == path.parent.name
        assert path.parent.name.endswith(recorded["identity"][:8])
        assert {"scores", "offsets", "curves", "cost"} <= recorded.keys()
        probabilities = record.probabilities_file(path.parent, recorded)
        assert probabilities is not None
        assert file_sha256(probabilities) == recorded["probabilities_sha256"]
        found[path.parent.name] = path.stat().st_ino, content
    return found


def places(output: Path, cache: Path) -> list[str]:
    return [f"output_dir={output}", f"cache_dir={cache}"]


def of(program: Program) -> list[str]:
    return places(program.folder / "multirun", program.folder / "cache")


# ---- processes


def serve() -> None:
    """Import the program once and compose its configs, then make a process of it for each command line that comes."""
    import synaug.pipeline
    from synaug.record.code import code_sha256
    from tests.composing import each_choice_once

    assert synaug.pipeline
    code_sha256()
    with each_choice_once():
        for words in itertools.product([[], ["--multirun"]], [["augmenter=none"], ["augmenter=smote"]]):
            with redirect_stdout(io.StringIO()), suppress(SystemExit):
                sys.argv = ["synaug", *itertools.chain(*words), *TINY, "--cfg", "job"]
                main()
        answer_requests()


def answer_requests() -> None:
    """Make processes, and say how they ended, until nobody asks."""
    for line in sys.stdin:
        request = json.loads(line)
        answer: int | None
        if "ended" in request:
            pid, status = os.waitpid(request["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                become(**request)
            os.setpgid(answer, answer)
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


def become(arguments: list[str], said: str, last_rename: int) -> NoReturn:
    """Run a command line in this process, which is killed at a rename if one is given: before it if odd, else after."""
    code: Any = 1
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.argv = ["synaug", *arguments]
        if last_rename:
            _die_at(last_rename)
        code = main()
    except SystemExit as stop:
        code = stop.code or 0
        if isinstance(code, str):
            sys.stderr.write(f"{code}\n")
            code = 1
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_at(last: int) -> None:
    replace, renames = os.replace, itertools.count(1)

    def counted(source: Path, target: Path) -> None:
        number = 0 if ".sweep-" in str(target) else next(renames)  # a skipped job writes only there
        if number == last and last % 2:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = counted  # type: ignore[assignment]


class Zygote:
    """Makes processes of the program that are as real as any, without the seconds that its imports take."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", "from tests.test_faults import serve\nserve()"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._running: set[int] = set()

    def _ask(self, request: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, said: Path, *arguments: str, last_rename: int = 0) -> int:
        """Start a command line, whose output goes to a file, as a process group of its own."""
        pid = self._ask({"arguments": arguments, "said": str(said), "last_rename": last_rename})
        assert isinstance(pid, int)
        self._running.add(pid)
        return pid

    def ended(self, pid: int) -> int | None:
        """How a process ended, its signal, negative, if it was killed; None if it runs."""
        code = self._ask({"ended": pid})
        if code is None:
            return None
        self._running.discard(pid)
        return int(code)

    def wait(self, pid: int) -> int:
        """How a process ended."""
        while (code := self.ended(pid)) is None:
            time.sleep(0.01)
        return code

    def run(self, said: Path, *arguments: str) -> Outcome:
        """Start a command line and wait for its end."""
        code = self.wait(self.start(said, *arguments))
        return Outcome(code, "", said.read_text())

    def close(self) -> None:
        """Leave nothing running."""
        for pid in list(self._running):
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            self.wait(pid)
        self._process.communicate("")


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    server = Zygote()
    yield server
    server.close()


# ---- kills

MOMENTS = ("imports", "start", "embedding", "augmenting", "training", "between two files", ": done in", "a rename")
N_JOBS = 20 if THOROUGH else 12
GRID = [f"encoder.dim=range(8,{8 + N_JOBS // 2})", "augmenter=none,smote"]  # every other job embeds the texts


def wait_until(condition: Callable[[], bool], ended: Callable[[], int | None]) -> None:
    while not condition():  # the test's own timeout ends it
        assert ended() is None, "it ended before the moment came"
        time.sleep(0.002)


def kill_about(zygote: Zygote, said: Path, moment: str, draw: random.Random, folder: Path, command: list[str]) -> int:
    """Start a command and kill it and all that it started at or a little after a moment; how it ended."""

    def probabilities() -> set[tuple[int, int]]:
        found = map(Path.stat, files_below(folder, "probabilities-*.npz"))
        return {(status.st_ino, status.st_mtime_ns) for status in found}

    delay = draw.uniform(0, 0.2)
    if moment == "a rename":
        return zygote.wait(zygote.start(said, *command, last_rename=draw.randint(1, 8)))
    if moment == "imports":
        with said.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "synaug", *command], cwd=ROOT, stdout=output, stderr=output, process_group=0
            )
        time.sleep(15 * delay)
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()
    before = probabilities()
    pid = zygote.start(said, *command)
    if moment == "between two files":  # the probabilities and their record
        wait_until(lambda: not probabilities() <= before, lambda: zygote.ended(pid))
    elif moment != "start":
        wait_until(lambda: said.exists() and moment in said.read_text(), lambda: zygote.ended(pid))
    time.sleep(delay)
    os.killpg(pid, signal.SIGKILL)
    return zygote.wait(pid)


@pytest.mark.timeout(900)
@pytest.mark.xdist_group("zygote")
def test_a_sweep_killed_many_times_ends_as_if_it_never_was(zygote: Zygote, tmp_path: Path, csv: str) -> None:
    draw = random.Random(0)
    undisturbed, program = Program(tmp_path / "undisturbed"), Program(tmp_path / "killed")
    arguments = ["--multirun", *TINY, csv, *GRID]
    beside = zygote.start(tmp_path / "undisturbed.txt", *arguments, *of(undisturbed))
    recorded: Recorded = {}
    moments = [*MOMENTS, *MOMENTS, *MOMENTS[2:6]] if THOROUGH else [*MOMENTS[2:6], "a rename"]
    draw.shuffle(moments)
    for number, moment in enumerate(moments):
        said = tmp_path / f"{number}.txt"
        command = [*arguments, *of(program)]
        assert kill_about(zygote, said, moment, draw, program.folder, command) == -signal.SIGKILL, said.read_text()
        now = whole_records(program.folder)
        assert recorded.items() <= now.items(), (number, moment)
        recorded = now
    assert 0 < len(recorded) < N_JOBS
    last = ok(zygote.run(tmp_path / "last.txt", *arguments, *of(program)))
    left_out = re.search(rf"^(\d+) of {N_JOBS} jobs are already recorded", last.err, re.MULTILINE)
    assert last.err.count(": already recorded") + int(left_out[1] if left_out else 0) == len(recorded)
    now = whole_records(program.folder)
    assert recorded.items() <= now.items()
    assert len(now) == N_JOBS
    assert not [*program.folder.rglob(".sweep-*"), *(program.folder / "multirun").rglob(".*.tmp")]
    assert zygote.wait(beside) == 0, (tmp_path / "undisturbed.txt").read_text()
    assert results(program) == results(undisturbed)


@pytest.mark.xdist_group("zygote")
def test_two_sweeps_of_one_grid_at_once_record_each_run_once(zygote: Zygote, tmp_path: Path, csv: str) -> None:
    undisturbed, program = Program(tmp_path / "undisturbed"), Program(tmp_path / "both")
    arguments = ["--multirun", *TINY, csv, "encoder.dim=8,16", "augmenter=none,smote"]
    outputs = [tmp_path / "one.txt", tmp_path / "other.txt"]
    running = [zygote.start(said, *arguments, *of(program)) for said in outputs]
    seen: Recorded = {}
    codes: list[int | None] = [None, None]
    while None in codes:
        now = whole_records(program.folder)
        assert seen.items() <= now.items()
        seen = now
        codes = [zygote.ended(pid) if code is None else code for pid, code in zip(running, codes, strict=True)]
        time.sleep(0.005)
    said = "".join(path.read_text() for path in outputs)
    assert codes == [0, 0], said
    assert whole_records(program.folder).items() >= seen.items()
    ended = re.findall(r"^\[\d/4\] (\S+): (done in|already recorded)", said, re.MULTILINE)
    runs = sorted(path.name for path in program.run_folders)
    assert len(runs) == 4
    assert sorted(run for run, how in ended if how == "done in") == runs
    left_out = re.findall(r"^(\d) of 4 jobs are already recorded", said, re.MULTILINE)  # by whoever started later
    assert len([run for run, how in ended if how == "already recorded"]) + sum(map(int, left_out)) == 4
    ok(zygote.run(tmp_path / "undisturbed.txt", *arguments, *of(undisturbed)))
    assert results(program) == results(undisturbed)


@pytest.mark.xdist_group("zygote")
def test_two_sweeps_at_once_with_other_seeds_add_to_the_same_records(zygote: Zygote, tmp_path: Path, csv: str) -> None:
    undisturbed, program = Program(tmp_path / "undisturbed"), Program(tmp_path / "both")
    arguments = ["--multirun", *TINY, csv, "augmenter=none,random"]
    outputs = [tmp_path / "one.txt", tmp_path / "other.txt"]
    asked = ["seeds=[0,2]", "seeds=[1,2]"]
    running = [zygote.start(said, *arguments, seeds, *of(program)) for said, seeds in zip(outputs, asked, strict=True)]
    codes = [zygote.wait(pid) for pid in running]
    assert codes == [0, 0], "".join(path.read_text() for path in outputs)
    whole_records(program.folder)
    ok(zygote.run(tmp_path / "undisturbed.txt", *arguments, "seeds=[0,1,2]", *of(undisturbed)))
    assert [each["config"]["seeds"] for each in program.records()] == [[0, 1, 2]] * 2
    assert [each["scores"] for each in program.records()] == [each["scores"] for each in undisturbed.records()]


# ---- disks


@dataclass
class Disk:
    """A disk whose room is what a test says."""

    folder: Path

    def leave(self, n_bytes: int) -> None:
        """Let it have so much room for what stands there and what comes; pages are of 4 KiB."""
        subprocess.run(["mount", "-o", f"remount,size={n_bytes}", str(self.folder)], check=True)

    def used(self) -> int:
        """Bytes taken."""
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def check_nothing_is_half(self) -> None:
        """No temporary file, no array without the manifest it needs, no record that is not whole."""
        assert not list(self.folder.rglob(".*.tmp"))
        for array in self.folder.glob("embeddings/*/*.npy"):
            assert array.with_suffix(".chunk.json").is_file()
        whole_records(self.folder)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of one page."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", str(folder)], check=True)


def sentences_of_no_room(outcome: Outcome, folder: Path) -> list[str]:
    """Where there was no room, once it is seen that each sentence about it names a path and the remedy."""
    assert outcome.code == 1, outcome.err
    assert not [each for each in FAULTS_OF_OURS if each in outcome.err], outcome.err
    said = [line for line in outcome.err.splitlines() if "No space left on device" in line]
    said = [line for line in said if ": sweep.json could not be written; " not in line]  # the note of the sweep
    remedy = "No space left on device: make room there, or choose another place with output_dir=... or cache_dir=..."
    assert said
    assert all(line.endswith(f": {remedy}") for line in said), outcome.err
    named = [line.removesuffix(f": {remedy}").rpartition(": ")[2].rpartition("  ")[2] for line in said]
    assert all(Path(each).is_relative_to(folder) for each in named), outcome.err
    return named


@pytest.mark.xdist_group("zygote")
def test_a_cache_without_room_is_named_and_the_same_command_ends_once_there_is(
    zygote: Zygote, tmp_path: Path, csv: str, disk: Disk
) -> None:
    arguments = [*TINY, csv, "encoder.dim=512"]
    named = set()
    for n_bytes in (4096, 65536, 62 * 4096):  # encoder.json, the array, its manifest
        disk.leave(disk.used() + n_bytes)
        outcome = zygote.run(tmp_path / f"{n_bytes}.txt", *arguments, *places(tmp_path / "runs", disk.folder))
        (path,) = sentences_of_no_room(outcome, disk.folder)
        named.add(re.sub(r"\w{32}", "ID", Path(path).name))
        disk.check_nothing_is_half()
        assert not list((tmp_path / "runs").rglob(record.RECORD))
    assert named == {"ID.npy", "ID.chunk.json"}
    disk.leave(2**22)
    ok(zygote.run(tmp_path / "mended.txt", *arguments, *places(tmp_path / "runs", disk.folder)))
    disk.check_nothing_is_half()
    undisturbed = Program(tmp_path / "undisturbed")
    ok(zygote.run(tmp_path / "undisturbed.txt", *arguments, *of(undisturbed)))
    (mended,) = (tmp_path / "runs").rglob(record.RECORD)
    ours, theirs = without_cost(json.loads(mended.read_text())), without_cost(undisturbed.record())
    assert {key for key in ours if ours[key] != theirs[key]} <= {"code", "git_commit"}


@pytest.mark.xdist_group("zygote")
@pytest.mark.parametrize("grid", some([["augmenter=none,smote"], []], 1))
def test_a_disk_that_is_full_at_any_file_of_a_run_is_named_and_what_is_recorded_stays(
    zygote: Zygote, tmp_path: Path, csv: str, disk: Disk, grid: list[str]
) -> None:
    arguments = [*(["--multirun"] if grid else []), *TINY, csv, *grid, *places(disk.folder, tmp_path / "cache")]
    recorded: Recorded = {}
    named: set[str] = set()
    taken, pages = 0, 1  # page by page at first, where the files are small, then in larger steps
    for number in itertools.count():
        disk.leave(taken + 4096 * pages)
        outcome = zygote.run(tmp_path / f"{number}.txt", *arguments)
        disk.check_nothing_is_half()
        now = whole_records(disk.folder)
        assert recorded.items() <= now.items()
        taken, pages = (taken, pages + max(2, pages // 2)) if len(now) == len(recorded) else (disk.used(), 5)
        recorded = now
        if outcome.code == 0:
            break
        named |= {Path(each).name for each in sentences_of_no_room(outcome, disk.folder)}
        assert len(recorded) < 2
        if grid:
            assert "the same command tries the missing ones again:" in outcome.err
    assert len(recorded) == (2 if grid else 1)
    assert record.RECORD in named
    assert any(name.startswith("probabilities-") for name in named)
    assert not list(disk.folder.rglob(record.FAILURE))


# ---- damage


def altered(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def unreadable(path: Path) -> None:
    """Marked for `refusing`, since root may read everything."""
    os.utime(path, (1, 1))


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for somebody who may not read what `unreadable` marked."""
    original = builtins.open

    def guarded(file: Any, *arguments: Any, **keywords: Any) -> Any:
        if isinstance(file, str | Path) and os.path.isfile(file) and os.stat(file).st_mtime == 1:
            raise PermissionError(13, "Permission denied", str(file))
        return original(file, *arguments, **keywords)

    monkeypatch.setattr(builtins, "open", guarded)
    monkeypatch.setattr(io, "open", guarded)


@pytest.fixture(scope="module", autouse=True)
def small_data_sets_keep_their_neighbours() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synaug.augmenter.neighbours.graph.LEAST_ROWS_ON_DISK", 0)
        yield


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, list[str]]:
    """A program that has a run's record and its cache, and the settings of the run."""
    program = Program(tmp_path_factory.mktemp("sound"))
    path = toy.write_csv(program.folder / "mine.csv", *toy.texts(60))
    arguments = [*TINY, f"dataset.path={path}", "augmenter.amount=0.5"]
    ok(program(*arguments, "augmenter=smote"))
    return program, arguments


PARTS = {
    "chunk": "embeddings/*/*.npy",
    "manifest": "embeddings/*/*.chunk.json",
    "matrix": "embeddings/*/matrices/*.npy",
    "matrix's manifest": "embeddings/*/matrices/*.matrix.json",
    "neighbours": "neighbours/*/*.npz",
}


@pytest.mark.parametrize(("part", "damage"), some(itertools.product(PARTS, [altered, truncated, unreadable]), 7))
def test_a_damaged_cache_costs_one_warning_and_changes_no_number(
    sound: tuple[Program, list[str]], tmp_path: Path, refusing: None, damage: Callable[[Path], None], part: str
) -> None:
    before, arguments = sound
    program = Program(tmp_path / "damaged")
    shutil.copytree(before.folder, program.folder)
    path = sorted((program.folder / "cache").glob(PARTS[part]))[0]
    damage(path)
    forced = ok(program(*arguments, "augmenter=smote", "force=true"))
    warnings = [line for line in forced.err.splitlines() if re.search(" are damaged( or old)? and will be ", line)]
    assert len(warnings) == 1, forced.err
    again = "damaged or old and will be searched for" if part == "neighbours" else "damaged and will be made"
    assert re.match(rf"warning: the cached \w+ \S+ are {again} again \(.+\)$", warnings[0])
    assert results(program) == results(before)
    mended = ok(program(*arguments, "augmenter=smote", "force=true"))
    assert " are damaged" not in mended.err
    assert results(program) == results(before)


# ---- memory


def short_for_numpy() -> object:
    return np.empty(2**46)


def short_for_torch() -> object:
    return torch.empty(2**46)


def short_for_python() -> object:
    raise MemoryError


@pytest.mark.parametrize(
    ("allocate", "reason"),
    [
        (short_for_numpy, "Unable to allocate 512. TiB"),
        (short_for_torch, "can't allocate memory"),
        (short_for_python, "it says no more"),
    ],
)
def test_a_job_without_memory_gets_a_sentence_with_the_remedy_and_the_others_go_on(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch, allocate: Callable[[], object], reason: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(toy.NoisyCopies, "_fit_resample", lambda *_: allocate())
        sweep = program("--multirun", *TINY, csv, "augmenter=none,mine,random")
        single = program(*TINY, csv, "augmenter=mine")
    assert sweep.code == 1
    assert statuses(program) == ["done", "failed", "done"]
    (failed,) = [folder for folder in program.run_folders if "-mine-" in folder.name]
    sentence = record.read_json(failed / record.FAILURE)["sentence"]
    assert sentence.startswith("out of memory (")
    assert reason in sentence
    assert "give fewer seeds or n_folds, dataset.max_per_class=..., or" in sentence
    assert sentence in sweep.err
    assert "1 of 3 jobs failed, 2 are recorded; the same command tries the missing ones again:" in sweep.err
    assert single.code == 1
    assert f"{failed.name}: {sentence}" in single.err
    assert not [each for each in FAULTS_OF_OURS if each in sweep.err + single.err]
    ok(program("--multirun", *TINY, csv, "augmenter=none,mine,random"))
    assert statuses(program) == ["skipped", "done", "skipped"]
    assert not (failed / record.FAILURE).exists()


# ---- clocks


def make_time_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of the day jumps by days at every look, back and forth; monotonic ones do not."""
    days = itertools.cycle([0, 400, -400, 3, -3, 20000, -20000])
    now, now_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: now() + 86400 * next(days))
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + 86400 * 10**9 * next(days))


def encoded_texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is encoded from now on."""
    found: list[str] = []
    original = toy.HashingEncoder.encode

    def noting(self: toy.HashingEncoder, texts: Sequence[str], progress: Any) -> NDArray[np.float32]:
        found.extend(texts)
        return original(self, texts, progress)

    monkeypatch.setattr(toy.HashingEncoder, "encode", noting)
    return found


def durations(value: Any) -> Iterator[float]:
    """Whatever is counted in seconds in a record or a note."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key == "seconds":
            yield from each.values() if isinstance(each, dict) else [each]
        else:
            yield from durations(each)


def test_a_clock_that_jumps_changes_no_result_and_takes_no_file(
    tmp_path: Path, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = ["--multirun", *TINY, csv, "augmenter=none,smote"]
    undisturbed, program = Program(tmp_path / "undisturbed"), Program(tmp_path / "jumping")
    ok(undisturbed(*grid))
    (folder,) = (undisturbed.folder / "cache" / "embeddings").iterdir()
    encoded = encoded_texts(monkeypatch)
    make_time_jump(monkeypatch)
    written = program.folder / "cache" / "embeddings" / folder.name / "a.npy"
    with replacing(written) as file:  # as another process would
        file.write(b"half a f")
        file.flush()
        (temporary,) = written.parent.iterdir()
        os.utime(temporary, (1, 1))
        first = ok(program(*grid))
        assert temporary.exists()
    assert written.read_bytes() == b"half a f"
    assert results(program) == results(undisturbed)
    seconds = [*durations(program.records()), *durations(note(program))]
    assert len(seconds) > 2 * 6
    assert min(seconds) >= 0
    assert max(seconds) < 86400
    assert re.findall(r"(?:in|·|about) (-?\d+:?\S*)", first.err)
    assert not re.search(r"-\d+ s |-\d+:\d\d", first.err)
    assert sorted(encoded) == sorted(toy.texts(60)[0])
    before = whole_records(program.folder)
    for path in program.folder.rglob("*"):  # as of another clock
        os.utime(path, (4e9, 4e9))
    assert "2 of 2 jobs are already recorded" in ok(program(*grid)).err
    assert whole_records(program.folder) == before
    forced = ok(program(*grid, "force=true"))
    assert " are damaged" not in forced.err
    assert len(encoded) == 120
    assert results(program) == results(undisturbed)
