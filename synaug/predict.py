"""``synaug predict model/ new.csv --text body``: classes of new texts; see `synaug.command.predict_texts`."""

import sys

from synaug.command.predict_texts import main

if __name__ == "__main__":
    sys.exit(main())
