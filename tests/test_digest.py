import os
import time
from pathlib import Path

import pytest

from synaug.files.digest import file_sha256, text_sha256


def test_a_file_that_changes_within_one_tick_of_the_clock_has_a_new_digest(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    for content in ("before", "beyond"):  # of one length
        path.write_text(content)
        os.utime(path, ns=(0, 0))
        assert file_sha256(path) == text_sha256(content)


def test_a_file_that_has_settled_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_text("numbers")
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 10 * 10**9)
    digest = file_sha256(path)
    monkeypatch.setattr(Path, "open", None)
    assert file_sha256(path) == digest == text_sha256("numbers")
