"""Groups of texts that must not be parted: by a column, and by texts that contain other texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.errors import UserError
from synaug.settings import names

Numbers = NDArray[np.int64]

# Words by which a text that may stand at a place is looked up.
BEGINNING = 4


def group_names(values: Sequence[Any], column: str, where: str) -> list[str | None]:
    """The values of a group column as text; None where a row has none.

    1, 1.0 and ``1`` are one group, whatever the format of the file made of what was written.

    Raises
    ------
    UserError
        If a value is a list or an object.
    """
    groups: list[str | None] = []
    for row, value in enumerate(values, start=1):
        if isinstance(value, list | tuple | dict):
            raise UserError(
                f"row {row} of {where} has {names.described(value)} in column {column!r}, but a group must be a "
                "single text or number: group by another column"
            )
        whole = isinstance(value, float) and value.is_integer()
        name = "" if value is None or value != value else str(int(value) if whole else value).strip()
        groups.append(name or None)
    return groups


def connected(n_texts: int, links: Sequence[tuple[Numbers, Numbers]]) -> Numbers:
    """Number the groups of texts that hang together, in the order of their first texts.

    Parameters
    ----------
    n_texts
        How many texts there are.
    links
        Pairs of arrays of one length, texts and groups: each text stands in the group beside it, and may stand in
        several, which are then one. Groups of one pair are no groups of another.

    Returns
    -------
    numpy.ndarray
        int64 `[n_texts]`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    texts, groups, n_nodes = [np.empty(0, np.int64)], [np.empty(0, np.int64)], n_texts
    for of_text, of_group in links:
        texts.append(of_text)
        groups.append(n_nodes + of_group)
        n_nodes += int(of_group.max(initial=-1)) + 1
    edges = (np.concatenate(texts), np.concatenate(groups))
    graph = coo_array((np.ones(len(edges[0]), bool), edges), shape=(n_nodes, n_nodes))
    _, component = connected_components(graph, directed=False)
    return numbered(component[:n_texts])


def numbered(groups: Numbers) -> Numbers:
    """The same groups under the numbers 0, 1, … in the order in which they come."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    numbers: Numbers = rank[inverse]
    return numbers


def containing(texts: Sequence[str]) -> Numbers:
    """For each text, the longest that it is a part of by steps, each to the shortest text that contains the last.

    Texts are compared word by word, words being what stands between white space. Each text is led to one other only:
    a short phrase that stands in many sentences joins none of them.

    Returns
    -------
    numpy.ndarray
        int64 `[n_texts]`, numbers of texts: alike for texts of one group.
    """
    words = [text.split() for text in texts]
    place: dict[str, int] = {}
    leads_to = list(range(len(texts)))
    for text, its_words in enumerate(words):
        leads_to[text] = place.setdefault(" ".join(its_words), text)
    # Lengths of the texts that begin with some words: few lengths are left to try at a place of a long text.
    lengths: dict[str, set[int]] = {}
    for text in place.values():
        lengths.setdefault(" ".join(words[text][:BEGINNING]), set()).add(len(words[text]))
    beginnings = sorted({min(len(words[text]), BEGINNING) for text in place.values()})
    # From the shortest on: the first that contains a text is the shortest that does.
    for text in sorted(place.values(), key=lambda text: len(words[text])):
        line, n_words = " ".join(words[text]), len(words[text])
        starts = np.cumsum([0, *(len(word) + 1 for word in words[text])]).tolist()
        for first in range(n_words):
            for beginning in beginnings:
                if first + beginning > n_words:
                    break
                for length in lengths.get(line[starts[first] : starts[first + beginning] - 1], ()):
                    if length < n_words and first + length <= n_words:
                        part = place.get(line[starts[first] : starts[first + length] - 1])
                        if part is not None and leads_to[part] == part:
                            leads_to[part] = text
    led = np.array(leads_to, dtype=np.int64)
    while (led != (further := led[led])).any():
        led = further
    return led
