"""The vectors that rows of a data set have of their own, and what the rows are called if they have no text."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.errors import UserError
from synaug.files.digest import array_sha256

log = logging.getLogger(__name__)

# One text has one vector, but interfaces that are asked twice differ in the last digits, and some in the third.
LEAST_COSINE = 0.99
DIGITS = 16  # of a vector's digest, in the name of a row that has neither a text nor an id


@dataclass(frozen=True)
class RowVectors:
    """A vector for each row that a source reads, in the order of the rows.

    Attributes
    ----------
    rows
        float32 `[n, d]`; what stands in rows that lack a vector means nothing.
    lacking
        bool `[n]`: rows without a vector.
    where
        What the vectors were read from, for sentences.
    ids
        `n` names of the rows; None where nobody named them.
    """

    rows: NDArray[np.float32]
    lacking: NDArray[np.bool_]
    where: str
    ids: Sequence[str | None] | None = None

    @cached_property
    def digests(self) -> list[str]:
        """SHA-256 of each row's vector; 0 and -0 are one number."""
        return [array_sha256(row) for row in self.rows + np.float32(0)]

    def names(self) -> list[str]:
        """What rows without a text are called: by their id, or by their vector's digest."""
        named = [f"vector {digest[:DIGITS]}" for digest in self.digests]
        if self.ids is None:
            return named
        return [name if given is None else given for name, given in zip(named, self.ids, strict=True)]


def refuse_texts_of_several_vectors(
    vectors: RowVectors, row_of: NDArray[np.int64], first_of: NDArray[np.int64], where: str
) -> dict[str, Any]:
    """Compare the vectors of rows that share a text, of which the first row's is kept.

    Parameters
    ----------
    row_of
        int64 `[r]`: numbers of rows.
    first_of
        int64 `[r]`: for each of them the number of the first row that has its text.
    where
        What the rows were read from.

    Returns
    -------
    dict
        How many texts have several vectors, and their least cosine, for the data report; nothing where there are none.

    Raises
    ------
    UserError
        If two vectors of one text are no repetitions of one another.
    """
    repeats = row_of != first_of
    row_of, first_of = row_of[repeats], first_of[repeats]
    differs = (vectors.rows[row_of] != vectors.rows[first_of]).any(axis=1)
    row_of, first_of = row_of[differs], first_of[differs]
    if not len(row_of):
        return {}
    one, other = (vectors.rows[rows].astype(np.float64) for rows in (row_of, first_of))
    cosines = (one * other).sum(axis=1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1))
    worst = int(cosines.argmin())
    if cosines[worst] < LEAST_COSINE:
        raise UserError(
            f"rows {first_of[worst] + 1} and {row_of[worst] + 1} of {where} have one text but vectors of cosine "
            f"{cosines[worst]:.3f}, where one text should have one vector (cosine {LEAST_COSINE} or more): see that "
            "vectors and rows are in the same order (encoder.id matches them by name) or, if the vectors tell more "
            "than the text, set dataset.text=null and group by the text column, dataset.group=..."
        )
    n_texts, least = len(np.unique(first_of)), float(cosines[worst])
    log.info(
        "%s: %d texts have several vectors, which differ little (cosine %.4f or more); each text's first is taken",
        where,
        n_texts,
        least,
    )
    return {"texts_with_several_vectors": n_texts, "least_cosine_of_one_text": least}
