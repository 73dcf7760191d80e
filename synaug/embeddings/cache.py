"""The cache around the encoder: each text is embedded once, by whichever process comes first.

One folder an encoder (``<cache_dir>/embeddings/<digest of its identity>``) holds chunks of up to
`CHUNK_ROWS` texts: ``<id>.npy`` (float32 ``[rows, d]``) and its manifest ``<id>.chunk.json`` (digests of
its texts, shape, checksums, also its own). The manifest is written last: a chunk without one does
not exist. A chunk's id hashes its content, so no two processes ever write different files of one name.
What is returned is one file of them all; see `synaug.embeddings.matrix`.
"""

import json
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray
from tqdm.auto import tqdm

from synaug.dataset import LabelledTexts
from synaug.embeddings.chunks import CachedChunks, write_chunk
from synaug.embeddings.matrix import Matrix
from synaug.encoder.contract import Encoder
from synaug.errors import UserError
from synaug.files.atomic import TEMPORARY_ENDING, files_below, is_abandoned, replacing
from synaug.files.digest import json_sha256, text_sha256
from synaug.files.locks import locked

log = logging.getLogger(__name__)

# Small enough that a killed run loses seconds of short texts and about a minute of long ones.
CHUNK_ROWS = 512
DAY_SECONDS = 86400


def cache_folder(cache_dir: str | None) -> Path:
    """Where embeddings are kept."""
    return Path(cache_dir).expanduser() if cache_dir else platformdirs.user_cache_path("synaug")


@dataclass
class Encoded:
    """What was encoded: nothing where all was cached.

    Attributes
    ----------
    texts
        Distinct ones.
    tokens, flops
        What the encoder counted in `tokens_done` and `flops_done`; None where it counts nothing.
    seconds
        That the encoder took.
    """

    texts: int = 0
    tokens: int | None = 0
    flops: int | None = 0
    seconds: float = 0.0

    def __add__(self, other: "Encoded") -> "Encoded":
        """Both together."""
        return Encoded(
            self.texts + other.texts,
            None if self.tokens is None or other.tokens is None else self.tokens + other.tokens,
            None if self.flops is None or other.flops is None else self.flops + other.flops,
            self.seconds + other.seconds,
        )


