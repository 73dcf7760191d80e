"""Texts to embeddings by a pretrained transformer."""

import logging
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaug.dataset.package import package_path
from synaug.digest import file_sha256, files_sha256

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

POOLINGS = ("cls", "mean", "pooler")
# About what fits the caches of one core beside the weights; larger batches are slower on a CPU.
CPU_BATCH_TOKENS = 1024
GPU_BATCH_TOKENS = 32768
MODEL_FILES = ["*.safetensors", "*.json", "*.txt", "*.model"]


class TransformerEncoder:
    """A `transformers` encoder with pooling. Nothing is loaded before the first text.

    Parameters
    ----------
    model
        A hub id or a local folder.
    revision
        Commit of the hub's repository.
    package
        An installed package that carries the model, as ``package/folder``; read instead of the hub.
    sha256
        What ``model.safetensors`` must hash to, where that is pinned.
    pooling
        ``cls`` (the first token), ``mean`` (over real tokens) or ``pooler`` (the model's own head).
    layer
        Whose states are pooled: 0 the embeddings' output, 1 the first layer's, -1 the last.
    max_length
        Tokens of a text that are read, special tokens included.
    normalize
        Scale each embedding to Euclidean length 1.
    batch_tokens
        Padded tokens in a batch; None for what suits the device.
    device
        None for the best there is.
    """

    def __init__(
        self,
        *,
        model: str,
        revision: str | None = None,
        package: str | None = None,
        sha256: str | None = None,
        pooling: str = "mean",
        layer: int = -1,
        max_length: int = 256,
        normalize: bool = False,
        batch_tokens: int | None = None,
        device: str | None = None,
    ) -> None:
        if pooling not in POOLINGS:
            raise ValueError(f"encoder.pooling={pooling} must be one of {', '.join(POOLINGS)}")
        if pooling == "pooler" and layer != -1:
            raise ValueError(f"encoder.layer={layer} must be -1 with encoder.pooling=pooler: it reads the last layer")
        if max_length < 3:
            raise ValueError(f"encoder.max_length={max_length} must be at least 3: two special tokens and one more")
        if batch_tokens is not None and batch_tokens < 1:
            raise ValueError(f"encoder.batch_tokens={batch_tokens} must be positive, or null")
        self.model = model
        self.revision = revision
        self.package = package
        self.sha256 = sha256
        self.pooling = pooling
        self.layer = layer
        self.max_length = max_length
        self.normalize = normalize
        self.batch_tokens = batch_tokens
        self.device = device

    def source(self) -> str:
        """Name the weights cheaply: their digest where they are local, else the pinned revision."""
        if self.package or Path(self.model).expanduser().is_dir():
            return f"sha256:{self.weights_sha256}"
        return f"hub:{self.model}@{self.revision or 'main'}"

    @cached_property
    def folder(self) -> Path:
        """Where the model's files lie; fetched from the hub if need be.

        Raises
        ------
        ModuleNotFoundError
            If the package that carries the model is not installed.
        FileNotFoundError
            If a path was given and there is no such folder.
        ConnectionError
            If the hub is out of reach and the model is not in its cache.
        """
        if self.package:
            name, _, inside = self.package.partition("/")
            return package_path(name, inside, extra="demo")
        local = Path(self.model).expanduser()
        if local.is_dir():
            return local
        if local.is_absolute() or self.model.startswith((".", "~")):
            raise FileNotFoundError(f"encoder.model={self.model} is not a folder: give one, or a hub id")
        return self._snapshot()

    def _snapshot(self) -> Path:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

        from synaug.dataset.hub import hub_answers

        try:
            return Path(
                snapshot_download(
                    self.model,
                    revision=self.revision,
                    allow_patterns=MODEL_FILES,
                    local_files_only=not hub_answers(),
                )
            )
        except LocalEntryNotFoundError as error:
            raise ConnectionError(
                f"the hub is out of reach and {self.model} is not in its cache: connect, or use a local copy with "
                "encoder=huggingface encoder.model=FOLDER, or encoder=minilm, which needs no network "
                "(data sets have their own mirror, SYNAUG_DATA)"
            ) from error
        except (RepositoryNotFoundError, HfHubHTTPError) as error:
            raise ValueError(
                f"encoder.model={self.model} is neither a folder nor a model of the hub: {error}"
            ) from error

    @cached_property
    def weights_sha256(self) -> str:
        """Digest of the safetensors.

        Raises
        ------
        ValueError
            If there are none, or they are not those that were pinned.
        """
        files = sorted(self.folder.glob("*.safetensors"))
        if not files:
            raise ValueError(
                f"{self.folder} holds no *.safetensors, and other weights may run code when loaded: "
                "convert them (transformers' save_pretrained writes safetensors)"
            )
        if self.sha256 is None:
            return files_sha256(files, self.folder)
        found = file_sha256(self.folder / "model.safetensors")
        if found != self.sha256:
            raise ValueError(
                f"{self.folder / 'model.safetensors'} has sha256 {found}, but {self.sha256} was pinned: "
                "reinstall the package that carries it"
            )
        return found

    def identity(self) -> dict[str, Any]:
        """What decides the numbers: weights, tokenizer, pooling, layer, length, scale."""
        tokenizer = [path for name in ("tokenizer*.json", "vocab*", "merges.txt") for path in self.folder.glob(name)]
        return {
            "model": self.model,
            "weights_sha256": self.weights_sha256,
            "config_sha256": file_sha256(self.folder / "config.json"),
            "tokenizer_sha256": files_sha256(tokenizer, self.folder),
            "pooling": self.pooling,
            "layer": self.layer,
            "max_length": self.max_length,
            "normalize": self.normalize,
        }

    @cached_property
    def _loaded(self) -> tuple[Any, Any, "torch.device"]:
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging as transformers_logging

        assert self.weights_sha256  # fails here, in one sentence, where the weights are not safetensors
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        tokenizer = AutoTokenizer.from_pretrained(self.folder)
        model, loading = AutoModel.from_pretrained(
            self.folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
        untrained = [name for name in loading["missing_keys"] if "pooler" in name]
        if self.pooling == "pooler" and (untrained or getattr(model, "pooler", None) is None):
            raise ValueError(f"{self.model} has no trained pooler: use encoder.pooling=cls or mean")
        n_layers = model.config.num_hidden_layers
        if not -n_layers - 1 <= self.layer <= n_layers:
            raise ValueError(
                f"encoder.layer={self.layer} must lie in {-n_layers - 1} … {n_layers}: "
                f"{self.model} has {n_layers} layers"
            )
        longest = min(tokenizer.model_max_length, model.config.max_position_embeddings)
        if self.max_length > longest:
            raise ValueError(
                f"encoder.max_length={self.max_length} is more than the {longest} tokens {self.model} reads"
            )
        device = torch.device(self.device or best_device())
        return tokenizer, model.to(device).eval(), device

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], object] = lambda done: None
    ) -> NDArray[np.float32]:
        """Encode texts in batches of like length, under a token budget.

        Parameters
        ----------
        texts
            `n` texts; equal ones are encoded once.
        progress
            Called after each batch with the characters done in it.

        Returns
        -------
        ndarray
            float32 `[n, d]`, in the order of `texts`.
        """
        import torch

        tokenizer, model, device = self._loaded
        distinct = list(dict.fromkeys(texts))
        tokens = tokenizer(distinct, truncation=True, max_length=self.max_length)["input_ids"]
        lengths = [len(ids) for ids in tokens]
        budget = self.batch_tokens or (CPU_BATCH_TOKENS if device.type == "cpu" else GPU_BATCH_TOKENS)
        embeddings: NDArray[np.float32] | None = None
        for batch in token_batches(lengths, budget):
            padded = tokenizer.pad({"input_ids": [tokens[row] for row in batch]}, return_tensors="pt").to(device)
            with torch.inference_mode():
                pooled = self._pool(model, padded).float().cpu().numpy()
            if embeddings is None:
                embeddings = np.empty((len(distinct), pooled.shape[1]), dtype=np.float32)
            embeddings[batch] = pooled
            progress(sum(len(distinct[row]) for row in batch))
        if embeddings is None:
            return np.empty((0, model.config.hidden_size), dtype=np.float32)
        position = {text: row for row, text in enumerate(distinct)}
        return embeddings[[position[text] for text in texts]]

    def _pool(self, model: Any, batch: Any) -> "torch.Tensor":
        from torch.nn.functional import normalize

        output = model(**batch, output_hidden_states=self.layer != -1)
        if self.pooling == "pooler":
            pooled = output.pooler_output
        else:
            states = output.last_hidden_state if self.layer == -1 else output.hidden_states[self.layer]
            if self.pooling == "cls":
                pooled = states[:, 0]
            else:
                mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
                pooled = (states * mask).sum(1) / mask.sum(1)
        return normalize(pooled, dim=-1) if self.normalize else pooled


def token_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Cut rows, sorted by length, into batches of at most `budget` padded tokens.

    A row longer than the budget is a batch of its own. The longest come first, so that memory runs
    short at the start or not at all.
    """
    batches: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        longest = lengths[batches[-1][0]] if batches else 0
        if batches and (len(batches[-1]) + 1) * longest <= budget:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def best_device() -> str:
    """cuda, else mps, else cpu."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
