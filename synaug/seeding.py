"""Seeds derived from what a stage depends on, so that every comparison is paired."""

import hashlib
import json

# What enters seeds and identity in place of the name of a user's own file, unless they give one: a file may be called
# anything, and its content is told by its digest.
OWN_FILE = "files"


def derive_seed(*parts: str | int | float) -> int:
    """Hash the things a stage depends on into a seed.

    A part that does not enter cannot change the draw: the augmenter's name never enters, so all
    augmenters of a comparison see the same folds, the same thinned rows and the same initial weights.

    Parameters
    ----------
    *parts
        The stage's name first, then what it depends on, e.g. ``("split", "ag_news", 0)``.

    Returns
    -------
    int
        32 bits, as ``numpy.random.RandomState`` takes them.
    """
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big")
