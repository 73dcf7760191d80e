"""Each text is encoded once, and no damage, kill or neighbour changes what comes back."""

import errno
import hashlib
import json
import logging
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synaug.embeddings import cache as embeddings
from synaug.embeddings.cache import EmbeddingCache
from synaug.files import checked_json, digest, locks
from tests.test_atomic import files_of_at_most

ROOT = Path(__file__).parents[1]
ROWS = 4  # of a chunk
TEXTS = [f"{'long ' * (number % 5)}text number {number}" for number in range(18)]  # five chunks


class HashEncoder:
    """Eight numbers that a text's digest decides. Writes down what it was asked."""

    def __init__(self, settings: str = "a", log: Path | None = None, seconds: float = 0) -> None:
        self.settings = settings
        self.log = log
        self.seconds = seconds
        self.calls: list[list[str]] = []

    @property
    def encoded(self) -> list[str]:
        return [text for call in self.calls for text in call]

    def source(self) -> str:
        return f"hash:{self.settings}"

    def identity(self) -> dict[str, Any]:
        return {"encoder": "hash", "settings": self.settings, "layers": (1, 2)}

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], object] = lambda done: None
    ) -> NDArray[np.float32]:
        self.calls.append(list(texts))
        for text in texts:
            if self.log:
                with self.log.open("a") as file:
                    file.write(json.dumps(text) + "\n")
            time.sleep(self.seconds)
            progress(len(text))
        return np.stack([self.one(text) for text in texts])

    def one(self, text: str) -> NDArray[np.float32]:
        digest = hashlib.sha256(f"{self.settings} {text}".encode()).digest()
        return np.frombuffer(digest, dtype=np.uint32).astype(np.float32)

    def all(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self.one(text) for text in texts])


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "CHUNK_ROWS", ROWS)


def embed(folder: Path, texts: Sequence[str] = TEXTS, encoder: HashEncoder | None = None) -> HashEncoder:
    """Embed through a fresh view of the cache and check the numbers."""
    encoder = encoder or HashEncoder()
    found = EmbeddingCache(encoder, folder).embed(texts)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, encoder.all(texts))
    return encoder


def chunk_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("embeddings/*/*.npy"))


def manifest_of(chunk: Path) -> Path:
    return chunk.with_suffix(".chunk.json")


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_second_call_encodes_nothing(tmp_path: Path) -> None:
    assert sorted(embed(tmp_path).encoded) == sorted(TEXTS)
    assert embed(tmp_path).calls == []


def test_rows_come_in_the_order_asked_and_repeated_texts_are_encoded_once(tmp_path: Path) -> None:
    asked = [*TEXTS[::-1], TEXTS[3], TEXTS[3], *TEXTS[5:9]]
    assert sorted(embed(tmp_path, asked).encoded) == sorted(TEXTS)
    assert embed(tmp_path, [TEXTS[3]] * 7).calls == []


def test_another_set_of_texts_reuses_the_rows_it_shares(tmp_path: Path) -> None:
    embed(tmp_path, TEXTS[:11])
    assert sorted(embed(tmp_path, TEXTS[6:]).encoded) == sorted(TEXTS[11:])
    assert embed(tmp_path, TEXTS).calls == []


def test_chunks_are_cut_by_length_so_that_batches_pad_little(tmp_path: Path) -> None:
    lengths = [len(text) for text in embed(tmp_path).encoded]
    assert lengths == sorted(lengths, reverse=True)


def test_other_settings_of_the_encoder_have_a_folder_of_their_own(tmp_path: Path) -> None:
    embed(tmp_path)
    assert sorted(embed(tmp_path, encoder=HashEncoder("b")).encoded) == sorted(TEXTS)
    first, second = (tmp_path / "embeddings").iterdir()
    identities = {json.loads((folder / "encoder.json").read_text())["settings"] for folder in (first, second)}
    assert identities == {"a", "b"}


