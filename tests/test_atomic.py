"""Files are whole or absent, whatever happens to the writer."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from synaug.files.atomic import files_below, replacing

ROOT = Path(__file__).parents[1]


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """As on a disk with this much room: a larger file fails with EFBIG where a full disk says ENOSPC."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)


def test_the_file_appears_with_its_folders_once_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.json"
    with replacing(path) as file:
        file.write(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_old_content_stays_when_the_block_raises(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.json"
    write(path, b"old")

    def write_half() -> None:
        with replacing(path) as file:
            file.write(b"half of the n")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_no_temporary_one_and_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    write(path, b"old")
    with files_of_at_most(1000), pytest.raises(OSError, match="File too large") as caught:
        write(path, bytes(100_000))
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_is_named_and_no_temporary_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write(path, b"new")
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_the_block_that_is_not_about_the_file_keeps_its_own_name(tmp_path: Path) -> None:
    with pytest.raises(ConnectionRefusedError) as refused, replacing(tmp_path / "a"):
        raise ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    assert refused.value.filename is None
    with pytest.raises(FileNotFoundError) as missing, replacing(tmp_path / "a"):
        Path("/there/is/no/such/file").read_bytes()
    assert missing.value.filename == "/there/is/no/such/file"


def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_writer_killed_before_the_rename_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write(path, b"old")
    script = f"""
import os, signal
from pathlib import Path
from synaug.files.atomic import replacing
with replacing(Path({str(path)!r})) as file:
    file.write(b"new" * 10000)
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    (left,) = set(tmp_path.iterdir()) - {path}
    assert left.name.startswith(".a.json.")
    assert left.suffix == ".tmp"


def test_concurrent_writers_and_readers_only_ever_see_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    contents = [bytes([letter]) * 300_000 for letter in b"abcd"]
    write(path, contents[0])
    stop = threading.Event()
    torn: list[int] = []
    reads = 0

    def read() -> None:
        nonlocal reads
        while not stop.is_set():
            content = path.read_bytes()
            reads += 1
            if content not in contents:
                torn.append(len(content))

    def write_often(content: bytes) -> None:
        for _ in range(8):
            write(path, content)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write_often, args=(content,)) for content in contents]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert reads > 1
    assert torn == []
    assert list(tmp_path.iterdir()) == [path]


def test_folders_that_go_while_files_are_looked_for_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b/record.json", "a/deep/record.json", "going/record.json", "a/other.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    scandir = os.scandir

    def disturbed(path: str) -> object:
        if str(path).endswith("going"):
            shutil.rmtree(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", disturbed)
    assert files_below(tmp_path, "record.json") == [tmp_path / "a/deep/record.json", tmp_path / "b/record.json"]
    assert files_below(tmp_path / "nowhere", "record.json") == []
