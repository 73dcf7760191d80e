"""W&B runs read back from where they were logged, and a session that knows nothing of the user's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import wandb
from wandb.util import get_core_path

from synaug.tracking import wandb_run
from tests.wandb_server import free_port


@contextmanager
def clean_session(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """W&B with a home below `folder`, and no server unless a test has one."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        patch.delenv(name)
    for name in ("WANDB_ERROR_REPORTING", "WANDB_SILENT", wandb_run.OUT_OF_REACH):
        patch.setenv(name, "")  # and gone again after a test that sets it
        patch.delenv(name)
    patch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{free_port()}")
    for name in ("HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        patch.setenv(name, str(folder / "home"))
    patch.setenv("NETRC", str(folder / "home" / ".netrc"))
    end_session()
    yield
    end_session()


def end_session() -> None:
    """End W&B's service; one that hangs, as it may after a server that was out of reach, is killed.

    W&B waits for it without limit, and for requests that it has not answered.
    """
    known = wandb.sdk.wandb_setup._singleton
    connection = known._connection if known is not None else None
    ended = Thread(target=wandb.teardown, daemon=True)
    ended.start()
    ended.join(30)
    if ended.is_alive() and connection is not None and connection._proc is not None:
        connection._proc._process.kill()
        ended.join(30)


def run_folder(save_dir: Path, kind: str) -> Path:
    """The one W&B folder of this kind: `run` for online, `offline-run`."""
    (folder,) = (save_dir / "wandb").glob(f"{kind}-*")
    return folder


def wandb_command(*arguments: str, cwd: Path) -> str:
    """What `wandb ...` prints; it leaves a log where it runs."""
    command = [sys.executable, "-m", "wandb", *arguments]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def inspect(folder: Path) -> dict[str, Any]:
    """A run as its transaction log has it: run, config, summary, history, artifacts (but for tables), exit."""
    # As `wandb leet inspect --json .` does after the seconds that it takes to start.
    (written,) = folder.glob("run-*.wandb")
    asked = ["--no-observability", "--json", "--run-file", str(written), str(folder.parent)]
    command = [get_core_path(), "leet", "inspect", *asked]
    printed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = {"run": {}, "config": {}, "summary": {}, "history": defaultdict(list), "artifacts": []}
    for line in printed.splitlines():
        entry = json.loads(line)
        content = entry.get(entry["type"], {})
        if entry["type"] == "run":
            found["run"] = content
            found["config"].update(content.get("config", {}).get("update", {}))
        elif entry["type"] in {"config", "summary"}:
            found[entry["type"]].update(content.get("update", {}))
        elif entry["type"] == "exit":
            found["exit"] = content["exit_code"]
        elif entry["type"] == "artifact" and content["type"] != "run_table":
            found["artifacts"].append(content)
        elif entry["type"] == "history":
            for key, value in content["item"].items():
                found["history"][key].append(value)
    return found


def media(folder: Path, kind: str, ending: str) -> dict[str, Path]:
    """Files of one kind of media, by the key that each was logged under."""
    root = folder / "files" / "media" / kind
    return {str(path.relative_to(root)).rsplit("_", 2)[0]: path for path in root.rglob(f"*{ending}")}


def tables(folder: Path) -> dict[str, Any]:
    """Rows of each logged table, by its key."""
    return {key: json.loads(path.read_text())["data"] for key, path in media(folder, "table", ".table.json").items()}
