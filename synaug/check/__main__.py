"""``python -m synaug.check``: compare synaug with outside values; see `synaug.command.external_checks`."""

import sys

from synaug.command.external_checks import main

if __name__ == "__main__":
    sys.exit(main())
