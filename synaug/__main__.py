"""``python -m synaug`` and the command ``synaug``."""

from synaug.app import main

if __name__ == "__main__":
    main()
