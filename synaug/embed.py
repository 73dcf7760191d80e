"""``python -m synaug.embed``: fill the cache of embeddings and stop; see `synaug.command.embed`."""

import sys

from synaug.command.embed import main

if __name__ == "__main__":
    sys.exit(main())
