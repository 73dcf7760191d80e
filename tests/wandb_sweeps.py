"""What a server of sweeps answers, in front of one that knows none: openwandb refuses W&B's mutation UpsertSweep."""

from __future__ import annotations

import itertools
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import yaml

HOP_BY_HOP = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
SWEEP, AGENT = "s1", "a1"


@dataclass
class Sweeps:
    """One sweep, whose grid is handed out run by run, then the agent is sent home.

    Attributes
    ----------
    behind
        Address of the server that gets all else.
    config
        As `wandb sweep` sent it.
    started
        Arguments of the runs that were handed out.
    """

    behind: str
    url: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    started: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        """Data of a GraphQL request about sweeps; None for all others."""
        if "upsertSweep" in query:
            self.asked.append("upsertSweep")
            self.config = yaml.safe_load(variables["config"])
            project = {"id": "p", "name": "synaug", "entity": {"id": "e", "name": "default"}}
            return {"upsertSweep": {"sweep": {"name": SWEEP, "project": project}, "configValidationWarnings": []}}
        if "SweepWithRuns" in query:
            self.asked.append("SweepWithRuns")
            found = {"id": SWEEP, "name": SWEEP, "config": yaml.dump(self.config), "runs": {"edges": []}}
            return {"project": {"sweep": found}}
        if "createAgent" in query:
            self.asked.append("createAgent")
            return {"createAgent": {"agent": {"id": AGENT}}}
        if "agentHeartbeat" in query:
            commands = json.dumps(self.next(json.loads(variables["runState"])))
            return {"agentHeartbeat": {"agent": {"id": AGENT}, "commands": commands}}
        return None

    def next(self, running: dict[str, bool]) -> list[dict[str, Any]]:
        """What the agent is to do now."""
        if running:
            return []
        runs = grid(self.config)
        if len(self.started) == len(runs):
            return [{"type": "exit"}]
        self.started.append(runs[len(self.started)])
        arguments = {name: {"value": value} for name, value in self.started[-1].items()}
        return [{"type": "run", "run_id": f"run{len(self.started)}", "program": "", "args": arguments}]


def grid(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs of a sweep whose method is grid."""
    values = {
        name: parameter["values"] if "values" in parameter else [parameter["value"]]
        for name, parameter in config["parameters"].items()
    }
    return [dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())]


@contextmanager
def sweeps_before(behind: str) -> Iterator[Sweeps]:
    """Serve sweeps on loopback, before the server at this address."""
    sweeps = Sweeps(behind)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.startswith("/graphql"):
                asked = json.loads(body)
                found = sweeps.answer(asked["query"], asked.get("variables") or {})
                if found is not None:
                    self.reply(200, json.dumps({"data": found}).encode(), {"Content-Type": "application/json"})
                    return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            request = urllib.request.Request(
                behind + self.path, data=body or None, headers=headers, method=self.command
            )
            try:
                with urllib.request.urlopen(request, timeout=300) as answer:
                    self.reply(answer.status, answer.read(), dict(answer.headers))
            except urllib.error.HTTPError as error:
                self.reply(error.code, error.read(), dict(error.headers))

        do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = handle_any  # noqa: N815 (called by these names)

        def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            body = body.replace(behind.encode(), sweeps.url.encode())  # addresses of files, which lead here again
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in HOP_BY_HOP | {"date", "server"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """W&B's service leaves connections as they are when it ends."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        sweeps.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield sweeps
        server.shutdown()
