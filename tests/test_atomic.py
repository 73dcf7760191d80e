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

from synaug.files.atomic import files_below, finished, replacing, replacing_folder

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


REPLACED = f"""
import os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from synaug.files.atomic import replacing_folder
left = int(sys.argv[2])
def counted(function):
    def before(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return before
for name in ("replace", "unlink", "rmdir", "mkdir", "fsync"):
    setattr(os, name, counted(getattr(os, name)))
with replacing_folder(Path(sys.argv[1])) as place:
    for name in "ab":
        (place / name).write_text("new")
"""


def folder_of(path: Path, content: str) -> Path:
    path.mkdir()
    for name in "ab":
        (path / name).write_text(content)
    return path


def replace_folder(path: Path, content: str) -> None:
    with replacing_folder(path) as place:
        for name in "ab":
            (place / name).write_text(content)


def content_of(path: Path) -> str:
    """The one word that both files hold: no half folder, and no mixture."""
    assert sorted(each.name for each in path.iterdir()) == ["a", "b"]
    (word,) = {(path / name).read_text() for name in "ab"}
    return word


def test_a_folder_is_old_or_new_wherever_its_writer_is_killed(tmp_path: Path) -> None:
    ended, found, gaps = [], [], 0
    for step in range(20):
        path = folder_of(tmp_path / f"{step}", "old")
        command = [sys.executable, "-c", REPLACED, str(path), str(step)]
        ended.append(subprocess.run(command, check=False).returncode)
        gaps += not path.exists()
        assert finished(path) == path
        found.append(content_of(path))
        replace_folder(path, "newer")
        assert content_of(path) == "newer"
        # What was moved aside is gone; of a writer that was killed while it wrote, its unfinished folder stays.
        assert not [left for left in tmp_path.iterdir() if left.name.endswith(".old.tmp")]
        if ended[-1] == 0:
            break
    assert ended == [-signal.SIGKILL] * (len(ended) - 1) + [0]
    assert found == sorted(found, reverse=True)  # old up to a step, and new from there on
    assert set(found) == {"old", "new"}
    assert gaps == 1  # between the two moves
    assert [left.name for left in tmp_path.iterdir() if left.name[0] == "."] != []


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("move", [0, 1])
def test_a_folder_that_cannot_be_moved_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], move: int
) -> None:
    path, moves, replace = folder_of(tmp_path / "model", "old"), [0], os.replace

    def failing(source: Path, target: Path) -> None:
        moves[0] += 1
        if moves[0] == move + 1:
            raise error
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(error), replacing_folder(path) as place:
        (place / "a").write_text("new")
    assert content_of(path) == "old"
    assert list(tmp_path.iterdir()) == [path]


def between_moves(path: Path) -> tuple[Path, Path]:
    """The two folders that a writer leaves who is killed between its moves."""
    return (
        folder_of(path.with_name(f".{path.name}.0123abcd.old.tmp"), "old"),
        folder_of(path.with_name(f".{path.name}.0123abcd.tmp"), "new"),
    )


def test_a_reader_that_may_move_nothing_is_given_the_new_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, new = between_moves(tmp_path / "model")
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError()))
        assert finished(tmp_path / "model") == new
    assert content_of(new) == "new"
    assert finished(tmp_path / "model") == tmp_path / "model"
    assert content_of(tmp_path / "model") == "new"


def test_what_nobody_moved_aside_is_not_taken_for_a_folder(tmp_path: Path) -> None:
    old, new = between_moves(tmp_path / "model")
    shutil.rmtree(new)
    assert not finished(tmp_path / "model").exists()  # its owner has removed it since
    assert content_of(old) == "old"
    folder_of(new, "half")
    shutil.rmtree(old)
    assert not finished(tmp_path / "model").exists()
    between_moves(tmp_path / "other")
    assert not finished(tmp_path / "o").exists()
    assert not finished(tmp_path / "nowhere" / "model").exists()


def test_a_reader_may_end_what_a_writer_is_about_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, replace = folder_of(tmp_path / "model", "old"), os.replace

    def read_between(source: Path, target: Path) -> None:
        if Path(target) == path:
            monkeypatch.setattr(os, "replace", replace)
            assert content_of(finished(path)) == "new"
        replace(source, target)

    monkeypatch.setattr(os, "replace", read_between)
    replace_folder(path, "new")
    assert content_of(path) == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_of_two_writers_the_last_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, replace = folder_of(tmp_path / "model", "old"), os.replace

    def write_between(source: Path, target: Path) -> None:
        if Path(target) == path:
            monkeypatch.setattr(os, "replace", replace)
            folder_of(path, "another's")
        replace(source, target)

    monkeypatch.setattr(os, "replace", write_between)
    replace_folder(path, "new")
    assert content_of(path) == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(os.devnull)
    with pytest.raises(FileExistsError, match="a device") as caught:
        write(link, b"")
    assert caught.value.filename == str(link)
    assert link.is_symlink()
    assert [*tmp_path.iterdir()] == [link]
