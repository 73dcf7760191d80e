"""``synaug run``, or ``synaug`` without a command's name: Hydra's command line."""

import sys
from collections.abc import Sequence

from synaug.command import arguments
from synaug.files.escaping import make_console_safe


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code; exit with 1 where a job failed."""
    given = list(sys.argv[1:] if words is None else words)
    asked = arguments.parsed(given)
    if asked.help:  # Hydra's own would compose the config, list groups without their lines, and take a second
        from synaug.command.help import help_text

        make_console_safe()
        sys.stdout.write(f"{help_text(asked.config_dir)}\n")
        return 0
    from synaug.command.app import main as entrance

    return entrance(given)
