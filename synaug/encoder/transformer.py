"""Texts to embeddings by a pretrained transformer."""

import copy
import logging
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaug import settings
from synaug.accelerator import in_halves
from synaug.encoder.batches import flops, token_batches
from synaug.encoder.devices import memory_for_one_text, placed
from synaug.encoder.model_files import VOCABULARY_FILES, ModelFiles
from synaug.errors import UserError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

# About what fits the caches of one core beside the weights; larger batches are slower on a CPU.
CPU_BATCH_TOKENS = 512
GPU_BATCH_TOKENS = 32768
DEVIATION_TEXTS = 32  # at most, of which it is told by how much rounding changes their vectors


class TransformerEncoder:
    """A `transformers` encoder with pooling. Nothing is loaded before the first text.

    Parameters
    ----------
    model, revision, package, sha256
        Where the model comes from; see `synaug.encoder.model_files.ModelFiles`.
    pooling
        ``cls`` (the first token), ``mean`` (over real tokens) or ``pooler`` (the model's own head).
    layer
        Whose states are pooled: 0 the embeddings' output, 1 the first layer's, -1 the last.
    max_length
        Tokens of a text that are read, special tokens included.
    normalize
        Scale each embedding to Euclidean length 1.
    batch_tokens
        Tokens in a batch, padding included where there is any; None for what suits the device.
    device
        One, or a list with a copy of the model on each; None for all GPUs, or the best there is.
    precision
        In which the layers compute: ``float32``; ``int8`` on a CPU, which is faster and says once in the log by how
        much it changes vectors; ``float16`` or ``bfloat16``, which are faster on a GPU, and done by a CPU, too. Pooling
        and scaling are in float32 always.

    Attributes
    ----------
    tokens_done, flops_done
        Tokens encoded so far (real ones), and the floating-point operations they needed; see `flops`.
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
        device: str | Sequence[str] | None = None,
        precision: str = settings.FLOAT32,
    ) -> None:
        given = {
            "model": model,
            "revision": revision,
            "package": package,
            "sha256": sha256,
            "pooling": pooling,
            "layer": layer,
            "max_length": max_length,
            "normalize": normalize,
            "batch_tokens": batch_tokens,
            "device": device,
            "precision": precision,
        }
        settings.require("encoder", settings.ENCODER, given)
        self._given: dict[str, Any] = {**given}
        if pooling == "pooler" and layer != -1:
            raise UserError(f"encoder.layer={layer} must be -1 with encoder.pooling=pooler: it reads the last layer")
        named = [device] if isinstance(device, str) else device or []
        if precision == settings.INT8 and not all(name.startswith("cpu") for name in named):
            raise UserError(
                f"encoder.precision=int8 is for a CPU, not for encoder.device={device}: set it to cpu or null"
            )
        self.model = model
        self.files = ModelFiles(model, revision, package, sha256)
        self.pooling = pooling
        self.layer = layer
        self.max_length = max_length
        self.normalize = normalize
        self.batch_tokens = batch_tokens
        self.device = device
        self.precision = precision
        self.tokens_done = 0
        self.flops_done = 0
        self._packed = False
        self._rounded = False

    def look(self) -> None:
        """Find out cheaply whether the model is where it is said to be; see `ModelFiles.look`."""
        self.files.look()

    def source(self) -> str:
        """Name the model cheaply; see `synaug.encoder.model_files.ModelFiles.source`."""
        return self.files.source()

    def identity(self) -> dict[str, Any]:
        """What decides the numbers: weights, tokenizer, pooling, layer, length, scale; and any precision but float32.

        Where the model lies and what it is called do not enter: a moved folder keeps its embeddings.
        """
        return {
            **self.files.digests(),
            "pooling": self.pooling,
            "layer": self.layer,
            "max_length": self.max_length,
            "normalize": self.normalize,
            **({} if self.precision == settings.FLOAT32 else {"precision": self.precision}),
        }

    @cached_property
    def _loaded(self) -> tuple[Any, Any, "list[torch.device]"]:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModel, AutoTokenizer

        self.files.digests()  # fails here, in one sentence, where the weights are not safetensors or not those pinned
        try:
            with transformers_quiet():
                # Not None, the default: transformers would then ask on a terminal whether to run the code.
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
            raise UserError(
                f"{self.files.folder} cannot be loaded as a transformers model ({reason}): "
                "a model whose code and tokenizer transformers has, saved with save_pretrained, is needed"
            ) from error
        if tokenizer.is_fast and not self.files.like(VOCABULARY_FILES):
            # transformers would make a tokenizer that knows no word.
            raise UserError(
                f"{self.files.folder} holds no vocabulary ({', '.join(VOCABULARY_FILES)}): save the tokenizer there"
            )
        untrained = sorted(loading["missing_keys"])
        elsewhere = [name for name in untrained if "pooler" not in name]
        if elsewhere:
            raise UserError(
                f"the weights in {self.files.folder} lack {len(elsewhere)} of the model's parameters, such as "
                f"{elsewhere[0]}, which would be random: save the whole model"
            )
        if self.pooling == "pooler" and (untrained or getattr(model, "pooler", None) is None):
            raise UserError(f"{self.model} has no trained pooler: use encoder.pooling=cls or mean")
        n_layers = model.config.num_hidden_layers
        if not -n_layers - 1 <= self.layer <= n_layers:
            raise UserError(
                f"encoder.layer={self.layer} must lie in {-n_layers - 1} … {n_layers}: "
                f"{self.model} has {n_layers} layers"
            )
        longest = min(tokenizer.model_max_length, _positions(model))
        if self.max_length > longest:
            raise UserError(
                f"encoder.max_length={self.max_length} is more than the {longest} tokens {self.model} reads: lower it"
            )
        devices = placed(model, "cpu" if self.precision == settings.INT8 and self.device is None else self.device)
        if self.precision == settings.INT8:
            _require_int8()
        if self.precision in settings.HALF:
            model.to(getattr(torch, self.precision))
        tokenizer.padding_side = "right"  # otherwise cls pooling would read padding
        return tokenizer, model.eval(), devices

    @cached_property
    def _models(self) -> "list[Any]":
        """The model, packed where it can be, and a copy on each further device."""
        import torch

        from synaug.encoder import packed, products

        _, model, devices = self._loaded
        models = [model, *(copy.deepcopy(model).to(device) for device in devices[1:])]
        # A GPU reads large batches, in which texts of like length pad little.
        if all(device.type == "cpu" for device in devices):
            if self.precision == settings.FLOAT32:
                for copied in models:
                    products.prepare(copied, CPU_BATCH_TOKENS, {"input_ids": torch.tensor([packed.probe(copied)[0]])})
            self._packed = self.pooling != "pooler" and all(packed.enable(copied) for copied in models)
        return models

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], object] = lambda done: None
    ) -> NDArray[np.float32]:
        """Encode texts in batches of like length, under a token budget, as many at a time as there are cores or GPUs.

        The batches, and so the numbers, are the same however many are worked on at a time.

        Parameters
        ----------
        texts
            `n` texts; equal ones are encoded once.
        progress
            Called after each batch, in the caller's thread, with the characters done in it.

        Returns
        -------
        ndarray
            float32 `[n, d]`, in the order of `texts`.
        """
        with transformers_quiet():
            return self._encode(texts, progress)

    def _encode(self, texts: Sequence[str], progress: Callable[[int], object]) -> NDArray[np.float32]:
        import torch

        from synaug.encoder.workers import share_out

        tokenizer, model, devices = self._loaded
        if not texts:
            return np.empty((0, model.config.hidden_size), dtype=np.float32)
        models = self._models
        if len(models) == 1 and devices[0].type == "cpu":
            models = models * torch.get_num_threads()
        distinct = list(dict.fromkeys(texts))
        tokens = tokenizer(distinct, truncation=True, max_length=self.max_length)["input_ids"]
        if self.precision == settings.INT8 and not self._rounded:
            self._round(tokens)
        lengths = [len(ids) for ids in tokens]
        budget = self.batch_tokens or (CPU_BATCH_TOKENS if devices[0].type == "cpu" else GPU_BATCH_TOKENS)
        batches = token_batches(lengths, budget, padded=not self._packed)

        def embed(model: Any, batch: list[int]) -> NDArray[np.float32]:
            with memory_for_one_text(model.device, "encoder.max_length"):
                return np.concatenate(in_halves(lambda rows: self._embed(model, [tokens[row] for row in rows]), batch))

        blocks = []
        done: list[int] = []
        for batch, block in share_out(embed, batches, models[: len(batches)]):
            blocks.append(block)
            done += batch
            self.tokens_done += sum(lengths[row] for row in batch)
            self.flops_done += flops(model, [lengths[row] for row in batch])
            progress(sum(len(distinct[row]) for row in batch))
        row_of = {distinct[row]: place for place, row in enumerate(done)}
        embeddings: NDArray[np.float32] = np.concatenate(blocks)[[row_of[text] for text in texts]]
        return embeddings

    def _round(self, tokens: Sequence[list[int]]) -> None:
        """Round the layers, now that there are texts to tell by how much it changes their vectors."""
        from synaug.encoder import int8

        some = tokens[:: math.ceil(len(tokens) / DEVIATION_TEXTS)]
        exact = self._embed(self._models[0], some)
        for model in self._models:
            int8.round_layers(model, CPU_BATCH_TOKENS)
        self._rounded = True
        rounded = self._embed(self._models[0], some)
        cosines = (exact * rounded).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rounded, axis=1)
        log.info(
            "encoder.precision=int8: for %d texts, 1 − cosine with the float32 vectors has a median of %.1e and "
            "a maximum of %.1e",
            len(some),
            1 - np.median(cosines),
            1 - cosines.min(),
        )

    def _embed(self, model: Any, tokens: Sequence[list[int]]) -> NDArray[np.float32]:
        """Embed one batch, float32 `[texts, d]`."""
        import torch
        from torch.nn.functional import normalize

        with torch.inference_mode():
            pooled = self.pooled(model, tokens, packed=self._packed)
            embedded: NDArray[np.float32] = (
                (normalize(pooled.float(), dim=-1) if self.normalize else pooled.float()).cpu().numpy()
            )
        return embedded

    def pooled(self, model: Any, tokens: Sequence[Sequence[int]], *, packed: bool) -> "torch.Tensor":
        """What a model makes of a batch of texts, pooled but not scaled, `[texts, d]`.

        Parameters
        ----------
        model
            This encoder's, or one of the same kind.
        tokens
            Token ids of each text.
        packed
            Whether the model takes texts end to end (`synaug.encoder.packed.enable`).
        """
        import torch

        from synaug.encoder import packed as end_to_end

        asked = {"output_hidden_states": self.layer != -1}
        if packed:
            states = self._states(end_to_end.forward(model, tokens, **asked))[0]
            texts = torch.split(states, [len(ids) for ids in tokens])
            return torch.stack([text[0] if self.pooling == "cls" else text.mean(0) for text in texts])
        batch = self._loaded[0].pad({"input_ids": tokens}, return_attention_mask=True, return_tensors="pt")
        batch = batch.to(model.device)
        output = model(**batch, **asked)
        if self.pooling == "pooler":
            of_head: torch.Tensor = output.pooler_output
            return of_head
        if self.pooling == "cls":
            return self._states(output)[:, 0]
        mask = batch["attention_mask"].unsqueeze(-1)
        mean: torch.Tensor = (self._states(output) * mask).sum(1) / mask.sum(1)
        return mean

    def tokens(self, texts: Sequence[str], max_length: int | None = None) -> list[list[int]]:
        """Token ids of each text, cut to the encoder's own length or a smaller one."""
        most = min(self.max_length, max_length or self.max_length)
        with transformers_quiet():
            ids: list[list[int]] = self._loaded[0](list(texts), truncation=True, max_length=most)["input_ids"]
        return ids

    def anew(self) -> "TransformerEncoder":
        """The same encoder, to be loaded once more."""
        other = type(self)(**self._given)
        other.files = self.files
        return other

    def load(self, weights: "Mapping[str, torch.Tensor]") -> None:
        """Take other weights, by the names that they have in `network`; before the first text."""
        unknown = self._loaded[1].load_state_dict(weights, strict=False).unexpected_keys
        assert not unknown, unknown

    def network(self) -> Any:
        """The model of `transformers`, as it was loaded: to be trained, by whoever has an encoder of their own."""
        return self._loaded[1]

    def _states(self, output: Any) -> "torch.Tensor":
        states: torch.Tensor = output.last_hidden_state if self.layer == -1 else output.hidden_states[self.layer]
        return states.float()


@contextmanager
def transformers_quiet() -> Iterator[None]:
    """Keep transformers' advice and bars from the console for the block; afterwards both are as they were."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars
    from transformers.utils import logging as transformers_logging

    verbosity, has_bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    hub_has_none = are_progress_bars_disabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()  # and the hub's
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if has_bars:
            with warnings.catch_warnings():  # that the environment keeps the hub's off
                warnings.simplefilter("ignore")
                transformers_logging.enable_progress_bar()
        if hub_has_none:
            disable_progress_bars()


def _require_int8() -> None:
    from synaug.encoder.int8 import has_int8

    if not has_int8():
        raise UserError(
            "encoder.precision=int8 needs products of oneDNN that this torch, or this processor, does not have: set "
            "encoder.precision=float32"
        )


def _positions(model: Any) -> int:
    """How many tokens a model's position embeddings can hold; RoBERTa never uses two of its 514."""
    from synaug.encoder.packed import padding_position

    positions: int = getattr(model.config, "max_position_embeddings", sys.maxsize)
    padding = padding_position(model)
    return positions if padding is None else positions - padding - 1
