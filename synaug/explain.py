"""``python -m synaug.explain RUN --row 17``: what synthetic rows were made of; see `synaug.command.explain_rows`."""

import sys

from synaug.command.explain_rows import main

if __name__ == "__main__":
    sys.exit(main())
