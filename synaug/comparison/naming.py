"""Names for runs: the scenario, the augmenter and the loss of each, by their options and by all that differs."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from synaug import record as records
from synaug.comparison.labels import NO_AUGMENTER, Scenario
from synaug.files.digest import json_sha256, text_sha256
from synaug.settings import AMOUNTS, AUTO, amounts

PLAIN_OPTION = "plain"
NESTED = "nested"  # the default: other ways of choosing are named wherever they are shown
CROSS_ENTROPY = {"_target_": "torch.nn.functional.cross_entropy", "label_smoothing": 0}
FILE_TARGET = "synaug.dataset.FileDataset"
VECTORS_TARGET = "synaug.encoder.PrecomputedVectors"
LONGEST = 40

Record = Mapping[str, Any]
Key = tuple[str, ...]  # where a setting stands, e.g. ("augmenter", "k_neighbors")
Settings = Mapping[Key, Any]


class _Unset(Enum):
    """What stands for a setting that a run lacks, and is no value that one could have."""

    UNSET = "unset"

    def __str__(self) -> str:
        return self.value


UNSET = _Unset.UNSET


@dataclass(frozen=True)
class RunName:
    """What a run is called among others.

    Attributes
    ----------
    scenario, augmenter, loss
        As in `synaug.comparison.labels`.
    content
        Which data set it is, whatever it is called: a digest.
    settings
        The settings in which runs of its options differ, by their dotted names.
    """

    scenario: Scenario
    augmenter: str
    loss: str
    content: str
    settings: Mapping[str, Any]


def name_runs(runs: Sequence[Record]) -> list[RunName]:
    """Name the scenario, the augmenter and the loss of each record, so that nothing different is called alike."""
    contents, datasets = _contents(runs), [_dataset(record) for record in runs]
    datasets = [
        f"{name} #{content}" if ambiguous else name
        for name, content, ambiguous in zip(datasets, contents, _ambiguous(datasets, contents), strict=True)
    ]
    settings = [dict(flat(records.science(record["config"]))) for record in runs]
    differing = _differing(settings, [record["choices"] for record in runs])
    losses = list(map(_loss, runs, differing))
    scenarios = list(map(_scenario, runs, datasets, differing))
    scenarios = _apart_by_shared(scenarios, runs, settings)
    augmenters = list(map(_augmenter, runs, differing))
    augmenters = _apart_by_identity(augmenters, scenarios, losses, runs)
    given = [{".".join(key): value for key, value in each.items() if value is not UNSET} for each in differing]
    return list(map(RunName, scenarios, augmenters, losses, contents, given))


def _ambiguous(names: Sequence[Hashable], contents: Sequence[str]) -> list[bool]:
    """Whether the same name stands for other contents, too: nothing may be pooled because it is called alike."""
    contents_of = defaultdict(set)
    for name, content in zip(names, contents, strict=True):
        contents_of[name].add(content)
    return [len(contents_of[name]) > 1 for name in names]


def _contents(runs: Sequence[Record]) -> list[str]:
    """Digests of data sets: runs of one source (a file, a pinned revision) or of the same texts are of one data set."""
    parents: dict[str, str] = {}  # a forest, of which each tree is one data set

    def root(key: str) -> str:
        while (parent := parents.setdefault(key, key)) != key:
            key = parent
        return key

    keys = [(f"source {record['data']['source']}", f"texts {record['data']['fingerprint']}") for record in runs]
    for source, texts in keys:
        first, second = sorted((root(source), root(texts)))
        parents[second] = first
    return [text_sha256(root(source))[:6] for source, _ in keys]


def _dataset(record: Record) -> str:
    """What a data set is called: the option's name, or that of the user's own file."""
    option = str(record["choices"]["dataset"])
    if option != "files" and record["config"].get("dataset", {}).get("_target_") != FILE_TARGET:
        return option
    return " ".join(str(record["data"]["name"]).split()) or option


def _encoder(record: Record) -> str:
    """What an encoder is called: the option's name, or that of the user's own vectors."""
    encoder = record["config"].get("encoder", {})
    named = encoder.get("name") if encoder.get("_target_") == VECTORS_TARGET else None
    return " ".join(str(named).split()) if named else str(record["choices"]["encoder"])


def _scenario(record: Record, dataset: str, differing: Settings) -> Scenario:
    choices, imbalance = record["choices"], record["config"]["imbalance_ratio"]
    named = [("dataset", "name")] if dataset != choices["dataset"] else []
    settings = [
        _setting(".".join(key), differing[key])
        for key in sorted(differing)
        if not _is_of_method(key) and key not in named
    ]
    validation = choices.get("validation", NESTED)
    if validation != NESTED:
        settings.insert(0, f"validation={validation}")
    ratio, profile = imbalance.get("ratio"), imbalance.get("profile", "step")
    return Scenario(
        dataset,
        _encoder(record),
        choices["imbalance_ratio"],
        choices["classifier"],
        settings=tuple(settings),
        ratio=float("nan") if ratio is None else float(ratio),
        profile="" if profile == "step" or ratio in (None, 1) else profile,
    )


def _is_of_method(key: Key) -> bool:
    return key[0] in ("augmenter", "loss") or (key[:2] == ("classifier", "loss") and len(key) > 2)


def _apart_by_shared(
    scenarios: Sequence[Scenario], runs: Sequence[Record], settings: Sequence[Settings]
) -> list[Scenario]:
    """Tell scenarios apart by the data, the weights and all settings that methods share, e.g. two files' columns."""
    digests = []
    for record, given in zip(runs, settings, strict=True):
        shared = {".".join(key): value for key, value in given.items() if not _is_of_method(key)}
        digests.append(json_sha256([record["data"]["fingerprint"], record["encoder"], shared])[:8])
    return [
        replace(scenario, settings=(*scenario.settings, f"content={digest}")) if ambiguous else scenario
        for scenario, digest, ambiguous in zip(scenarios, digests, _ambiguous(scenarios, digests), strict=True)
    ]


