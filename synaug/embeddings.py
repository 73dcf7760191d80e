"""The cache around the encoder: each text is embedded once, by whichever process comes first.

One folder an encoder (``<cache_dir>/embeddings/<digest of its identity>``) holds chunks of up to
`CHUNK_ROWS` texts: ``<id>.npy`` (float32 ``[rows, d]``) and its manifest ``<id>.chunk.json`` (digests of
its texts, shape, checksums, also its own). The manifest is written last: a chunk without one does
not exist. A chunk's id hashes its content, so no two processes ever write different files of one name.
"""

import hashlib
import io
import json
import logging
import time
from collections.abc import Container, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from tqdm.auto import tqdm

from synaug.atomic import TEMPORARY_ENDING, replacing
from synaug.digest import json_sha256, text_sha256

log = logging.getLogger(__name__)

# Small enough that a killed run loses seconds of short texts and about a minute of long ones.
CHUNK_ROWS = 512
MANIFEST_ENDING = ".chunk.json"
DAY_SECONDS = 86400


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
            If the encoder returns a number that is not finite, or not one row a text.
        OSError
            If embeddings are missing and the folder cannot be written.
        """
        if not texts:
            raise ValueError("there are no texts to embed")
        digests = [text_sha256(text) for text in texts]
        text_of = dict(zip(digests, texts, strict=True))
        # The chunks depend on the texts wanted, not on what is there, so that processes which want
        # the same texts cut the same chunks. By length, because a batch pads to its longest text.
        ordered = sorted(text_of, key=lambda digest: (-len(text_of[digest]), digest))
        chunks = [ordered[start : start + CHUNK_ROWS] for start in range(0, len(ordered), CHUNK_ROWS)]
        found = FoundChunks(self.folder, self.identity, text_of)
        found.look()
        missing = [chunk for chunk in chunks if not found.hold(chunk)]
        if missing:
            self._sweep()
            n_missing = sum(digest not in found.row_of for digest in text_of)
            log.info("embedding %d of %d texts; the others are cached in %s", n_missing, len(text_of), self.folder)
        characters = sum(len(text) for digest, text in text_of.items() if digest not in found.row_of)
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
        absent = [digest for digest in wanted if digest not in found.row_of]
        if not absent:
            return
        lock = FileLock(self.folder / "locks" / f"{json_sha256(wanted)[:32]}.lock")
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                stack.enter_context(lock.acquire(timeout=-1 if wait else 0))
            except Timeout:
                return
            found.look()
            missing = [digest for digest in absent if digest not in found.row_of]
            bar.update(sum(len(text_of[digest]) for digest in absent) - sum(len(text_of[digest]) for digest in missing))
            if not missing:
                return
            path = self._write(missing, self._encode([text_of[digest] for digest in missing], bar))
            found.add(path, missing)

    def _encode(self, texts: Sequence[str], bar: Any) -> NDArray[np.float32]:
        embeddings = np.asarray(self.encoder.encode(texts, progress=bar.update), dtype=np.float32)
        if embeddings.ndim != 2 or len(embeddings) != len(texts):
            raise ValueError(
                f"the encoder returned shape {embeddings.shape} for {len(texts)} texts, one row each needed"
            )
        bad = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
        if len(bad):
            raise ValueError(
                f"the encoder returned NaN or infinity for {len(bad)} texts, the first {texts[bad[0]][:60]!r}: "
                "these were not cached; check the model's weights"
            )
        return embeddings

    def _write(self, digests: Sequence[str], embeddings: NDArray[np.float32]) -> Path:
        identity_file = self.folder / "encoder.json"
        if not identity_file.exists():
            with replacing(identity_file) as file:
                file.write(json.dumps(self.identity, indent=1).encode())
        buffer = io.BytesIO()  # np.save straight into a file hides the system's own error when the disk is full
        np.save(buffer, embeddings, allow_pickle=False)
        manifest = {
            "encoder": self.identity,
            "texts": list(digests),
            "shape": list(embeddings.shape),
            "npy_sha256": hashlib.sha256(buffer.getbuffer()).hexdigest(),
        }
        checksum = json_sha256(manifest)
        path = self.folder / f"{checksum[:32]}.npy"
        with replacing(path) as file:
            file.write(buffer.getbuffer())
        with replacing(path.with_suffix(MANIFEST_ENDING)) as file:
            file.write(json.dumps({**manifest, "sha256": checksum}).encode())
        return path

    def _sweep(self) -> None:
        """Remove what killed writers left, once nobody can still be at it."""
        for path in self.folder.glob(f".*{TEMPORARY_ENDING}"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > DAY_SECONDS:
                    path.unlink()


class FoundChunks:
    """The chunks in a folder that hold texts somebody wants, each checked once.

    Parameters
    ----------
    folder
        One encoder's cache.
    identity
        The encoder's.
    wanted
        Digests of the texts; chunks without any of them are left unread.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], wanted: Container[str]) -> None:
        self.folder = folder
        self.identity = identity
        self.wanted = wanted
        self.row_of: dict[str, tuple[Path, int]] = {}
        self._seen: set[str] = set()

    def hold(self, digests: Sequence[str]) -> bool:
        """Whether all these texts were found."""
        return all(digest in self.row_of for digest in digests)

    def add(self, path: Path, digests: Sequence[str]) -> None:
        """Note a sound chunk and whose rows it has."""
        self.row_of.update({digest: (path, row) for row, digest in enumerate(digests)})
        self._seen.add(path.stem)

    def look(self) -> None:
        """Read the chunks that came since the last look; put damaged ones away."""
        for manifest_path in sorted(self.folder.glob(f"*{MANIFEST_ENDING}")):
            name = manifest_path.name.removesuffix(MANIFEST_ENDING)
            if name in self._seen:
                continue
            path = self.folder / f"{name}.npy"
            try:
                manifest = _read_manifest(manifest_path, self.identity)
                if any(digest in self.wanted for digest in manifest["texts"]):
                    _check_chunk(path, manifest)
                    self.add(path, manifest["texts"])
                self._seen.add(name)
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("the cached embeddings %s are damaged and will be made again (%s)", path, error)
                with suppress(OSError):  # where the cache is read-only, making them again will say so
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
    return np.lib.format.open_memmap(path, mode="r")  # reads .npy only; never a pickle, never a zip


def _read_manifest(path: Path, identity: dict[str, Any]) -> dict[str, Any]:
    manifest = json.loads(path.read_bytes())
    if not isinstance(manifest, dict) or manifest.pop("sha256") != json_sha256(manifest):
        raise ValueError("its manifest was altered")
    if json_sha256(manifest["encoder"]) != json_sha256(identity):
        raise ValueError("another encoder made it")
    return manifest


def _check_chunk(path: Path, manifest: dict[str, Any]) -> None:
    # The file's bytes first: whatever stands in a header, numpy only parses one that was written here.
    if hashlib.sha256(path.read_bytes()).hexdigest() != manifest["npy_sha256"]:
        raise ValueError("its checksum differs")
    rows = _read(path)
    if rows.dtype != np.float32 or list(rows.shape) != manifest["shape"] or len(rows) != len(manifest["texts"]):
        raise ValueError(f"shape {rows.shape} of {rows.dtype} where {manifest['shape']} of float32 was written")