def test_chunks_are_plain_float32_arrays_with_a_manifest(tmp_path: Path) -> None:
    embed(tmp_path)
    files = chunk_files(tmp_path)
    assert len(files) == 5
    rows = 0
    for path in files:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        manifest = json.loads(manifest_of(path).read_text())
        assert array.dtype == np.float32
        assert list(array.shape) == manifest["shape"] == [len(manifest["texts"]), 8]
        assert manifest["encoder"]["settings"] == "a"
        assert manifest["npy_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        rows += len(array)
    assert rows == len(TEXTS)


def test_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there are no texts to embed"):
        EmbeddingCache(HashEncoder(), tmp_path).embed([])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.lists(st.lists(st.text(max_size=3), min_size=1, max_size=12), min_size=1, max_size=4))
def test_whatever_is_asked_in_whatever_order_every_text_is_encoded_once(
    tmp_path_factory: pytest.TempPathFactory, asked: list[list[str]]
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    encoded = [text for texts in asked for text in embed(folder, texts).encoded]
    assert sorted(encoded) == sorted({text for texts in asked for text in texts})


# ---- damage


def truncate(chunk: Path) -> None:
    chunk.write_bytes(chunk.read_bytes()[:-5])


def empty(chunk: Path) -> None:
    chunk.write_bytes(b"")


def alter_a_number(chunk: Path) -> None:
    content = bytearray(chunk.read_bytes())
    content[-3] ^= 1
    chunk.write_bytes(content)


def alter_the_header(chunk: Path) -> None:
    chunk.write_bytes(chunk.read_bytes().replace(b"(4, 8)", b"(8, 4)"))


def transpose(chunk: Path) -> None:
    chunk.write_bytes(chunk.read_bytes().replace(b"False", b"True "))


def store_doubles(chunk: Path) -> None:
    np.save(chunk, np.load(chunk).astype(np.float64))


class Payload:
    """Would make a file if it were unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


def store_objects(chunk: Path) -> None:
    payload = np.empty((4, 8), dtype=object)
    payload[:] = Payload(chunk.parent / "unpickled")
    np.save(chunk, payload, allow_pickle=True)


def store_a_pickle(chunk: Path) -> None:
    chunk.write_bytes(pickle.dumps(Payload(chunk.parent / "unpickled")))


def store_a_zip(chunk: Path) -> None:
    with chunk.open("wb") as file:
        np.savez(file, np.load(chunk_files(chunk.parents[2])[1]))


def put_a_folder_in_its_place(chunk: Path) -> None:
    chunk.unlink()
    (chunk / "inside").mkdir(parents=True)


def put_a_folder_in_the_manifests_place(chunk: Path) -> None:
    manifest_of(chunk).unlink()
    manifest_of(chunk).mkdir()


def alter_a_number_and_set_the_time_back(chunk: Path) -> None:
    before = chunk.stat()
    alter_a_number(chunk)
    os.utime(chunk, ns=(before.st_atime_ns, before.st_mtime_ns))


def put_a_pipe_in_its_place(chunk: Path) -> None:
    chunk.unlink()
    os.mkfifo(chunk)


def put_a_pipe_in_the_manifests_place(chunk: Path) -> None:
    manifest_of(chunk).unlink()
    os.mkfifo(manifest_of(chunk))


def link_it_to_nowhere(chunk: Path) -> None:
    chunk.unlink()
    chunk.symlink_to("nowhere")


def link_the_manifest_to_nowhere(chunk: Path) -> None:
    manifest_of(chunk).unlink()
    manifest_of(chunk).symlink_to("nowhere")


def nest_the_manifest(chunk: Path) -> None:
    manifest_of(chunk).write_text("[" * 100_000)


def sealed(chunk: Path, rows: NDArray[Any], **changes: Any) -> None:
    """Put other rows into a chunk, with a manifest that agrees with them."""
    np.save(chunk, rows)
    manifest = json.loads(manifest_of(chunk).read_text()) | {
        "shape": list(rows.shape),
        "npy_sha256": hashlib.sha256(chunk.read_bytes()).hexdigest(),
        **changes,
    }
    del manifest["sha256"]
    checked_json.write(manifest_of(chunk), manifest)


def seal_nan(chunk: Path) -> None:
    sealed(chunk, np.load(chunk) * np.float32(np.nan))


def seal_rows_of_another_width(chunk: Path) -> None:
    sealed(chunk, np.load(chunk)[:, :5])


def seal_rows_of_three_dimensions(chunk: Path) -> None:
    sealed(chunk, np.load(chunk)[:, :, None])


def seal_texts_that_are_none(chunk: Path) -> None:
    sealed(chunk, np.load(chunk), texts=7)


def seal_a_manifest_without_an_encoder(chunk: Path) -> None:
    sealed(chunk, np.load(chunk), encoder=None)


def empty_the_manifest(chunk: Path) -> None:
    manifest_of(chunk).write_bytes(b"")


def cut_the_manifest(chunk: Path) -> None:
    manifest_of(chunk).write_bytes(manifest_of(chunk).read_bytes()[:-30])


def make_the_manifest_a_number(chunk: Path) -> None:
    manifest_of(chunk).write_text("5")


def edit_manifest(chunk: Path, **changes: Any) -> None:
    manifest = json.loads(manifest_of(chunk).read_text())
    manifest_of(chunk).write_text(json.dumps({**manifest, **changes}))


def swap_two_texts(chunk: Path) -> None:
    first, second, *rest = json.loads(manifest_of(chunk).read_text())["texts"]
    edit_manifest(chunk, texts=[second, first, *rest])


def forget_a_text(chunk: Path) -> None:
    edit_manifest(chunk, texts=json.loads(manifest_of(chunk).read_text())["texts"][1:])


def alter_a_texts_digest(chunk: Path) -> None:
    _, *rest = json.loads(manifest_of(chunk).read_text())["texts"]
    edit_manifest(chunk, texts=["0" * 64, *rest])


def lose_the_manifests_checksum(chunk: Path) -> None:
    manifest = json.loads(manifest_of(chunk).read_text())
    del manifest["sha256"]
    manifest_of(chunk).write_text(json.dumps(manifest))


def bring_in_another_encoders(chunk: Path) -> None:
    cache = chunk.parents[2]
    embed(cache, encoder=HashEncoder("b"))
    (other,) = {path.parent for path in chunk_files(cache)} - {chunk.parent}
    theirs = next(
        path
        for path in chunk_files(cache)
        if path.parent == other
        and json.loads(manifest_of(path).read_text())["texts"] == json.loads(manifest_of(chunk).read_text())["texts"]
    )
    manifest_of(chunk).unlink()
    shutil.copy(theirs, chunk.parent)
    shutil.copy(manifest_of(theirs), chunk.parent)


DAMAGE = [
    truncate,
    alter_a_number,
    alter_a_number_and_set_the_time_back,
    put_a_folder_in_its_place,
    put_a_folder_in_the_manifests_place,
    alter_the_header,
    transpose,
    store_doubles,
    store_objects,
    store_a_pickle,
    store_a_zip,
    Path.unlink,
    empty,
    empty_the_manifest,
    cut_the_manifest,
    make_the_manifest_a_number,
    swap_two_texts,
    forget_a_text,
    alter_a_texts_digest,
    lose_the_manifests_checksum,
    put_a_pipe_in_its_place,
    put_a_pipe_in_the_manifests_place,
    link_it_to_nowhere,
    link_the_manifest_to_nowhere,
    nest_the_manifest,
    seal_nan,
    seal_rows_of_another_width,
    seal_rows_of_three_dimensions,
    seal_texts_that_are_none,
    seal_a_manifest_without_an_encoder,
    bring_in_another_encoders,
]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_a_damaged_chunk_is_made_again_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    embed(tmp_path)
    chunk = chunk_files(tmp_path)[0]
    texts = json.loads(manifest_of(chunk).read_text())["texts"]
    damage(chunk)
    again = embed(tmp_path)  # also checks the numbers
    (warning,) = warnings_in(caplog)
    assert "damaged and will be made again" in warning
    assert str(chunk.parent) in warning
    assert sorted(hashlib.sha256(text.encode()).hexdigest() for text in again.encoded) == sorted(texts)
    assert not list(tmp_path.rglob("unpickled"))
    caplog.clear()
    assert embed(tmp_path).calls == []
    assert warnings_in(caplog) == []


def test_a_chunk_that_may_not_be_read_is_made_again_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed(tmp_path)
    locked_up = chunk_files(tmp_path)[2]
    text = locked_up.read_bytes()
    forbidden = locked_up.stat().st_ino
    opened = Path.open

    def open_unless_forbidden(path: Path, *arguments: Any, **keywords: Any) -> Any:
        if path == locked_up and path.stat().st_ino == forbidden:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", open_unless_forbidden)
    held = json.loads(manifest_of(locked_up).read_text())["texts"]
    assert len(embed(tmp_path, TEXTS[::-1]).encoded) == len(held)
    (warning,) = warnings_in(caplog)
    assert f"{locked_up} are damaged and will be made again ([Errno 13] Permission denied" in warning
    assert locked_up.read_bytes() == text


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_altered_byte_anywhere_changes_what_comes_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    embed(folder, TEXTS[:5])
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    path = data.draw(st.sampled_from(files))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    embed(folder, TEXTS[:5])
    assert embed(folder, TEXTS[:5]).calls == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_named_and_not_cached(tmp_path: Path, value: float) -> None:
    class Broken(HashEncoder):
        def one(self, text: str) -> NDArray[np.float32]:
            row = super().one(text)
            row[5] = value if text == TEXTS[7] else row[5]
            return row

    message = f"NaN or infinity for 1 texts, the first '{TEXTS[7]}': these were not cached; check the model's weights"
    with pytest.raises(ValueError, match=message):
        EmbeddingCache(Broken(), tmp_path).embed(TEXTS[7:8])
    assert chunk_files(tmp_path) == []
    assert embed(tmp_path, TEXTS[7:8]).encoded == [TEXTS[7]]


def test_found_chunks_of_another_width_give_way_to_what_the_encoder_makes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    embed(tmp_path)
    for chunk in chunk_files(tmp_path)[1:]:
        seal_rows_of_another_width(chunk)
    embed(tmp_path, [*TEXTS, "another text"])
    assert all("damaged and will be made again" in warning for warning in warnings_in(caplog))
    assert embed(tmp_path).calls == []


def test_an_encoder_whose_rows_differ_in_width_is_refused(tmp_path: Path) -> None:
    class Growing(HashEncoder):
        def encode(self, texts: Sequence[str], progress: Any = None) -> NDArray[np.float32]:
            rows = super().encode(texts)
            return np.tile(rows, (1, len(self.calls)))

    with pytest.raises(ValueError, match="rows of different widths"):
        EmbeddingCache(Growing(), tmp_path).embed(TEXTS)


def matrix_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("embeddings/*/matrices/*"))


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "sealed NaN", "sealed, too short", "chunks are a list"])
def test_a_matrix_that_is_none_is_made_again(tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    embed(tmp_path)
    manifest_path, path = matrix_files(tmp_path)
    if path.suffix != ".npy":
        manifest_path, path = path, manifest_path
    if kind in ("pipe", "folder", "link"):
        path.unlink()
        make: dict[str, Callable[[Path], None]] = {
            "pipe": os.mkfifo,
            "folder": Path.mkdir,
            "link": lambda at: at.symlink_to("nowhere"),
        }
        make[kind](path)
    else:
        manifest = json.loads(manifest_path.read_text())
        del manifest["sha256"]
        rows = np.load(path)
        np.save(path, rows[:-1] if "short" in kind else rows * np.float32(np.nan) if "NaN" in kind else rows)
        manifest["npy_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        if "list" in kind:
            manifest["chunks"] = [7]
        checked_json.write(manifest_path, manifest)
    assert embed(tmp_path).calls == []
    assert len(warnings_in(caplog)) <= 1


def test_an_encoder_that_returns_too_few_rows_is_refused(tmp_path: Path) -> None:
    class Short(HashEncoder):
        def encode(self, texts: Sequence[str], progress: Any = None) -> NDArray[np.float32]:
            return super().encode(texts)[1:]

    with pytest.raises(ValueError, match=r"returned shape \(3, 8\) for 4 texts"):
        EmbeddingCache(Short(), tmp_path).embed(TEXTS)


# ---- kills, neighbours, disks


def run(script: str, *arguments: object) -> "subprocess.Popen[str]":
    """Run a script beside this process, with what this module defines."""
    prelude = """
import os, signal, sys
from pathlib import Path
import numpy as np
from synaug.embeddings import cache
from synaug.embeddings.cache import EmbeddingCache
from tests.test_embeddings import ROWS, TEXTS, HashEncoder
cache.CHUNK_ROWS = ROWS
"""
    command = [sys.executable, "-c", prelude + script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path) -> None:
    while not path.exists():  # the test's own timeout ends it
        time.sleep(0.02)


KILLED_AT_A_RENAME = """
folder, log, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
renames = 0
replace = os.replace
def counted(source, target):
    global renames
    renames += 1
    if renames == last:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = counted
EmbeddingCache(HashEncoder(log=log), folder).embed(TEXTS)
"""


# Renames come in this order: encoder.json, then array and manifest of one chunk after the other.
@pytest.mark.parametrize(("rename", "whole_chunks"), [(1, 0), (2, 0), (3, 0), (4, 1), (7, 2)])
def test_a_killed_process_is_resumed_where_it_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rename: int, whole_chunks: int
) -> None:
    killed = run(KILLED_AT_A_RENAME, tmp_path / "cache", tmp_path / "log", rename)
    _, errors = killed.communicate()
    assert killed.returncode == -signal.SIGKILL, errors
    before = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    resumed = embed(tmp_path / "cache")
    assert len(resumed.encoded) == len(TEXTS) - ROWS * whole_chunks
    assert set(resumed.encoded) == set(TEXTS) - set(before[: ROWS * whole_chunks])
    assert warnings_in(caplog) == []
    assert embed(tmp_path / "cache").calls == []


def test_what_a_killed_writer_left_is_removed_after_a_day_and_not_before(tmp_path: Path) -> None:
    embed(tmp_path, TEXTS[:4])
    folder = chunk_files(tmp_path)[0].parent
    old, young, copied = folder / ".a.npy.0123.tmp", folder / ".b.npy.4567.tmp", folder / "matrices" / ".c.npy.89.tmp"
    for path in (old, young, copied):
        path.write_bytes(b"half a fi")
    two_days_ago = time.time() - 2 * 86400
    for path in (old, copied):
        os.utime(path, (two_days_ago, two_days_ago))
    embed(tmp_path)
    assert not old.exists()
    assert not copied.exists()
    assert young.exists()


STOPPED_WHILE_WRITING = """
folder, seen = map(Path, sys.argv[1:])
from synaug.files import atomic
def pause(descriptor):
    seen.touch()
    sys.stdin.readline()
atomic.os.fsync = pause
EmbeddingCache(HashEncoder(), folder).embed(TEXTS[:4])
"""


def test_a_clock_that_jumps_takes_no_file_from_a_live_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = run(STOPPED_WHILE_WRITING, tmp_path / "cache", tmp_path / "seen")
    try:
        wait_for(tmp_path / "seen")
        (being_written,) = tmp_path.rglob(".*.tmp")
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 400 * 86400)
        embed(tmp_path / "cache", TEXTS[4:])
        assert being_written.exists()
        _, errors = writer.communicate("\n" * 99)
        assert writer.returncode == 0, errors
    finally:
        writer.kill()
        writer.communicate()
    assert embed(tmp_path / "cache").calls == []


def test_without_file_locks_the_work_goes_on_after_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "_said", set())
    for number, refusal in enumerate((errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)):
        caplog.clear()

        def refuse(*_: object, refusal: int = refusal) -> None:
            raise OSError(refusal, os.strerror(refusal))

        monkeypatch.setattr("fcntl.flock", refuse)
        folder = tmp_path / f"{number}"
        assert sorted(embed(folder).encoded) == sorted(TEXTS)
        assert embed(folder).calls == []
        (warning,) = warnings_in(caplog)
        assert "has no file locks" in warning
        assert os.strerror(refusal) in warning
        assert not list(folder.rglob(".*.tmp"))


def test_another_error_of_a_lock_is_no_lack_of_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("filelock.FileLock.acquire", fail)
    with pytest.raises(OSError, match="Input/output error"):
        EmbeddingCache(HashEncoder(), tmp_path).embed(TEXTS)


WITHOUT_LOCKS = """
import fcntl
def refuse(*_):
    raise OSError(37, "No locks available")
fcntl.flock = refuse
"""


def test_two_processes_without_file_locks_both_get_all_and_leave_nothing_half(tmp_path: Path) -> None:
    results = [tmp_path / "0.npy", tmp_path / "1.npy"]
    script = WITHOUT_LOCKS + EMBEDDED_BESIDE_ANOTHER
    processes = [run(script, tmp_path / "cache", tmp_path / "log", result) for result in results]
    for process, result in zip(processes, results, strict=True):
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        np.testing.assert_array_equal(np.load(result), HashEncoder().all(TEXTS))
    assert not list((tmp_path / "cache").rglob(".*.tmp"))
    assert embed(tmp_path / "cache").calls == []


EMBEDDED_BESIDE_ANOTHER = """
folder, log, result = map(Path, sys.argv[1:])
np.save(result, EmbeddingCache(HashEncoder(log=log, seconds=0.02), folder).embed(TEXTS))
"""


@pytest.mark.parametrize("count", [2, 3])
def test_processes_encode_each_text_once_and_all_get_all(tmp_path: Path, count: int) -> None:
    logs = [tmp_path / f"log{number}" for number in range(count)]
    results = [tmp_path / f"{number}.npy" for number in range(count)]
    processes = [
        run(EMBEDDED_BESIDE_ANOTHER, tmp_path / "cache", log, result) for log, result in zip(logs, results, strict=True)
    ]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    shares = [log.read_text().splitlines() if log.exists() else [] for log in logs]
    assert sorted(json.loads(line) for share in shares for line in share) == sorted(TEXTS)
    for result in results:
        np.testing.assert_array_equal(np.load(result), HashEncoder().all(TEXTS))


def test_who_waits_for_a_process_that_is_killed_takes_over(tmp_path: Path) -> None:
    stuck = run(
        "EmbeddingCache(HashEncoder(log=Path(sys.argv[2]), seconds=600), Path(sys.argv[1])).embed(TEXTS)",
        tmp_path / "cache",
        tmp_path / "log",
    )
    wait_for(tmp_path / "log")

    class Killer(HashEncoder):
        """Kills the other process once it has encoded the chunks that nobody was at."""

        def encode(self, texts: Sequence[str], progress: Any = lambda done: None) -> NDArray[np.float32]:
            if len(self.calls) == 3:
                os.kill(stuck.pid, signal.SIGKILL)
            return super().encode(texts, progress)

    encoder = Killer()
    try:
        embed(tmp_path / "cache", encoder=encoder)
        assert stuck.wait() == -signal.SIGKILL
    finally:
        stuck.kill()
        stuck.communicate()
    assert len(encoder.calls) == 5
    lengths = [len(call[0]) for call in encoder.calls]
    assert lengths[-1] == max(lengths)  # the other's chunk, the first by length, came last


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


class Wide(HashEncoder):
    """10 KiB a text, so that a few chunks of four fill the small disk."""

    def one(self, text: str) -> NDArray[np.float32]:
        return np.tile(super().one(text), 320)


def test_a_full_disk_is_named_and_holds_nothing_half_and_the_rest_goes_on_once_there_is_room(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as caught:
        EmbeddingCache(Wide(), small_disk).embed(TEXTS)
    assert caught.value.errno == errno.ENOSPC
    assert Path(caught.value.filename).parent == chunk_files(small_disk)[0].parent
    whole = chunk_files(small_disk)
    assert [manifest_of(chunk).is_file() for chunk in whole] == [True]
    assert not list(small_disk.rglob(".*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    assert len(embed(small_disk, encoder=Wide()).encoded) == len(TEXTS) - ROWS


def test_a_disk_without_room_for_the_copy_still_gives_the_embeddings(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = TEXTS[:4]  # 40 KiB, and 40 more would not fit
    assert len(embed(small_disk, texts, Wide()).encoded) == 4
    assert matrices(small_disk) == []
    assert embed(small_disk, texts, Wide()).calls == []
    assert warnings_in(caplog) == []


# ---- the matrix of all


def matrices(folder: Path) -> list[Path]:
    return sorted(folder.glob("embeddings/*/matrices/*.npy"))


def chunks_read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is opened to be hashed from now on."""
    opened: list[Path] = []
    original = Path.open

    def noting(path: Path, *arguments: Any, **keywords: Any) -> Any:
        opened.append(path)
        return original(path, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", noting)
    return opened


def test_a_list_of_texts_is_one_read_only_file_that_every_process_maps(tmp_path: Path) -> None:
    EmbeddingCache(HashEncoder(), tmp_path).embed(TEXTS)
    found = EmbeddingCache(HashEncoder(), tmp_path).embed(TEXTS)
    (path,) = matrices(tmp_path)
    np.testing.assert_array_equal(found, np.load(path))
    assert isinstance(found.base, np.memmap)
    assert Path(str(found.base.filename)) == path
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1


def test_each_order_of_texts_has_a_file_of_its_own(tmp_path: Path) -> None:
    embed(tmp_path)
    embed(tmp_path, TEXTS[::-1])
    embed(tmp_path, [*TEXTS, TEXTS[0]])
    assert len(matrices(tmp_path)) == 3


def test_once_its_files_are_settled_a_warm_call_reads_no_chunk_and_hashes_the_matrix_once_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed(tmp_path)
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 10 * 10**9)
    embed(tmp_path)  # notes the chunks' times
    digest._stamped_sha256.cache_clear()  # as another process
    opened = chunks_read(monkeypatch)
    assert embed(tmp_path).calls == []
    assert [path for path in opened if path.suffix == ".npy"] == matrices(tmp_path)
    assert embed(tmp_path).calls == []
    assert [path for path in opened if path.suffix == ".npy"] == matrices(tmp_path)


@pytest.mark.parametrize("damage", [truncate, empty, alter_a_number, store_a_pickle, Path.unlink])
@pytest.mark.parametrize("part", [".npy", ".matrix.json"])
def test_a_damaged_matrix_is_made_again_from_the_chunks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None], part: str
) -> None:
    embed(tmp_path)
    (path,) = matrices(tmp_path)
    sound = path.read_bytes()
    damage(path.with_suffix(part))
    assert embed(tmp_path).calls == []
    gone = damage is Path.unlink
    assert [f"{path} are damaged and will be made again" in warning for warning in warnings_in(caplog)] == (
        [] if gone else [True]
    )
    assert path.read_bytes() == sound
    caplog.clear()
    assert embed(tmp_path).calls == []
    assert warnings_in(caplog) == []


