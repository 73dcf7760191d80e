"""What the runs below some folders show: their scores in one table, each run named as method and block."""

import gc
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from synaug import record as records
from synaug.errors import UserError
from synaug.files.digest import json_sha256, text_sha256
from synaug.record import shapes

PLAIN_LOSS = {"_target_": "torch.nn.functional.cross_entropy", "label_smoothing": 0}
FILE_TARGET = "synaug.dataset.FileDataset"
LONGEST = 40
RUN_DIGITS = 8  # of its identity, at the end of the name of a run's folder
LABELS = ("block", "augmenter", "loss")
SETTINGS = ("dataset", "encoder", "imbalance_ratio", "ratio", "classifier")
# Where classes are thinned, test folds are balanced, and there both are one score; a thinned
# validation part is not balanced, and a choice by its accuracy would follow its prior.
CHOOSE_BY = {"accuracy": "balanced_accuracy"}


class _Unset(Enum):
    """What stands for a setting that a run lacks, and is no value that one could have."""

    UNSET = "unset"

    def __str__(self) -> str:
        return self.value


UNSET = _Unset.UNSET


@dataclass(frozen=True)
class Evidence:
    """Runs, read.

    Attributes
    ----------
    runs
        One row a run: `run`, `identity`, `name` (of the experiment), `folder`, the choices
        (`dataset`, of a user's own file its name, `encoder`, `imbalance_ratio`, `classifier`), `ratio` (NaN:
        natural), `amount`, `augmenter` and `loss` (labels: the option and every setting in which runs of one
        option differ), `block` (a label of all that a method is compared within), `content` (which data set
        it is, whatever it is called), `n_classes`, `n_minority` (classes), `rows_made` (synthetic ones, or
        removed, by all members), `by_fallback` (the share of the synthetic rows that a fallback made; NaN
        where there are none), `code`, `finished`, `seconds`, `peak_memory_bytes`; then each setting in which
        runs of one option differ, under its dotted name: numbers, true and false or text as they are, text
        where runs have several of these, and missing where a run lacks the setting or has null.
    scores
        One row a score: `block`, `augmenter`, `loss`, `identity`, the choices, `ratio`, `seed`, `fold`,
        `decision`, `metric`, `class` (missing for scores of all classes), `value`.
    validation
        The scores of all classes on validation rows: `block`, `augmenter`, `loss`, `seed`, `fold`,
        `decision`, `metric`, `value`.
    records
        By identity, what else stands in each record.
    failures
        Runs that failed (the last time): `run`, `sentence`, `type`, `overrides`, whether the folder's last
        sweep wanted them (`current`), and whether an older record stands all the same (`recorded`).
    left_out
        A sentence on each file that was not read, as it is not what we write.
    """

    runs: pd.DataFrame
    scores: pd.DataFrame
    validation: pd.DataFrame
    records: Mapping[str, dict[str, Any]]
    failures: Sequence[dict[str, Any]]
    left_out: Sequence[str] = ()

    def members(self, metric: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Scores of one metric, of all classes, for comparing members.

        Returns
        -------
        members, validation : DataFrame
            `block`, `augmenter`, `loss`, `decision`, `seed`, `fold`, `value`; the latter is what a
            decision rule may be chosen by.
        """
        columns = [*LABELS, "decision", "seed", "fold", "value"]
        overall = self.scores["class"].isna() & (self.scores["metric"] == metric)
        chosen_by = pd.Series(metric, index=self.validation.index)
        if metric in CHOOSE_BY:
            thinned = set(self.runs["block"][self.runs["ratio"].notna()])
            chosen_by[self.validation["block"].isin(thinned)] = CHOOSE_BY[metric]
        validation = self.validation[self.validation["metric"] == chosen_by]
        return self.scores.loc[overall, columns], validation[columns]

    def idle_blocks(self) -> set[str]:
        """Blocks in which no class is a minority, and no run made or removed a row: there was nothing to augment."""
        by_block = self.runs.groupby("block")[["n_minority", "rows_made"]].max()
        return set(by_block.index[(by_block == 0).all(axis=1)])

    def code_versions(self) -> dict[str, list[str]]:
        """Runs (their folders' names) by the version of the code, and of the packages of which there are several."""
        made_with = [record["versions"] for record in self.records.values()]
        packages_met = {name for versions in made_with for name in versions}
        several = {name for name in packages_met if len({versions.get(name) for versions in made_with}) > 1}
        found = defaultdict(list)
        for record in self.records.values():
            packages = ", ".join(f"{name} {each}" for name, each in record["versions"].items() if name in several)
            found[f"code {record['code'][:8]}{packages and f' with {packages}'}"].append(record["run"])
        return dict(found)


@dataclass
class _Found:
    """What was read so far."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read(folders: Iterable[str | Path]) -> Evidence:
    """Read all records below some folders; a run that stands in several of them counts once.

    A file that is not as we write it is left out, and named in `Evidence.left_out`.

    Raises
    ------
    UserError
        If there is neither a sound record nor a failure below the folders.
    """
    paths = [Path(folder) for folder in folders]
    collects = gc.isenabled()
    gc.disable()  # a thousand records are millions of small lists, none of them garbage: half of the time
    try:
        found = _found(paths)
        if not found.records and not found.failures:
            named = ", ".join(map(str, paths))
            if found.left_out:
                raise UserError(f"no sound {records.RECORD} below {named} ({found.left_out[0]}): run it again")
            raise UserError(f"no {records.RECORD} below {named}: give the folder of an experiment that has run")
        runs = _runs(found.records, found.places)
        scores, validation = (
            _long(runs, {key: record.pop(name) for key, record in found.records.items()}, columns)
            for name, columns in (
                ("scores", records.SCORE_COLUMNS),
                ("validation_scores", records.VALIDATION_COLUMNS),
            )
        )
    finally:
        if collects:
            gc.enable()
    return Evidence(runs, scores, validation, found.records, found.failures, found.left_out)


def _found(paths: Sequence[Path]) -> _Found:
    found = _Found()
    places: dict[str, list[Path]] = {records.RECORD: [], records.FAILURE: []}
    for folder in paths:
        if not folder.is_dir():
            raise UserError(f"{folder} is no folder: give the folder of an experiment that has run")
        for name, below in _below(folder, tuple(places), found.left_out).items():
            places[name] += below
    known = {name: list({path.absolute(): path for path in own}.values()) for name, own in places.items()}
    sound = set()
    for path in tqdm(known[records.RECORD], "reading records", unit="", leave=False, disable=None):
        try:
            if _take(found, path, shapes.record(path)):
                sound.add(path.parent)
        except FileNotFoundError:  # somebody has just removed it
            continue
        except shapes.MisshapenError as error:
            found.left_out.append(f"{path} {error}")
    sweeps: dict[Path, set[str] | None] = {}
    for path in [*known[records.RECORD], *known[records.FAILURE]]:
        if (folder := path.parent.parent) not in sweeps:
            sweeps[folder] = _wanted(found, folder)
    for path in known[records.FAILURE]:
        found.failures += _failure(found, path, sweeps[path.parent.parent], path.parent in sound)
    return found


def _below(folder: Path, wanted: Sequence[str], left_out: list[str]) -> dict[str, list[Path]]:
    """Whatever has one of some names, anywhere below a folder, in order: folders and named pipes, too."""

    def unreadable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # which a sweep has removed as it ended
            left_out.append(f"{error.filename} cannot be read ({error.strerror})")

    met: dict[str, list[Path]] = {name: [] for name in wanted}
    for at, folders, names in os.walk(folder, onerror=unreadable):
        for name in wanted:
            if name in names or name in folders:
                met[name].append(Path(at, name))
    return {name: sorted(paths) for name, paths in met.items()}


def _take(found: _Found, path: Path, record: dict[str, Any]) -> bool:
    """Add a record; False where it is of another run than its folder's, or contradicts one that was read before."""
    identity, folder = record["identity"], path.parent
    hyphen, digits = folder.name[-RUN_DIGITS - 1 : -RUN_DIGITS], folder.name[-RUN_DIGITS:]
    if hyphen == "-" and _are_hexadecimal(digits) and digits != identity[:RUN_DIGITS]:
        found.left_out.append(f"{path} is the record of another run, {record['run']}")
        return False
    if identity not in found.records:
        found.records[identity], found.places[identity] = record, str(folder)
        return True
    first = found.records[identity]
    if any(record[name] != first[name] for name in ("scores", "validation_scores")):
        found.left_out.append(f"{path} has other scores than {found.places[identity]}, which is the same run")
        return False
    return True


def _are_hexadecimal(digits: str) -> bool:
    return len(digits) == RUN_DIGITS and set(digits) <= set("0123456789abcdef")


def _wanted(found: _Found, folder: Path) -> set[str] | None:
    """The runs that a folder's last sweep wanted; None where nothing is known of it."""
    path = folder / records.SWEEP
    try:
        return set(shapes.sweep(path).get("runs", []))
    except FileNotFoundError:
        return None
    except shapes.MisshapenError as error:
        found.left_out.append(f"{path} {error}")
        return None


def _failure(found: _Found, path: Path, wanted: set[str] | None, is_recorded: bool) -> Iterator[dict[str, Any]]:
    try:
        failure = shapes.failure(path)
    except FileNotFoundError:  # another sweep has just done the run, which clears its failure
        return
    except shapes.MisshapenError as error:
        found.left_out.append(f"{path} {error}")
        return
    if is_recorded and records.is_overtaken(path.parent, failure):
        return
    older = "an older record stands, but running it again failed: " if is_recorded else ""
    yield {
        "run": path.parent.name,
        "sentence": older + failure.get("sentence", failure["error"]),
        "type": failure["type"],
        "overrides": failure["overrides"],
        "current": wanted is None or path.parent.name in wanted,
        "recorded": is_recorded,
    }


def _runs(found: Mapping[str, dict[str, Any]], places: Mapping[str, str]) -> pd.DataFrame:
    data_sets = _data_sets(list(found.values()))
    labels, differing = _labels(list(found.values()), [shown for _, shown in data_sets])
    rows = [
        {
            "run": record["run"],
            "identity": identity,
            "name": record["name"],
            "folder": places[identity],
            **{key: record["choices"][key] for key in ("encoder", "imbalance_ratio", "classifier")},
            "dataset": shown,
            "content": content,
            "ratio": record["config"]["imbalance_ratio"].get("ratio"),
            "amount": float(records.science(record["config"])["augmenter"]["amount"]),
            **label,
            "n_classes": len(record["data"]["class_names"]),
            "n_minority": len(record["data"]["minority"]),
            **_rows_made(record["balance"]),
            "code": record["code"],
            "finished": record["cost"]["finished"],
            "seconds": sum(record["cost"]["seconds"].values()),
            "peak_memory_bytes": record["cost"]["peak_memory_bytes"],
        }
        for (identity, record), label, (content, shown) in zip(found.items(), labels, data_sets, strict=True)
    ]
    columns = ["run", "identity", "name", "folder", *SETTINGS, "amount", *LABELS, "content", "n_classes", "n_minority"]
    columns += ["rows_made", "by_fallback", "code", "finished", "seconds", "peak_memory_bytes"]
    frame = pd.DataFrame(rows, columns=columns).astype({"ratio": float, "by_fallback": float})
    names = sorted({key for own in differing for key in own if key not in columns})
    settings = {name: _of_one_kind([own.get(name) for own in differing]) for name in names}
    return pd.concat([frame, pd.DataFrame(settings, index=frame.index)], axis=1)


def _rows_made(balance: Mapping[str, Any]) -> dict[str, float]:
    """How many rows a run's members were given or lost, and which share of the new ones a fallback made."""
    columns = balance["columns"]
    real_at, made_at, fallback_at = (columns.index(name) for name in ("real", "made", "made_by_fallback"))
    # Without that column it is an older record, in which what a sampler put for rows it removed cannot be told.
    kept_at = columns.index("kept") if "kept" in columns else None
    removed = [row[real_at] - row[kept_at] if kept_at is not None else max(-row[made_at], 0) for row in balance["data"]]
    new = [row[made_at] + gone for row, gone in zip(balance["data"], removed, strict=True)]
    by_fallback = sum(max(row[fallback_at], 0) for row in balance["data"])
    return {
        "rows_made": sum(new) + sum(removed),
        "by_fallback": min(by_fallback / sum(new), 1.0) if sum(new) > 0 else np.nan,
    }


def _of_one_kind(values: Sequence[Any]) -> "pd.Series[Any]":
    """A setting's values as a column: of one kind as they are, of several as text; what is None is missing."""
    there = [value for value in values if value is not None]
    is_complete = len(there) == len(values)
    if all(isinstance(value, bool) for value in there):
        return pd.Series(values, dtype="bool" if is_complete else "boolean" if there else "object")
    numbers = [value for value in there if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(there) and all(abs(value) < 2**53 or isinstance(value, float) for value in numbers):
        whole = is_complete and all(isinstance(value, int) for value in numbers)
        return pd.Series(values, dtype="int64" if whole else "float64")
    text = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    return pd.Series(text, dtype="object")


def _data_sets(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Tell for each run which data set it is of, by its content, and what to call it.

    Runs of one source (a file, a pinned revision) or of the same texts are of one data set, whatever it is called
    and however much of it they take.
    """
    met: dict[str, str] = {}  # what a source or fingerprint is known by, until that is known by itself

    def known_by(key: str) -> str:
        while (next_one := met.setdefault(key, key)) != key:
            key = next_one
        return key

    keys = [(f"source {each['data']['source']}", f"texts {each['data']['fingerprint']}") for each in found]
    for source, texts in keys:
        first, second = sorted((known_by(source), known_by(texts)))
        met[second] = first
    contents = [text_sha256(known_by(source))[:6] for source, _ in keys]
    shown = [_shown(record) for record in found]
    by_name = defaultdict(set)
    for content, name in zip(contents, shown, strict=True):
        by_name[name].add(content)
    return [
        (content, f"{name} #{content}" if len(by_name[name]) > 1 else name)
        for content, name in zip(contents, shown, strict=True)
    ]


def _shown(record: Mapping[str, Any]) -> str:
    """What a data set is called: the option's name, or that of the user's own file."""
    option = record["choices"]["dataset"]
    if option != "files" and record["config"].get("dataset", {}).get("_target_") != FILE_TARGET:
        return str(option)
    # A label's parts are told apart by this dot.
    return " ".join(str(record["data"]["name"]).replace("·", "-").split()) or str(option)


def _labels(
    found: Sequence[Mapping[str, Any]], data_sets: Sequence[str]
) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Name the augmenter, the loss and the block of each run, by their options and all that differs within them.

    Returns
    -------
    labels
        Of each run its `block`, `augmenter` and `loss`.
    differing
        And the settings in which runs of its options differ.
    """
    settings = [dict(flat(records.science(record["config"]))) for record in found]
    # What follows from the ratio, which a block's name holds, is nothing that a reader has set.
    given = [{k: v for k, v in each.items() if k != f"dataset.{records.IN_PROPORTION}"} for each in settings]
    differing = _differing(given, [record["choices"] for record in found])
    labels: list[dict[str, str]] = []
    for record, data_set, own in zip(found, data_sets, differing, strict=True):
        choices = record["choices"]
        sampler = {key: value for key, value in own.items() if key.startswith("augmenter.")}
        parts = [data_set, *(choices[group] for group in ("encoder", "imbalance_ratio", "classifier"))]
        is_shown = {"dataset.name"} if data_set != choices["dataset"] else set()
        parts += [_setting(key, own[key]) for key in sorted(own) if not _is_method(key) and key not in is_shown]
        labels.append({"block": " · ".join(parts), "augmenter": _augmenter(record, sampler), "loss": _loss(record)})
    contents = [_content(record, own) for record, own in zip(found, settings, strict=True)]
    _tell_apart(labels, "block", contents)  # e.g. two files of the same columns
    _without_plain_loss(labels)
    identities = [record["identity"][:RUN_DIGITS] for record in found]
    _tell_apart(labels, "augmenter", identities, within=("block", "loss"))
    return labels, [{key: value for key, value in own.items() if value is not UNSET} for own in differing]


def _is_method(key: str) -> bool:
    return key.startswith(("augmenter.", "classifier.loss."))


def _content(record: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """What data and weights were, whatever they are called, and every setting that a block shares."""
    shared = {key: value for key, value in settings.items() if not _is_method(key)}
    return json_sha256([record["data"]["fingerprint"], record["encoder"], shared])[:8]


def _tell_apart(
    labels: list[dict[str, str]], column: str, contents: Sequence[str], within: tuple[str, ...] = ()
) -> None:
    """Where one label stands for several contents, add them: nothing may be pooled because it is called alike."""
    met = defaultdict(set)
    for label, content in zip(labels, contents, strict=True):
        met[label[column], *(label[name] for name in within)].add(content)
    several = [len(met[label[column], *(label[name] for name in within)]) > 1 for label in labels]
    for label, content, is_one_of_several in zip(labels, contents, several, strict=True):
        if is_one_of_several:
            label[column] += f" · content={content}" if column == "block" else f" #{content}"


def _without_plain_loss(labels: list[dict[str, str]]) -> None:
    """A loss that all methods of a block share is no difference between them, but one between blocks."""
    losses = defaultdict(set)
    for label in labels:
        losses[label["block"]].add(label["loss"])
    for label in labels:
        if len(losses[label["block"]]) == 1 and label["loss"]:
            label["block"], label["loss"] = f"{label['block']} · loss: {label['loss']}", ""


def _differing(settings: Sequence[Mapping[str, Any]], choices: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Of each run, the settings in which runs of its option of the group (outside of the groups: all runs) differ.

    A setting that one run has and another lacks (`UNSET`) is a difference, too.
    """
    options = [[(group, chosen.get(group)) for group in records.SCIENTIFIC] for chosen in choices]
    keys: dict[tuple[str, str | None], set[str]] = defaultdict(set)
    for own, chosen in zip(settings, options, strict=True):
        places = dict(chosen)
        for key in own:
            group = key.partition(".")[0]
            keys[group, places[group]].add(key)
    values: dict[tuple[str | None, str], set[str]] = defaultdict(set)
    for own, chosen in zip(settings, options, strict=True):
        for place in chosen:
            for key in keys[place]:
                values[place[1], key].add(_written(own.get(key, UNSET)))
    return [
        {key: own.get(key, UNSET) for place in chosen for key in sorted(keys[place]) if len(values[place[1], key]) > 1}
        for own, chosen in zip(settings, options, strict=True)
    ]


def _augmenter(record: Mapping[str, Any], method: Mapping[str, Any]) -> str:
    name, amount = record["choices"]["augmenter"], record["config"]["augmenter"]["amount"]
    if name == "none":
        return str(name)
    own = [_setting(key.rpartition(".")[2], value) for key, value in method.items() if key != "augmenter.amount"]
    share = [f"{100 * amount:g} %"] if amount != 1 or "augmenter.amount" in method else []
    return " ".join([name, *own, *share])


def _loss(record: Mapping[str, Any]) -> str:
    """Nothing for plain cross-entropy, else what makes the loss another one."""
    loss = dict(record["config"]["classifier"].get("loss") or PLAIN_LOSS)
    loss.pop("_partial_", None)
    target = str(loss.pop("_target_"))
    name = target.rpartition(".")[2]
    named = [] if target == PLAIN_LOSS["_target_"] else [target if name == "cross_entropy" else name]
    return " ".join(
        [*named, *(f"{key}={_short(loss[key])}" for key in sorted(loss) if PLAIN_LOSS.get(key) != loss[key])]
    )


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


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by their dotted names, lists as text."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value) if isinstance(value, list | Mapping) else value


def _long(runs: pd.DataFrame, tables: Mapping[str, Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Join the runs' tables, labelled; text becomes categories, since a thousand runs make a million rows."""
    described = ["block", "augmenter", "loss", "identity", *SETTINGS]
    whole: dict[str, list[Any]] = {name: [] for name in columns}
    for identity in runs["identity"]:
        table = tables[identity]  # which may have further columns, as of a later version
        by_name = dict(zip(table["columns"], zip(*table["data"], strict=True), strict=True))
        for name, values in whole.items():
            values += by_name[name]
    kinds = {"seed": np.int64, "fold": np.int64, "value": np.float64}  # null where a score was not finite
    frame = pd.DataFrame(
        {name: np.array(own, kinds[name]) if name in kinds else _categories(own) for name, own in whole.items()}
    )
    repeats = [len(tables[identity]["data"]) for identity in runs["identity"]]
    labels = runs[described].loc[runs.index.repeat(repeats)].reset_index(drop=True)
    labels = labels.astype({column: "category" for column in described if column != "ratio"})
    return pd.concat([labels, frame], axis=1)


def _categories(names: Sequence[str | None]) -> pd.Categorical:
    """Text as categories; only None is missing, and not the name of a class that is "nan"."""
    found = sorted({name for name in names if name is not None})
    codes = {name: code for code, name in enumerate(found)} | {None: -1}
    return pd.Categorical.from_codes(
        np.fromiter(map(codes.__getitem__, names), np.int64, len(names)), categories=pd.Index(found, dtype=object)
    )
