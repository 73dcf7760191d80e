"""JSON files with their own digest: read as they were written, or refused."""

from pathlib import Path

import pytest

from synaug.files import checked_json


def test_what_was_written_is_read_again_and_what_was_altered_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chosen.json"
    content = {"step": 23, "losses": [0.5, float("inf")], "name": "größer"}
    checked_json.write(path, content)
    assert checked_json.read(path) == content
    assert list(tmp_path.iterdir()) == [path]
    path.write_text(path.read_text().replace("23", "33"))
    with pytest.raises(ValueError, match="it was altered"):
        checked_json.read(path)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'{"sha256": null}', b"\xff", b"[" * 100_000])
def test_what_is_not_ours_is_refused(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "chosen.json"
    path.write_bytes(raw)
    with pytest.raises(ValueError):  # noqa: PT011  # json's own words
        checked_json.read(path)


def test_what_is_no_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(OSError):  # noqa: PT011
            checked_json.read(path)
