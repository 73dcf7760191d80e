"""``python -m synaug`` and the command ``synaug``."""

import sys


def main() -> None:
    """Run the command line of `synaug.command.app`, which takes half a second to import."""
    try:
        from synaug.command.app import main as entrance

        entrance()
    except KeyboardInterrupt:  # before `synaug.command.app` could see it, or after
        from synaug.errors import INTERRUPTED

        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
