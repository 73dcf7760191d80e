"""Texts to embeddings by a pretrained transformer."""

import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaug.model_files import VOCABULARY_FILES, ModelFiles

if TYPE_CHECKING:
    import torch

POOLINGS = ("cls", "mean", "pooler")
# About what fits the caches of one core beside the weights; larger batches are slower on a CPU.
CPU_BATCH_TOKENS = 1024
GPU_BATCH_TOKENS = 32768


class TransformerEncoder:
    """A `transformers` encoder with pooling. Nothing is loaded before the first text.

    Parameters
    ----------
    model, revision, package, sha256
        Where the model comes from; see `synaug.model_files.ModelFiles`.
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
        if batch_tokens is not None and (not isinstance(batch_tokens, int) or batch_tokens < 1):
            raise ValueError(f"encoder.batch_tokens={batch_tokens} must be a positive whole number, or null")
        self.model = model
        self.files = ModelFiles(model, revision, package, sha256)
        self.pooling = pooling
        self.layer = layer
        self.max_length = max_length
        self.normalize = normalize
        self.batch_tokens = batch_tokens
        self.device = device

    def source(self) -> str:
        """Name the model cheaply; see `synaug.model_files.ModelFiles.source`."""
        return self.files.source()

    def identity(self) -> dict[str, Any]:
        """What decides the numbers: weights, tokenizer, pooling, layer, length, scale.

        Where the model lies and what it is called do not enter: a moved folder keeps its embeddings.
        """
        return {
            **self.files.digests(),
            "pooling": self.pooling,
            "layer": self.layer,
            "max_length": self.max_length,
            "normalize": self.normalize,
        }

    @cached_property
    def _loaded(self) -> tuple[Any, Any, "torch.device"]:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging as transformers_logging

        self.files.digests()  # fails here, in one sentence, where the weights are not safetensors or not those pinned
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        try:
            # False, not its default of None, with which transformers asks on a terminal and may then run the code.
            tokenizer = AutoTokenizer.from_pretrained(self.files.folder, trust_remote_code=False)
            model, loading = AutoModel.from_pretrained(
                self.files.folder,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{self.files.folder} cannot be loaded as a transformers model ({reason}): "
                "a model whose code and tokenizer transformers has, saved with save_pretrained, is needed"
            ) from error
        if tokenizer.is_fast and not self.files.like(VOCABULARY_FILES):
            # transformers would make a tokenizer that knows no word.
            raise ValueError(
                f"{self.files.folder} holds no vocabulary ({', '.join(VOCABULARY_FILES)}): save the tokenizer there"
            )
        untrained = sorted(loading["missing_keys"])
        elsewhere = [name for name in untrained if "pooler" not in name]
        if elsewhere:
            raise ValueError(
                f"the weights in {self.files.folder} lack {len(elsewhere)} of the model's parameters, such as "
                f"{elsewhere[0]}, which would be random: save the whole model"
            )
        if self.pooling == "pooler" and (untrained or getattr(model, "pooler", None) is None):
            raise ValueError(f"{self.model} has no trained pooler: use encoder.pooling=cls or mean")
        n_layers = model.config.num_hidden_layers
        if not -n_layers - 1 <= self.layer <= n_layers:
            raise ValueError(
                f"encoder.layer={self.layer} must lie in {-n_layers - 1} … {n_layers}: "
                f"{self.model} has {n_layers} layers"
            )
        longest = min(tokenizer.model_max_length, _positions(model))
        if self.max_length > longest:
            raise ValueError(
                f"encoder.max_length={self.max_length} is more than the {longest} tokens {self.model} reads: lower it"
            )
        try:
            device = torch.device(self.device or best_device())
            model.to(device)
        except (RuntimeError, AssertionError) as error:  # an AssertionError: torch was built without that device
            reason = " ".join(str(error).split())
            raise ValueError(
                f"encoder.device={self.device} cannot be used ({reason}): choose another, or null"
            ) from error
        tokenizer.padding_side = "right"  # else cls would read padding
        return tokenizer, model.eval(), device

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
        if not texts:
            return np.empty((0, model.config.hidden_size), dtype=np.float32)
        distinct = list(dict.fromkeys(texts))
        tokens = tokenizer(distinct, truncation=True, max_length=self.max_length)["input_ids"]
        lengths = [len(ids) for ids in tokens]
        budget = self.batch_tokens or (CPU_BATCH_TOKENS if device.type == "cpu" else GPU_BATCH_TOKENS)
        batches = token_batches(lengths, budget)
        blocks = []
        for batch in batches:
            padded = tokenizer.pad(
                {"input_ids": [tokens[row] for row in batch]}, return_attention_mask=True, return_tensors="pt"
            ).to(device)
            with torch.inference_mode():
                blocks.append(self._pool(model, padded).float().cpu().numpy())
            progress(sum(len(distinct[row]) for row in batch))
        row_of = {distinct[row]: place for place, row in enumerate(row for batch in batches for row in batch)}
        embeddings: NDArray[np.float32] = np.concatenate(blocks)[[row_of[text] for text in texts]]
        return embeddings

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


def _positions(model: Any) -> int:
    """How many tokens a model's position embeddings can hold."""
    positions: int = getattr(model.config, "max_position_embeddings", sys.maxsize)
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    padding: int | None = getattr(table, "padding_idx", None)
    # RoBERTa and its kin count positions from after the padding's: two of 514 are never used.
    return positions if padding is None else positions - padding - 1


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
