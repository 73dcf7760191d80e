"""A run's identity: a hash of what decides its numbers, and of nothing else.

Seeds are left out: they are the run's repetitions, and more of them can be added to its record at any time.
"""

from collections.abc import Mapping
from typing import Any

from synaug.files.digest import json_sha256
from synaug.seeding import OWN_FILE
from synaug.settings import AUTO, FLOAT32, amounts, is_number

# How runs are made, apart from settings. It rises where the same settings come to mean other numbers for everybody, and
# stays as it is whatever becomes of the records, or every run would have another name.
FORM = {"protocol": 2}
RUN_DIGITS = 8  # of an identity, at the end of the name of a run's folder
# Enters the identity, and is no setting: a cap under a natural ratio.
IN_PROPORTION = "max_per_class_in_proportion"

# What decides a run's numbers. Logging, devices and output folders do not. Nor do seeds: each has numbers of its own,
# whichever others are beside it, so a run's record lists those that it holds.
SCIENTIFIC = (
    "dataset",
    "encoder",
    "imbalance_ratio",
    "augmenter",
    "loss",
    "classifier",
    "n_folds",
    "max_steps",
    "batch_size",
    "standardize",
    "target_prior",
    "validation",
    "trainer",
)
NOT_SCIENTIFIC = {
    # Where data and weights lie does not matter: `source()` says what they are.
    "dataset": ("licence", "paper", "path"),
    "encoder": ("model", "revision", "package", "sha256", "batch_tokens", "device"),
    "trainer": (
        "accelerator",
        "devices",
        "num_nodes",
        "enable_progress_bar",
        "enable_model_summary",
        "log_every_n_steps",
        "profiler",
        "default_root_dir",
    ),
}
# The same of files that a user brings, by the target that reads them: `source()` (or `digest()`) says what is in them.
OWN_FILES = {
    "synaug.augmenter.Texts": ("path",),
    "synaug.encoder.PrecomputedVectors": ("path", "column", "id", "ids", "name"),
    # No file, but not meant to change numbers either.
    "synaug.encoder.SentenceTransformerEncoder": ("batch_size",),
}


def identity(config: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    """Hash what decides a run's numbers.

    Parameters
    ----------
    config
        The resolved config; only its scientific part counts.
    sources
        What the data and the weights are (digests or pinned revisions), whatever they are called; and an augmenter's
        own files, where it has some.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return json_sha256({**FORM, "config": science(config), "sources": dict(sources)})


def science(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a resolved config that decides numbers; what is the same by two ways of writing is written as one."""
    decisive: dict[str, Any] = {key: config[key] for key in SCIENTIFIC if key in config}
    for group, left_out in NOT_SCIENTIFIC.items():
        if group in decisive:
            decisive[group] = {key: value for key, value in decisive[group].items() if key not in left_out}
    if "encoder" in decisive:
        decisive["encoder"] = _without_own_files(decisive["encoder"])
        if decisive["encoder"].get("precision") == FLOAT32:  # what all were before there was a choice
            del decisive["encoder"]["precision"]
    if "dataset" in decisive:
        decisive["dataset"] = _dataset(decisive["dataset"], config.get("imbalance_ratio", {}))
    if "augmenter" in decisive and is_idle(decisive["augmenter"]):
        replicas = decisive["augmenter"].get("replicas", 1)  # more classifiers, even where nothing is added
        decisive["augmenter"] = {"amount": 0, **({"replicas": replicas} if replicas != 1 else {})}
    elif "augmenter" in decisive:
        decisive["augmenter"] = _without_own_files(decisive["augmenter"])
        if not is_number(decisive["augmenter"].get("amount", 0)):
            decisive["augmenter"]["amount"] = _amount(decisive["augmenter"]["amount"])
    return {key: _whole_numbers(value) for key, value in decisive.items()}


def _without_own_files(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part's settings but for those that say where its files are, and how to read them."""
    left_out = OWN_FILES.get(str(part.get("_target_")), ())
    return {key: value for key, value in part.items() if key not in left_out}


def _dataset(dataset: Mapping[str, Any], imbalance_ratio: Mapping[str, Any]) -> dict[str, Any]:
    """The data set's settings as they enter the identity."""
    decisive = dict(dataset)
    if "name" in decisive and decisive["name"] is None:
        decisive["name"] = OWN_FILE
    if decisive.get("max_per_class") is not None and imbalance_ratio.get("ratio", 1) is None:
        decisive[IN_PROPORTION] = True  # other rows than a cap on each class would leave
    return decisive


def groups_with_sources(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The groups of a config whose parts stand for content: data, weights, and an augmenter that reads a file."""
    augmenter = config.get("augmenter") or {}
    reads = str(augmenter.get("_target_")) in OWN_FILES and augmenter.get("amount") != 0
    return ("dataset", "encoder", *(("augmenter",) if reads else ()))


def _amount(setting: Any) -> Any:
    """What there is to choose from; one amount is no choice."""
    if setting != AUTO and not (isinstance(setting, list | tuple) and setting and all(map(is_number, setting))):
        return setting  # has no meaning: a run's folder has its name before its settings are looked at, and refused
    choices = amounts(setting)
    return list(choices) if len(choices) > 1 else choices[0]


def is_idle(augmenter: Mapping[str, Any]) -> bool:
    """Whether nothing is added: nothing is asked for, or the sampler is imbalanced-learn's identity.

    Several classifiers that are averaged are something, though each trains on the same rows.
    """
    is_identity = augmenter.get("_target_") == "imblearn.FunctionSampler" and augmenter.get("func") is None
    asks_for_nothing = augmenter.get("amount") in (0, [0])
    return augmenter.get("replicas", 1) == 1 and (asks_for_nothing or is_identity)


def _whole_numbers(value: Any) -> Any:
    """Write 10.0 as 10, so that both ways of giving a ratio are one run."""
    if isinstance(value, Mapping):
        return {str(key): _whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
