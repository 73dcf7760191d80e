"""``python -m synaug.maps multirun/mine``: maps of real and synthetic rows; see `synaug.command.draw_maps`."""

import sys

from synaug.command.draw_maps import main

if __name__ == "__main__":
    sys.exit(main())
