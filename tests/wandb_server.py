"""A W&B-compatible server on loopback: openwandb, out of an environment of its own.

Its licence is non-commercial, so it is a tool of these tests and never a dependency.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

# One that openwandb has no hash of: it takes whoever comes, and does not take a quarter of a second for each request.
KEY = 40 * "0"
VENV = Path(os.environ.get("OPENWANDB_VENV", Path(__file__).parents[1] / ".venv-openwandb"))


class Server:
    """Runs from ``with`` to its end, or to `kill`; `start` brings it back with the same data.

    Parameters
    ----------
    folder
        Gets the server's data and log.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start and wait until it answers."""
        program = VENV / "bin" / "openwandb"
        if not program.exists():
            raise FileNotFoundError(f"{program} is missing: `make openwandb` installs it")
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--data-dir", str(self.folder)]
        with (self.folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                [program, "serve", *options],
                stdout=log,
                stderr=log,
                env={"HOME": str(self.folder), "PATH": os.environ["PATH"]},
            )
        deadline = time.monotonic() + 600
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"openwandb did not start; see {self.folder / 'server.log'}")
            time.sleep(0.05)

    def kill(self) -> None:
        """Die without a word, as a server does."""
        self._process.kill()
        self._process.wait()

    def get(self, path: str) -> Any:
        """JSON that the server answers to a GET."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {KEY}"})
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)

    def _answers(self) -> bool:
        try:
            self.get("/api/v2/projects")
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
