"""The embeddings of one list of texts in one file, which all processes that want them map into memory.

``matrices/<id>.npy`` (float32 ``[n, d]``) is named by the texts in their order; its manifest
``<id>.matrix.json`` holds its checksum, and those of the chunks it was copied from with their stamps.
It is a copy: the folder may be deleted whenever no run is using it, and is never cleared by itself.
"""

import hashlib
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from synaug.embeddings.chunks import DAMAGE, read_array, sha256_of
from synaug.files import checked_json
from synaug.files.atomic import check_regular, replacing
from synaug.files.digest import stamp_of, text_sha256
from synaug.files.locks import locked

log = logging.getLogger(__name__)


class Matrix:
    """One list of texts.

    Parameters
    ----------
    folder
        One encoder's cache.
    digests
        Of the texts, in their order.
    """

    def __init__(self, folder: Path, digests: Sequence[str]) -> None:
        self.folder = folder
        self.n_texts = len(digests)
        self.texts = text_sha256("".join(digests))
        self.path = folder / "matrices" / f"{self.texts[:32]}.npy"
        self.manifest_path = self.path.with_suffix(".matrix.json")

    def load(self) -> NDArray[np.float32] | None:
        """Map the file if it is there and sound, and if the chunks are still those it was copied from.

        Returns
        -------
        ndarray or None
            float32 `[n, d]`, read-only; None where it is to be made (again).
        """
        try:
            return self._read()
        except FileNotFoundError:
            return None
        except DAMAGE as error:
            log.warning("the cached embeddings %s are damaged and will be made again (%s)", self.path, error)
            return None

    def _read(self) -> NDArray[np.float32] | None:
        manifest = checked_json.read(self.manifest_path)
        if manifest["texts"] != self.texts or sha256_of(self.path) != manifest["npy_sha256"]:
            raise ValueError("its checksum differs")
        rows = np.asarray(read_array(self.path))
        if rows.dtype != np.float32 or rows.ndim != 2 or len(rows) != self.n_texts or not np.isfinite(rows).all():
            raise ValueError(f"{rows.dtype} of shape {rows.shape} for {self.n_texts} texts, or NaN or infinity in it")
        return rows if self._chunks_are_the_same(manifest) else None

    def _chunks_are_the_same(self, manifest: dict[str, Any]) -> bool:
        """Whether all chunks are unchanged; only those with a new stamp, or with none, are read."""
        stamps, changed = {}, False
        for name, (sha256, stamp) in manifest["chunks"].items():
            path = self.folder / name
            try:
                check_regular(path)
                now = stamp_of(path)
                if now is None or stamp is None or list(now) != stamp:
                    changed |= now is not None
                    if sha256_of(path) != sha256:
                        return False
            except OSError:  # whoever looks for the chunk will say so
                return False
            stamps[name] = (sha256, now)
        if changed:
            self._note({**manifest, "chunks": stamps})
        return True

    def keep(self, embeddings: NDArray[np.float32], chunks: Sequence[Path]) -> NDArray[np.float32]:
        """Write the file, unless another process just did; where it cannot be written, the array will do.

        Parameters
        ----------
        embeddings
            float32 `[n, d]`.
        chunks
            The files that they were copied from.

        Returns
        -------
        ndarray
            The same numbers, read-only.
        """
        try:
            with locked(self.folder / "locks" / f"{self.path.stem}.lock", wait=True):
                with suppress(*DAMAGE):  # `load` has said so
                    kept = self._read()
                    if kept is not None:
                        return kept
                digest = _write_npy(None, embeddings)
                # A file that others have mapped stays if it is sound: over NFS they would lose it.
                if not self._holds(digest):
                    with replacing(self.path) as file:
                        _write_npy(file, embeddings)
                sources = {path.name: (sha256_of(path), stamp_of(path)) for path in chunks}
                checked_json.write(self.manifest_path, {"texts": self.texts, "npy_sha256": digest, "chunks": sources})
                return np.asarray(read_array(self.path))
        except OSError as error:
            log.debug("%s is not kept (%s)", self.path, error)
            embeddings.flags.writeable = False
            return embeddings

    def _holds(self, digest: str) -> bool:
        """Whether the file has these bytes; one that cannot be read counts as other bytes, and is replaced."""
        with suppress(OSError):
            return sha256_of(self.path) == digest
        return False

    def _note(self, manifest: dict[str, Any]) -> None:
        try:
            checked_json.write(self.manifest_path, manifest)
        except OSError as error:
            log.debug("%s is not kept (%s)", self.manifest_path, error)


class _HashingFile:
    """Hashes what goes through it into a file, if any."""

    def __init__(self, file: BinaryIO | None) -> None:
        self.file = file
        self.sha256 = hashlib.sha256()

    def write(self, content: bytes) -> None:
        self.sha256.update(content)
        if self.file is not None:
            self.file.write(content)


def _write_npy(file: BinaryIO | None, embeddings: NDArray[np.float32]) -> str:
    """Write an array, or nowhere, and return the digest of the bytes."""
    # Through write(): numpy's own way into a file hides the system's error when the disk is full.
    hashing: Any = _HashingFile(file)
    np.lib.format.write_array(hashing, embeddings, allow_pickle=False)
    digest: str = hashing.sha256.hexdigest()
    return digest
