"""``python -m docs``: build the site, and fail for a broken link, a missing anchor or anything from another server."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from docs.build import ROOT, build
from docs.checks import problems


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    command_line = argparse.ArgumentParser(prog="python -m docs", description="Build the documentation site.")
    command_line.add_argument("--site", type=Path, default=ROOT / "site", help="where to write; site if not given")
    site = command_line.parse_args(arguments).site
    build(site)
    found = problems(site)
    sys.stdout.write("".join(f"{problem}\n" for problem in found) or f"{site / 'index.html'}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
