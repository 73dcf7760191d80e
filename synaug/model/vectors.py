"""Texts to vectors, by the encoder that a model was fitted with and by no other."""

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaug.errors import UserError

if TYPE_CHECKING:
    from synaug.encoder import Encoder
    from synaug.encoder.tuned import Weights

ROOM = "synaug.encoder"  # whose encoders a model may make by itself: all others are code that somebody brings
Vectors = NDArray[np.float32]
# What of an encoder's settings says how it runs: each machine has its own, so a model keeps none of them.
RUNNING = ("device", "batch_tokens", "batch_size")
# And what says where it is; neither decides a number.
PLACES = ("model", "revision", "package", *RUNNING)
OF_A_PLACE = ("revision", "package", "sha256")  # said of a model where it was; elsewhere they do not hold


def made(settings: Mapping[str, Any], places: Mapping[str, Any]) -> "Encoder":
    """Make the encoder of a model; it loads nothing yet.

    Parameters
    ----------
    settings
        As a run's config has them, with ``_target_``.
    places
        Some of `PLACES`: where it lies now.

    Raises
    ------
    UserError
        If it is none of synaug's own, or has no such place.
    """
    room, _, name = str(settings["_target_"]).rpartition(".")
    if room != ROOM or name not in import_module(ROOM).__all__:
        raise UserError(
            f"the model's encoder is {settings['_target_']}, which is none of synaug's: make it yourself, and give it "
            "as encoder=... to synaug.load_model, or name its configs with --config-dir"
        )
    makes = getattr(import_module(ROOM), name)
    known = signature(makes).parameters
    others = [key for key in places if key not in known]
    if others:
        raise UserError(
            f"encoder.{others[0]} is not a setting of the model's encoder, {name}: leave it out (it has "
            f"{', '.join(f'encoder.{key}' for key in PLACES if key in known)})"
        )
    arguments = {key: value for key, value in moved(settings, places).items() if not key.startswith("_")}
    encoder: Encoder = makes(**arguments)
    return encoder


def moved(settings: Mapping[str, Any], places: Mapping[str, Any]) -> dict[str, Any]:
    """An encoder's settings where it lies elsewhere: a package that carried its weights is then not read any more.

    Whether they are the same weights, `refuse_another` sees.
    """
    left = OF_A_PLACE if "model" in places else ()
    return {key: None if key in left else value for key, value in settings.items()} | dict(places)


def kept(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a model keeps of its encoder's settings: all but how one of synaug's own ran on this machine."""
    is_own = str(settings["_target_"]).rpartition(".")[0] == ROOM
    return {key: value for key, value in settings.items() if not (is_own and key in RUNNING)}


def as_tuned(encoder: "Encoder", encoders: "Sequence[Weights]") -> "Encoder":
    """An encoder with what tuned ones have of their own, side by side; as it is where none was tuned.

    Raises
    ------
    UserError
        If it has no weights that others could replace.
    """
    if not encoders:
        return encoder
    from synaug.encoder import TransformerEncoder
    from synaug.encoder.tuned import SideBySide, TunedEncoder

    if not isinstance(encoder, TransformerEncoder):
        raise UserError(
            f"the model's encoder was tuned, which {type(encoder).__name__} cannot be: give a TransformerEncoder, or "
            'where it lies, {"model": FOLDER}'
        )
    return SideBySide([TunedEncoder.of(encoder, weights) for weights in encoders])


def refuse_decisive(places: Mapping[str, Any]) -> None:
    """Refuse settings of an encoder that say more than where it lies and how it runs; raises `UserError`."""
    others = [key for key in places if key not in PLACES]
    if others:
        raise UserError(
            f"encoder.{others[0]} decides what vectors are, so a model has it for good: give "
            f"{', '.join(f'encoder.{key}' for key in PLACES)} alone, or fit another model"
        )


def refuse_another(encoder: "Encoder", identity: Mapping[str, Any]) -> None:
    """See that an encoder is the one that a model was fitted with.

    Raises
    ------
    UserError
        If it is not; the sentence names what differs.

    Notes
    -----
    Identities are compared as JSON has them: a tuple of the encoder's is a list in the model's folder.
    """
    now, identity = (json.loads(json.dumps(dict(each))) for each in (encoder.identity(), identity))
    differing = sorted(key for key in {*now, *identity} if now.get(key) != identity.get(key))
    if differing:
        key = differing[0]
        raise UserError(
            f"the encoder is not the one that the model was fitted with: its {key} is {_short(now.get(key))}, and was "
            f"{_short(identity.get(key))}: give the encoder that it was fitted with (encoder.model=...), or fit the "
            "model again"
        )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"


def as_vectors(given: Any, n_features: int) -> Vectors:
    """Vectors as a head takes them, float32 `[n, d]`.

    Raises
    ------
    UserError
        If they are no numbers, of another width, or not finite.
    """
    try:
        vectors = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise UserError(f"vectors must be numbers of one width ({error}): give an array [n, {n_features}]") from error
    if vectors.ndim != 2 or vectors.shape[1] != n_features:
        raise UserError(
            f"vectors of shape {list(vectors.shape)} are given, but the model was fitted on vectors of {n_features} "
            f"numbers: give an array [n, {n_features}] of the same encoder's"
        )
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise UserError(f"the vector in row {bad[0] + 1} holds NaN or infinity: mend or remove it")
    return vectors
