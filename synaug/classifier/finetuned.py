"""A transformer that is trained on the texts themselves: what can be set of it. `synaug.tuning` trains it."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from synaug import settings
from synaug.settings import FEATURES

if TYPE_CHECKING:
    from synaug.classifier.module import Classifier


@dataclass(frozen=True)
class FineTuned:
    """An encoder that is trained together with a linear layer; the encoder must be a `TransformerEncoder`.

    The inner members of a split are trained side by side, looked at on the rows that they leave out, and stopped, as
    frozen members are. Weights are trained by AdamW, whose learning rates rise linearly and then stay.

    Parameters
    ----------
    rank
        Of the low-rank adapters (LoRA) of all linear layers; None to train all weights, 0 to train none of the
        encoder's.
    alpha
        Adapters count times ``alpha / rank``.
    when
        How synthesis enters. ``features``: the encoder is tuned without it, embeds all texts anew, and a head is
        trained on augmented vectors (decoupling). ``batch``: in each batch the pooled representations of some rows are
        replaced by mixtures, with gradients through them.
    lr, head_lr
        Learning rate of the encoder's weights or adapters, and of the linear layer.
    weight_decay
        Of matrices; vectors (biases, normalisation) have none.
    warmup
        Share of `max_steps` in which learning rates rise; members are looked at, and may stop, from then on.
    max_steps
        Optimiser steps at most.
    batch_size
        Rows of each member in a step.
    accumulate
        In how many parts, one after the other, the gradient of a batch is computed: more take less memory.
    max_norm
        To which a member's gradient is shortened, if it is longer; None: never.
    max_length
        Tokens of a text that are read while training; None: as many as the encoder reads.
    dropout
        Probability of all dropout of the encoder, and of that before the linear layer.
    precision
        ``float32``; or ``bf16`` for mixed precision, which only an accelerator that has it computes.
    memory
        Under ``when=batch``: how many recent rows' representations a row may be mixed with.
    hidden, optimizer
        Of the head under ``when=features``: as of `synaug.classifier.Classifier`.

    References
    ----------
    Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022.
    Kang et al., "Decoupling representation and classifier for long-tailed recognition", ICLR 2020.
    """

    _: KW_ONLY
    rank: int | None = None
    alpha: float = 16.0
    when: str = FEATURES
    lr: float = 5e-5
    head_lr: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    max_steps: int = 128
    batch_size: int = 16
    accumulate: int = 1
    max_norm: float | None = 1.0
    max_length: int | None = None
    dropout: float = 0.1
    precision: str = "float32"
    memory: int = 1024
    hidden: Sequence[int] = (128,)
    optimizer: Callable[..., Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        settings.require("classifier", settings.OF_A_TARGET["synaug.classifier.FineTuned"], self._but_the_head)

    @property
    def _but_the_head(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name not in ("hidden", "optimizer")}

    @property
    def of_the_encoder(self) -> dict[str, Any]:
        """What decides the tuned encoder, by name: all but the head of ``when=features``, and what has no effect."""
        without_effect = {"memory": self.when != settings.BATCH, "alpha": not self.rank}
        return {name: value for name, value in self._but_the_head.items() if not without_effect.get(name, False)}

    @property
    def head(self) -> "Callable[..., Classifier]":
        """What is trained on tuned vectors: `synaug.classifier.Classifier` without what the data decide."""
        from synaug.classifier.module import Classifier

        optimizer: dict[str, Any] = {} if self.optimizer is None else {"optimizer": self.optimizer}
        return partial(Classifier, hidden=self.hidden, **optimizer)