def test_a_matrix_that_is_mapped_elsewhere_keeps_its_file_when_only_its_manifest_was_damaged(tmp_path: Path) -> None:
    embed(tmp_path)
    (path,) = matrices(tmp_path)
    before = path.stat().st_ino
    truncate(path.with_suffix(".matrix.json"))
    embed(tmp_path)
    assert path.stat().st_ino == before


def test_chunks_that_were_copied_to_another_place_serve_the_matrix_as_they_are(tmp_path: Path) -> None:
    embed(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    embed_anew = EmbeddingCache(HashEncoder(), tmp_path / "b").embed(TEXTS)
    assert isinstance(embed_anew.base, np.memmap)
    assert embed(tmp_path / "b").calls == []


def test_what_a_call_encoded_is_counted_and_nothing_when_it_is_cached(tmp_path: Path) -> None:
    class Counting(HashEncoder):
        tokens_done = 1000  # of earlier calls
        flops_done = 10**6

        def encode(self, texts: Sequence[str], progress: Any = lambda done: None) -> NDArray[np.float32]:
            self.tokens_done += 5 * len(texts)
            self.flops_done += 50 * len(texts)
            return super().encode(texts, progress)

    cache = EmbeddingCache(Counting(), tmp_path)
    cache.embed(TEXTS[:6])
    assert (cache.encoded.texts, cache.encoded.tokens, cache.encoded.flops) == (6, 30, 300)
    cache.embed(TEXTS)
    assert (cache.encoded.texts, cache.encoded.tokens, cache.encoded.flops) == (12, 60, 600)
    assert cache.encoded.seconds > 0
    cache.embed(TEXTS)
    assert cache.encoded == embeddings.Encoded(0, 0, 0, 0)


def test_an_encoder_that_counts_nothing_has_unknown_work(tmp_path: Path) -> None:
    cache = EmbeddingCache(HashEncoder(), tmp_path)
    cache.embed(TEXTS)
    assert (cache.encoded.texts, cache.encoded.tokens, cache.encoded.flops) == (len(TEXTS), None, None)


@pytest.fixture
def unprivileged() -> Iterator[Callable[[], Path]]:
    """A folder, and after the call to it a process that permission bits bind (they do not bind root)."""
    folder = Path(tempfile.mkdtemp(prefix="synaug-tests-cache-"))
    folder.chmod(0o755)
    root = os.geteuid() == 0

    def drop() -> Path:
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        if root:
            os.seteuid(65534)
        return folder

    drop.folder = folder  # type: ignore[attr-defined]
    try:
        yield drop
    finally:
        if root:
            os.seteuid(0)
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(folder)


def test_a_complete_cache_in_a_read_only_folder_is_read(unprivileged: Any) -> None:
    embed(unprivileged.folder)
    folder = unprivileged()
    with pytest.raises(PermissionError):
        (folder / "embeddings" / "new").mkdir()
    assert embed(folder).calls == []
    assert embed(folder, TEXTS[2:9]).calls == []  # which no matrix holds
    assert not EmbeddingCache(HashEncoder(), folder).embed(TEXTS[2:9]).flags.writeable


@pytest.mark.parametrize("cached", [0, 5])
def test_a_read_only_folder_that_lacks_texts_is_named(unprivileged: Any, cached: int) -> None:
    if cached:
        embed(unprivileged.folder, TEXTS[:cached])
    folder = unprivileged()
    encoder = HashEncoder()
    with pytest.raises(PermissionError) as caught:
        EmbeddingCache(encoder, folder).embed(TEXTS)
    assert str(folder) in str(caught.value.filename)
    assert encoder.calls == []  # said before any work is done


def test_where_no_lock_can_be_made_its_path_is_named(tmp_path: Path) -> None:
    encoder = HashEncoder()
    cache = EmbeddingCache(encoder, tmp_path)
    cache.folder.mkdir(parents=True)
    (cache.folder / "locks").write_text("a file in the way")
    with pytest.raises(FileExistsError) as caught:
        cache.embed(TEXTS)
    assert caught.value.filename == str(cache.folder / "locks")
    assert encoder.calls == []


def test_a_full_disk_leaves_no_half_chunk_and_the_rest_goes_on_from_there(tmp_path: Path) -> None:
    class Fat(HashEncoder):
        """So that an array is larger than its manifest."""

        def one(self, text: str) -> NDArray[np.float32]:
            return np.tile(super().one(text), 200)

    embed(tmp_path, sorted(TEXTS, key=len, reverse=True)[:4], Fat())
    whole = sorted(tmp_path.rglob("*.*"))
    with files_of_at_most(10_000), pytest.raises(OSError, match="File too large") as caught:
        EmbeddingCache(Fat(), tmp_path).embed(TEXTS)
    assert caught.value.filename.endswith(".npy")
    assert [path for path in sorted(tmp_path.rglob("*.*")) if path.suffix != ".lock"] == [
        path for path in whole if path.suffix != ".lock"
    ]
    assert len(embed(tmp_path, encoder=Fat()).encoded) == len(TEXTS) - 4


def test_the_bar_counts_each_character_to_be_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[dict[str, Any]] = []

    class Bar:
        def __init__(self, **settings: Any) -> None:
            bars.append({**settings, "done": 0})

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, done: int) -> None:
            bars[-1]["done"] += done

    monkeypatch.setattr(embeddings, "tqdm", Bar)
    embed(tmp_path, TEXTS[:5])
    embed(tmp_path, TEXTS)
    embed(tmp_path, TEXTS)
    EmbeddingCache(HashEncoder(), tmp_path).embed(TEXTS[::-1])  # all there, in another order
    assert [bar["total"] for bar in bars] == [sum(map(len, TEXTS[:5])), sum(map(len, TEXTS[5:])), 0]
    assert [bar["done"] for bar in bars] == [bar["total"] for bar in bars]
    assert [bar["disable"] for bar in bars] == [None, None, True]
