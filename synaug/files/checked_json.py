"""JSON files that hold their own digest, by which what was cut off or altered is told from what we wrote."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synaug.files.atomic import open_regular, replacing
from synaug.files.digest import json_sha256

SHA256 = "sha256"  # the key of the digest


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object that JSON can hold, and its digest.

    Raises
    ------
    OSError
        If it cannot be written; it names `path`.
    """
    told = dict(content)
    with replacing(path) as file:
        file.write(json.dumps({**told, SHA256: json_sha256(told)}).encode())


def read(path: Path) -> dict[str, Any]:
    """What `write` wrote.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not what was written.
    """
    with open_regular(path) as file:
        raw = file.read()
    try:
        content = json.loads(raw)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(content, dict) or content.pop(SHA256, None) != json_sha256(content):
        raise ValueError("it was altered")
    return content
