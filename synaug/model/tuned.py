"""Tuned encoders in the folder of a model: what each has of its own, above the weights of the pretrained one."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from synaug.encoder.tuned import Weights
    from synaug.training.predictions import Member

OWN = re.compile(r"encoder-\d+\.safetensors")


def name_of(place: int) -> str:
    """The file of one encoder."""
    return f"encoder-{place}.safetensors"


def is_own(name: str) -> bool:
    """Whether a file is called as those of encoders are."""
    return OWN.fullmatch(name) is not None


def encoders_of(members: "Sequence[Member]") -> "tuple[list[Weights], NDArray[np.int64]]":
    """What the encoders of some members have of their own, each once; and which of them each member reads, `[m]`.

    Of members that read the data set's encoder as it is, the list is empty.
    """
    # Not above: loading a model must not wait for what encodes.
    from synaug.encoder.tuned import sha256_of

    digests = [sha256_of(member.tuned) for member in members]
    first = list(dict.fromkeys(digests))
    weights = [members[digests.index(digest)].tuned for digest in first]
    places = np.array([first.index(digest) for digest in digests], np.int64)
    return (weights if any(weights) else []), places


def fault_of_encoders(encoders: "Sequence[Weights]", n_spaces: int) -> str | None:
    """What is wrong with a model's tuned encoders, in words; None where nothing is."""
    if len(encoders) != n_spaces and (encoders or n_spaces > 1):
        return f"it has {len(encoders)} tuned encoders where its head reads {n_spaces}"
    for place, weights in enumerate(encoders):
        for name, each in weights.items():
            if each.dtype != np.float32 or not np.isfinite(each).all():
                return f"{name} of {name_of(place)} holds other than finite float32"
    return None


def about(config: Mapping[str, Any], encoders: "Sequence[Weights]") -> dict[str, Any] | None:
    """How encoders were tuned, and how large what they have of their own is; None where none was.

    Parameters
    ----------
    config
        Of the classifier (`synaug.classifier.FineTuned`).
    """
    if not encoders:
        return None
    settings = {name: config.get(name) for name in ("when", "rank", "alpha", "lr", "max_steps")}
    return {**settings, "encoders": len(encoders), "numbers": sum(each.size for each in encoders[0].values())}
