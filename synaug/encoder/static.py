"""Texts to the mean of their tokens' vectors, which no context changes: model2vec's models."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug import settings
from synaug.encoder.library import LibraryEncoder
from synaug.encoder.model_files import ModelFiles
from synaug.files import sources

TARGET = "synaug.encoder.StaticEncoder"
PACKAGE, EXTRA = "model2vec", "static"
BATCH_TEXTS = 1024  # the library's own


class StaticFiles(ModelFiles):
    """The files of a model of model2vec."""

    library = PACKAGE
    option = "static"


class StaticEncoder(LibraryEncoder):
    """A model of model2vec [1]_, by that library. Nothing is loaded before the first text.

    A text's embedding is the library's own to the bit, whatever stands beside it.

    Parameters
    ----------
    model, revision
        A hub id and a commit, or a local folder; see `synaug.encoder.model_files.ModelFiles`.
    max_length
        Tokens of a text that are read; None: as many as the model is set to.
    normalize
        Scale each embedding to Euclidean length 1, also where the model does not.

    References
    ----------
    .. [1] Tulkens and van Dongen, "Model2Vec: fast state-of-the-art static embeddings", 2024,
       https://github.com/MinishLab/model2vec
    """

    package, extra = PACKAGE, EXTRA

    def __init__(
        self, *, model: str, revision: str | None = None, max_length: int | None = None, normalize: bool = False
    ) -> None:
        given = {"model": model, "revision": revision, "max_length": max_length, "normalize": normalize}
        settings.require("encoder", settings.OF_A_TARGET[TARGET], given)
        self.model = model
        self.files = StaticFiles(model, revision)
        self.max_length = max_length
        self.normalize = normalize

    def identity(self) -> dict[str, Any]:
        """What decides the numbers: the model's files, the settings, and the library's release.

        Raises
        ------
        UserError
            If the library is not installed.
        """
        return self._identity(max_length=self.max_length, normalize=self.normalize)

    @cached_property
    def _loaded(self) -> Any:
        sources.require_package(PACKAGE, extra=EXTRA)
        from model2vec import StaticModel
        from safetensors import SafetensorError

        self.files.digests()  # fails here, in one sentence, where files are missing
        try:
            return StaticModel.from_pretrained(self.files.folder, normalize=True if self.normalize else None)
        # A tokenizer that cannot be read is an Exception of the library in Rust, of no class of its own.
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise self._unloadable(error) from error

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], object] = lambda done: None
    ) -> NDArray[np.float32]:
        """Make vectors of texts, batch by batch; the tokenizer uses all cores by itself.

        Parameters
        ----------
        texts
            `n` texts.
        progress
            Called after each batch with the characters done in it.

        Returns
        -------
        ndarray
            float32 `[n, d]`; of a text that has no word of the vocabulary, zeros.
        """
        model = self._loaded
        length = {} if self.max_length is None else {"max_length": self.max_length}
        blocks = [np.empty((0, model.dim), dtype=np.float32)]
        for start in range(0, len(texts), BATCH_TEXTS):
            batch = list(texts[start : start + BATCH_TEXTS])
            # Its multiprocessing would set the environment of the whole process.
            rows = model.encode(batch, use_multiprocessing=False, **length)
            blocks.append(np.asarray(rows, dtype=np.float32))
            progress(sum(map(len, batch)))
        embeddings: NDArray[np.float32] = np.concatenate(blocks)
        return embeddings
