"""The folder of a model: tensors, what they mean, and a card; no pickle, no code, and nothing that was altered."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.errors import UserError
from synaug.files.atomic import finished, open_regular, replacing_folder
from synaug.files.digest import json_sha256
from synaug.model import sklearn_head, tuned
from synaug.model.head import SKLEARN, Head
from synaug.model.sound import SIZES, fault_of_config, fault_of_head

CONFIG, HEAD, CARD = "config.json", "head.safetensors", "README.md"
FORMATS = FROZEN, TUNED = 1, 2  # another is needed where an older synaug would misread what a newer one writes
MARK = "synaug_model"  # the key of the config that holds it
OF_THE_FOLDER = (MARK, "head", "sha256_of_files", "bytes_of_files")  # keys of the config that `write` adds
LARGEST = 1 << 26  # bytes of a config, or of a card: a cost matrix of a thousand classes has a tenth


@dataclass(frozen=True)
class Stored:
    """What a folder holds.

    Attributes
    ----------
    config
        As it was given to `write`.
    head
        The fitted classifiers.
    card
        Text of the model card; somebody may have edited it.
    tuned
        What each of its encoders has of its own; none of a model that reads a pretrained encoder as it is.
    """

    config: Mapping[str, Any]
    head: Head
    card: str
    tuned: Sequence[Mapping[str, NDArray[Any]]] = ()


def write(folder: Path, stored: Stored) -> None:
    """Write a model, whole or not at all; an older model there is replaced.

    Raises
    ------
    UserError
        If something else stands there, or scikit-learn's classifiers cannot be kept.
    """
    refuse_what_is_no_model(folder)
    head = stored.head
    encoders = {tuned.name_of(place): _tensors(weights) for place, weights in enumerate(stored.tuned)}
    files = {HEAD: _tensors(head.tensors), **sklearn_head.written(head), **encoders}
    given = {
        MARK: TUNED if encoders else FROZEN,
        **stored.config,
        "head": {
            "kind": head.kind,
            "n_features": head.n_features,
            "n_classes": head.n_classes,
            "n_members": head.n_members,
            **head.settings,
        },
        "sha256_of_files": {name: sha256(content).hexdigest() for name, content in files.items()},
        "bytes_of_files": {name: len(content) for name, content in files.items()},
    }
    about = json.loads(json.dumps(given))  # as it is read: JSON has neither tuples nor keys that are numbers
    config = json.dumps({**about, "sha256": json_sha256(about)}, indent=1)
    with replacing_folder(folder) as place:
        for name, content in {**files, CONFIG: config.encode(), CARD: stored.card.encode()}.items():
            _flushed(place / name, content)


def refuse_what_is_no_model(folder: Path) -> None:
    """See that a model may be written to a place.

    Raises
    ------
    UserError
        If something stands there that is neither a model nor an empty folder, or holds files beside a model's.
    """
    folder = finished(folder)
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir() or folder.is_symlink():
        raise UserError(f"{folder} is no folder of a model, and is not overwritten: give another place")
    names = sorted(path.name for path in folder.iterdir())
    if names and not _is_model(folder):
        raise UserError(
            f"{folder} holds files and is no model of synaug's, so it is not overwritten: give another place"
        )
    own = (CONFIG, HEAD, CARD)
    others = [name for name in names if name not in own and not sklearn_head.is_own(name) and not tuned.is_own(name)]
    if others:
        raise UserError(
            f"{folder} holds {others[0]!r} beside a model, which would be lost: move it, or give another place"
        )


def read(folder: Path) -> Stored:
    """Read a model.

    Raises
    ------
    UserError
        If there is none, a file of it is missing or was altered, it holds what no model is, or a newer synaug wrote it.
    """
    folder = finished(folder)
    config = _config(folder)
    about = config["head"]
    content = _checked(folder, config, HEAD)
    estimators = sklearn_head.read(
        [_checked(folder, config, sklearn_head.name_of(member)) for member in range(about["n_members"])]
        if about["kind"] == SKLEARN
        else []
    )
    settings = {name: about[name] for name in ("k", "metric") if name in about}
    n_features, n_classes, n_members = (about[name] for name in SIZES)
    tensors = _loaded(folder / HEAD, content)
    head = Head(about["kind"], n_features, n_classes, n_members, tensors, settings, estimators)
    if (fault := fault_of_head(head)) is not None:
        raise _unsound(folder / HEAD, fault)
    n_encoders = sum(map(tuned.is_own, config["sha256_of_files"]))
    names = map(tuned.name_of, range(n_encoders))
    encoders = [_loaded(folder / name, _checked(folder, config, name)) for name in names]
    if (fault := tuned.fault_of_encoders(encoders, head.n_spaces)) is not None:
        raise _unsound(folder / CONFIG, fault)
    return Stored(config, head, _card(folder / CARD), encoders)


def _card(path: Path) -> str:
    """The card, which is for people alone: one that is gone or no text is none, and no reason not to predict."""
    try:
        with open_regular(path) as file:
            return file.read(LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder: give the folder of a model that synaug has fitted")
    try:
        with open_regular(path) as file:
            content = file.read(LARGEST + 1)
        config = json.loads(content) if len(content) <= LARGEST else None
    except FileNotFoundError:
        raise UserError(f"{folder} holds no {CONFIG}: give the folder of a model that synaug has fitted") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON, so it was altered: fit the model again") from error
    if not isinstance(config, dict) or MARK not in config:
        raise UserError(f"{path} is not of a model of synaug's: give the folder of a model that synaug has fitted")
    if config[MARK] not in FORMATS:
        known = " and ".join(map(str, FORMATS))
        raise UserError(f"{path} is of format {config[MARK]!r:.20}, and this synaug reads {known}: update synaug")
    digest = config.pop("sha256", None)
    if digest != json_sha256(config):
        raise UserError(f"{path} was altered after the model was fitted: take it from where it was, or fit it again")
    if (fault := fault_of_config(config)) is not None:
        raise _unsound(path, fault)
    return config


def _unsound(path: Path, fault: str) -> UserError:
    return UserError(f"{path} is of no model that synaug has written ({fault}): take another, or fit one")


def _is_model(folder: Path) -> bool:
    try:
        _config(folder)
    except UserError:
        return False
    return True


def _checked(folder: Path, config: Mapping[str, Any], name: str) -> bytes:
    """A file's bytes, which are those that the config names."""
    path = folder / name
    sizes = config.get("bytes_of_files")  # which older models have not
    try:
        with open_regular(path) as file:
            # No more is read than was written, however large a file stands there now.
            content = file.read(sizes[name] + 1 if isinstance(sizes, dict) and isinstance(sizes.get(name), int) else -1)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: take it from where the model was, or fit the model again") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    if sha256(content).hexdigest() != config["sha256_of_files"].get(name):
        raise UserError(f"{path} was altered after the model was fitted: take it from where it was, or fit it again")
    return content


def _tensors(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    from safetensors.numpy import save

    content: bytes = save({name: np.ascontiguousarray(array) for name, array in tensors.items()})
    return content


def _loaded(path: Path, content: bytes) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors: dict[str, NDArray[Any]] = load(content)
    except (SafetensorError, KeyError) as error:  # a KeyError: of a type that NumPy has not
        raise _unsound(path, "it holds no tensors") from error
    return tensors


def _unreadable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path} cannot be read ({error.strerror or error}): mend its access rights, or fit the model again"
    )


def _flushed(path: Path, content: bytes) -> None:
    """Write a file, and have it on the disk before the folder gets its name."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
