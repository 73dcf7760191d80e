"""``synaug dashboard ENTITY/PROJECT``: its command line. What builds it: `synaug.tracking.dashboard`."""

import argparse
from collections.abc import Sequence

TITLE = "Does augmentation help"


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    command_line = argparse.ArgumentParser(
        prog="synaug dashboard",
        description="Build a W&B workspace and a W&B report over a project's runs and the reports of its sweeps.",
    )
    command_line.add_argument("place", metavar="ENTITY/PROJECT", help="whose runs they show, and where they go")
    command_line.add_argument("--title", default=TITLE, help="of both (default: %(default)s)")
    command_line.add_argument(
        "--print", action="store_true", help="write what would be sent as JSON, without an account"
    )
    return command_line


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code; exit with 1 and one sentence where nothing could be sent."""
    asked = parser().parse_args(words)
    from synaug.tracking import dashboard

    dashboard.send(asked)
    return 0