def _apart_by_identity(
    augmenters: Sequence[str], scenarios: Sequence[Scenario], losses: Sequence[str], runs: Sequence[Record]
) -> list[str]:
    digits = [record["identity"][: records.RUN_DIGITS] for record in runs]
    names = list(zip(scenarios, augmenters, losses, strict=True))
    return [
        f"{augmenter} #{identity}" if ambiguous else augmenter
        for augmenter, identity, ambiguous in zip(augmenters, digits, _ambiguous(names, digits), strict=True)
    ]


def _differing(settings: Sequence[Settings], choices: Sequence[Mapping[str, str]]) -> list[dict[Key, Any]]:
    """Of each run, the settings in which runs of its option of the group (outside of the groups: all runs) differ.

    A setting that one run has and another lacks (`UNSET`) is a difference, too.
    """
    options = [{group: chosen.get(group) for group in records.SCIENTIFIC} for chosen in choices]
    # What follows from the ratio, which a scenario has, is nothing that a reader has set.
    derived = ("dataset", records.IN_PROPORTION)
    keys_of: dict[tuple[str, str | None], set[Key]] = defaultdict(set)
    for given, chosen in zip(settings, options, strict=True):
        for key in given:
            if key != derived:
                keys_of[key[0], chosen[key[0]]].add(key)
    values: dict[tuple[str | None, Key], set[str]] = defaultdict(set)
    for given, chosen in zip(settings, options, strict=True):
        for option in chosen.items():
            for key in keys_of[option]:
                values[option[1], key].add(_written(given.get(key, UNSET)))
    return [
        {
            key: given.get(key, UNSET)
            for option in chosen.items()
            for key in sorted(keys_of[option])
            if len(values[option[1], key]) > 1
        }
        for given, chosen in zip(settings, options, strict=True)
    ]


def _augmenter(record: Record, differing: Settings) -> str:
    """The augmenter's option, its settings, and the share of the gap that it fills."""
    name, choices = str(record["choices"]["augmenter"]), amounts(record["config"]["augmenter"]["amount"])
    if name == NO_AUGMENTER:
        return name
    of_share = ("augmenter", "amount")
    settings = [
        _setting(name, value) for key, name, value in _settings_of("augmenter", record, differing) if key != of_share
    ]
    share = [] if list(choices) == [1.0] and of_share not in differing else [_share(choices)]
    return " ".join([name, *settings, *share])


def _share(choices: Sequence[float]) -> str:
    """The share of the gap that is filled, or the word for one that is chosen, with what there was to choose from."""
    if len(choices) == 1:
        return f"{100 * choices[0]:g} %"
    return AUTO if choices == AMOUNTS else f"{AUTO} of {', '.join(f'{100 * each:g}' for each in choices)} %"


def _loss(record: Record, differing: Settings) -> str:
    """The loss's option and its settings; nothing for the plain loss."""
    option = record["choices"].get("loss")
    if option is None:
        return _older_loss(record)
    settings = [(name, value) for _, name, value in _settings_of("loss", record, differing)]
    if option == PLAIN_OPTION:  # which without label smoothing is the baseline's
        return " ".join(_setting(name, value) for name, value in settings if value and value is not UNSET)
    return " ".join([option, *(_setting(name, value) for name, value in settings)])


def _older_loss(record: Record) -> str:
    """Of records that have the loss among the settings of the classifier: what makes it other than cross-entropy."""
    loss = dict(record["config"]["classifier"].get("loss") or CROSS_ENTROPY)
    loss.pop("_partial_", None)
    target = str(loss.pop("_target_"))
    name = target.rpartition(".")[2]
    named = [] if target == CROSS_ENTROPY["_target_"] else [target if name == "cross_entropy" else name]
    settings = [f"{key}={_short(loss[key])}" for key in sorted(loss) if CROSS_ENTROPY.get(key) != loss[key]]
    return " ".join([*named, *settings])


def _settings_of(group: str, record: Record, differing: Settings) -> Iterator[tuple[Key, str, Any]]:
    """The settings of a group in which runs differ, each with the name by which the group's option is told from it."""
    of_group = [key for key, _ in flat(record["config"].get(group) or {}, (group,))]
    of_group += [key for key in differing if key[0] == group and key not in of_group]
    for key, value in differing.items():
        if key[0] == group:
            name = shortest(key, of_group)
            yield key, ".".join(name[1:] or name), value


def shortest(key: Key, others: Iterable[Key]) -> Key:
    """A setting's last name alone, or all of its names where another setting has the same last one."""
    is_alike = any(other[-1] == key[-1] for other in others if other != key)
    return key if is_alike else key[-1:]


def _setting(name: str, value: Any) -> str:
    return f"{name} {UNSET}" if value is UNSET else f"{name}={_short(value)}"


def _short(value: Any) -> str:
    text = _written(value)
    return text if len(text) <= LONGEST else f"{text[:16]}…{text_sha256(text)[:8]}"


def _written(value: Any) -> str:
    """A setting's value as text; text that reads as a number, say, stands in quotes."""
    text = str(value)
    return repr(text) if isinstance(value, str) and _reads_as_another(text) else text


def _reads_as_another(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text.strip().lower() in ("", "true", "false", "none", "null", "~", str(UNSET))
    return True


def flat(settings: Mapping[str, Any], within: Key = ()) -> Iterator[tuple[Key, Any]]:
    """All settings by where they stand, lists as text."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, (*within, key))
        else:
            yield (*within, key), str(value) if isinstance(value, list | Mapping) else value