class EmbeddingCache:
    """Embeddings of one encoder on disk.

    Any number of processes may use one cache: a chunk is encoded by whoever holds its lock, while
    the others take the next chunk or wait for it, and appears by a rename.

    Parameters
    ----------
    encoder
        Asked for its identity at once, for embeddings only where some are missing.
    cache_dir
        The folder below which all caches lie.

    Attributes
    ----------
    encoded
        What the last call of `embed` encoded itself.
    """

    def __init__(self, encoder: Encoder, cache_dir: Path) -> None:
        self.encoder = encoder
        self.identity = encoder.identity()
        self.folder = cache_dir / "embeddings" / json_sha256(self.identity)[:16]
        self.encoded = Encoded()

    def embeddings_of(self, texts: LabelledTexts, *, progress_bar: bool = True) -> NDArray[np.float32]:
        """Embeddings of a data set: the vectors that it has of its own, of which no copy is kept, or as `embed`."""
        if texts.vectors is None:
            return self.embed(texts.texts, progress_bar=progress_bar)
        self.encoded = Encoded()
        return texts.vectors

    def embed(
        self, texts: Sequence[str], *, progress_bar: bool = True, level: int = logging.INFO
    ) -> NDArray[np.float32]:
        """Embeddings of `texts`, encoding those that the cache lacks.

        Parameters
        ----------
        progress_bar
            Whether to draw one.
        level
            At which the log says how many texts are encoded.

        Returns
        -------
        ndarray
            float32 `[n, d]`, read-only; mapped from a file that all processes share, where it can be written.

        Raises
        ------
        UserError
            If the encoder returns a number that is not finite, or not one row a text.
        OSError
            If embeddings are missing and the folder cannot be written.
        """
        if not texts:
            raise ValueError("there are no texts to embed")
        self.encoded = Encoded()
        digests = [text_sha256(text) for text in texts]
        matrix = Matrix(self.folder, digests)
        whole = matrix.load()
        if whole is not None:
            return whole
        text_of = dict(zip(digests, texts, strict=True))
        # The chunks depend on the texts wanted, not on what is there, so that processes which want
        # the same texts cut the same chunks. By length, because a batch pads to its longest text.
        ordered = sorted(text_of, key=lambda digest: (-len(text_of[digest]), digest))
        chunks = [ordered[start : start + CHUNK_ROWS] for start in range(0, len(ordered), CHUNK_ROWS)]
        cached = CachedChunks(self.folder, self.identity, text_of)
        cached.look()
        missing = [chunk for chunk in chunks if not cached.hold(chunk)]
        if missing:
            self._sweep()
            n_missing = sum(digest not in cached.row_of for digest in text_of)
            others = "none of them is" if n_missing == len(text_of) else "the others are"
            log.log(level, "embedding %d of %d texts; %s cached in %s", n_missing, len(text_of), others, self.folder)
        characters = sum(len(text) for digest, text in text_of.items() if digest not in cached.row_of)
        # disable=None: a bar on a terminal, none in a log file.
        disable = None if progress_bar and missing else True
        with tqdm(total=characters, desc="embedding", unit="char", unit_scale=True, disable=disable) as bar:
            for _ in range(2):  # new rows may show by their width that older chunks are another encoder's
                for wait in (False, True):  # first what nobody is encoding, then what others have not finished
                    for chunk in missing:
                        self._fill(chunk, text_of, cached, bar, wait=wait)
                missing = [chunk for chunk in chunks if not cached.hold(chunk)]
        if missing:
            raise UserError(
                "the encoder returned rows of different widths: every text needs the same number of features"
            )
        return matrix.keep(cached.gather(digests), cached.files(digests))

    def _fill(
        self, wanted: Sequence[str], text_of: dict[str, str], cached: CachedChunks, bar: Any, *, wait: bool
    ) -> None:
        absent = [digest for digest in wanted if digest not in cached.row_of]
        if not absent:
            return
        with locked(self.folder / "locks" / f"{json_sha256(wanted)[:32]}.lock", wait=wait) as held:
            if not held:
                return
            cached.look()
            missing = [digest for digest in absent if digest not in cached.row_of]
            bar.update(sum(len(text_of[digest]) for digest in absent) - sum(len(text_of[digest]) for digest in missing))
            if not missing:
                return
            embeddings = self._encode([text_of[digest] for digest in missing], bar)
            cached.add_encoded(self._write(missing, embeddings), missing, embeddings.shape[1])

    def _encode(self, texts: Sequence[str], bar: Any) -> NDArray[np.float32]:
        started, before = time.monotonic(), self._counted()
        embeddings = np.asarray(self.encoder.encode(texts, progress=bar.update), dtype=np.float32)
        tokens, flops = (
            None if now is None else now - (was or 0) for now, was in zip(self._counted(), before, strict=True)
        )
        self.encoded = Encoded(
            self.encoded.texts + len(texts),
            None if tokens is None else (self.encoded.tokens or 0) + tokens,
            None if flops is None else (self.encoded.flops or 0) + flops,
            self.encoded.seconds + time.monotonic() - started,
        )
        if embeddings.ndim != 2 or len(embeddings) != len(texts) or not embeddings.size:
            raise UserError(
                f"the encoder returned shape {embeddings.shape} for {len(texts)} texts, but one row of numbers each "
                "is needed: mend the encoder, or choose another with encoder=..."
            )
        bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
        if len(bad):
            raise UserError(
                f"the encoder returned NaN or infinity for {len(bad)} texts, the first {texts[bad[0]][:60]!r}: "
                "these were not cached; check the model's weights"
            )
        return embeddings

    def _write(self, digests: Sequence[str], embeddings: NDArray[np.float32]) -> Path:
        identity_file = self.folder / "encoder.json"
        if not identity_file.exists():
            with replacing(identity_file) as file:
                file.write(json.dumps(self.identity, indent=1).encode())
        return write_chunk(self.folder, self.identity, digests, embeddings)

    def _counted(self) -> tuple[int | None, int | None]:
        return getattr(self.encoder, "tokens_done", None), getattr(self.encoder, "flops_done", None)

    def _sweep(self) -> None:
        """Remove what killed writers left."""
        for path in files_below(self.folder, f".*{TEMPORARY_ENDING}"):
            with suppress(OSError):
                # Clocks may jump, so the age only saves a look at the lock, which shows whether the writer is alive.
                if time.time() - path.stat().st_mtime > DAY_SECONDS and is_abandoned(path):
                    path.unlink()
