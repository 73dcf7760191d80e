"""The cache around the encoder: each text is embedded once, by whichever process comes first.

One folder an encoder (``<cache_dir>/embeddings/<digest of its identity>``) holds chunks of up to
`CHUNK_ROWS` texts: ``<id>.npy`` (float32 ``[rows, d]``) and its manifest ``<id>.chunk.json`` (digests of
its texts, shape, checksum). The manifest is written last: a chunk without one does not exist.
"""

import json
import logging
from collections.abc import Container, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from tqdm.auto import tqdm

from synaug.atomic import replacing
from synaug.digest import array_sha256, json_sha256, text_sha256

log = logging.getLogger(__name__)

# Small enough that a killed run loses seconds of short texts and about a minute of long ones.
CHUNK_ROWS = 512
MANIFEST_ENDING = ".chunk.json"


class Encoder(Protocol):
    """What the cache needs of an encoder."""

    def identity(self) -> dict[str, Any]:
        """What decides the numbers."""

    def encode(self, texts: Sequence[str], progress: Any = ...) -> NDArray[np.float32]:
        """Texts to float32 `[n, d]`."""


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
    """

    def __init__(self, encoder: Encoder, cache_dir: Path) -> None:
        self.encoder = encoder
        self.identity = encoder.identity()
        self.folder = cache_dir / "embeddings" / json_sha256(self.identity)[:16]

    def embed(self, texts: Sequence[str], *, progress_bar: bool = True) -> NDArray[np.float32]:
        """Embeddings of `texts`, encoding those that the cache lacks.

        Returns
        -------
        ndarray
            float32 `[n, d]`.

        Raises
        ------
        ValueError
            If the encoder returns a number that is not finite.
        """
        if not texts:
            raise ValueError("there are no texts to embed")
        digests = [text_sha256(text) for text in texts]
        text_of = dict(zip(digests, texts, strict=True))
        # The chunks depend on the texts wanted, not on what is there, so that processes which want
        # the same texts cut the same chunks. By length, because a batch pads to its longest text.
        ordered = sorted(text_of, key=lambda digest: (-len(text_of[digest]), digest))
        chunks = [ordered[start : start + CHUNK_ROWS] for start in range(0, len(ordered), CHUNK_ROWS)]
        found = FoundChunks(self.folder, text_of)
        found.look()
        missing = [chunk for chunk in chunks if not found.hold(chunk)]
        characters = sum(len(text_of[digest]) for chunk in missing for digest in chunk)
        # disable=None: a bar on a terminal, none in a log file.
        disable = None if progress_bar and missing else True
        with tqdm(total=characters, desc="embedding", unit="char", unit_scale=True, disable=disable) as bar:
            for wait in (False, True):  # first what nobody is at, then what others have not finished
                for chunk in missing:
                    self._fill(chunk, text_of, found, bar, wait=wait)
        return found.gather(digests)

    def _fill(
        self, wanted: Sequence[str], text_of: dict[str, str], found: "FoundChunks", bar: Any, *, wait: bool
    ) -> None:
        if found.hold(wanted):
            return
        lock = FileLock(self.folder / "locks" / f"{json_sha256(wanted)[:32]}.lock")
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                stack.enter_context(lock.acquire(timeout=-1 if wait else 0))
            except Timeout:
                return
            found.look()
            missing = [digest for digest in wanted if digest not in found.row_of]
            if not missing:
                return
            texts = [text_of[digest] for digest in missing]
            embeddings = self.encoder.encode(texts, progress=bar.update)
            bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
            if len(bad):
                raise ValueError(
                    f"the encoder returned NaN or infinity for {len(bad)} texts, the first {texts[bad[0]][:60]!r}: "
                    "nothing was cached; check the model's weights"
                )
            self._write(json_sha256(missing)[:32], missing, embeddings)
            found.look()

    def _write(self, name: str, digests: Sequence[str], embeddings: NDArray[np.float32]) -> None:
        identity_file = self.folder / "encoder.json"
        if not identity_file.exists():
            with replacing(identity_file) as file:
                file.write(json.dumps(self.identity, indent=1).encode())
        with replacing(self.folder / f"{name}.npy") as file:
            np.save(file, embeddings, allow_pickle=False)
        manifest = {
            "encoder": self.identity,
            "texts": list(digests),
            "shape": list(embeddings.shape),
            "sha256": array_sha256(embeddings),
        }
        with replacing(self.folder / f"{name}{MANIFEST_ENDING}") as file:
            file.write(json.dumps(manifest).encode())


class FoundChunks:
    """The chunks in a folder that hold texts somebody wants, each checked once.

    Parameters
    ----------
    folder
        One encoder's cache.
    wanted
        Digests of the texts; chunks without any of them are left unread.
    """

    def __init__(self, folder: Path, wanted: Container[str]) -> None:
        self.folder = folder
        self.wanted = wanted
        self.row_of: dict[str, tuple[Path, int]] = {}
        self._seen: set[str] = set()

    def hold(self, digests: Sequence[str]) -> bool:
        """Whether all these texts were found."""
        return all(digest in self.row_of for digest in digests)

    def look(self) -> None:
        """Read the chunks that came since the last look; put damaged ones away."""
        for manifest_path in sorted(self.folder.glob(f"*{MANIFEST_ENDING}")):
            if manifest_path.name in self._seen:
                continue
            chunk_path = manifest_path.with_name(manifest_path.name.removesuffix(MANIFEST_ENDING) + ".npy")
            try:
                manifest = json.loads(manifest_path.read_bytes())
                texts = manifest["texts"]
                if any(digest in self.wanted for digest in texts):
                    _check_chunk(chunk_path, manifest)
                    self.row_of.update({digest: (chunk_path, row) for row, digest in enumerate(texts)})
                self._seen.add(manifest_path.name)
            except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
                log.warning("the cached embeddings %s are damaged and will be made again (%s)", chunk_path, error)
                with suppress(OSError):  # on a read-only cache the new copy simply stays unwritten
                    manifest_path.unlink(missing_ok=True)

    def gather(self, digests: Sequence[str]) -> NDArray[np.float32]:
        """Copy the rows of these texts out of the memory-mapped chunks, float32 `[n, d]`."""
        places: dict[Path, tuple[list[int], list[int]]] = {}
        for position, digest in enumerate(digests):
            path, row = self.row_of[digest]
            positions, rows = places.setdefault(path, ([], []))
            positions.append(position)
            rows.append(row)
        width = _read(next(iter(places))).shape[1]
        gathered = np.empty((len(digests), width), dtype=np.float32)
        for path, (positions, rows) in places.items():
            gathered[positions] = _read(path)[rows]
        return gathered


def _read(path: Path) -> NDArray[np.float32]:
    return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]


def _check_chunk(path: Path, manifest: dict[str, Any]) -> None:
    rows = _read(path)
    if rows.dtype != np.float32 or list(rows.shape) != manifest["shape"] or len(rows) != len(manifest["texts"]):
        raise ValueError(f"shape {rows.shape} of {rows.dtype} where {manifest['shape']} of float32 was written")
    if array_sha256(rows) != manifest["sha256"]:
        raise ValueError("its checksum differs")
