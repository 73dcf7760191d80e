"""``python -m synaug`` and the command ``synaug``."""

import os
import sys


def main() -> int:
    """Run the command line, and return its exit code; see `synaug.command.subcommands`."""
    try:
        if "_ARGCOMPLETE" in os.environ:  # a tab in a shell
            from synaug.command.completion import answer

            answer()
        from synaug.command.subcommands import perform

        return perform(sys.argv[1:])
    except (KeyboardInterrupt, Exception) as error:  # before a command could see it, or after
        from synaug.errors import INTERRUPTED
        from synaug.sweep.interrupts import behind

        if behind(error) is None:  # an import that Ctrl-C hits may end in any error
            raise
        sys.stderr.write(f"{INTERRUPTED}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
