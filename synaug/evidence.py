"""What the runs below some folders show: their scores in one table, each run named as method and block."""

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from synaug import record as records
from synaug.atomic import files_below
from synaug.digest import json_sha256, text_sha256
from synaug.errors import UserError

PLAIN_LOSS = {"_target_": "torch.nn.functional.cross_entropy", "label_smoothing": 0}
UNSET = "unset"
LONGEST = 40
LABELS = ("block", "augmenter", "loss")
SETTINGS = ("dataset", "encoder", "imbalance_ratio", "ratio", "classifier")
# Where classes are thinned, test folds are balanced, and there both are one score; a thinned
# validation part is not balanced, and a choice by its accuracy would follow its prior.
CHOOSE_BY = {"accuracy": "balanced_accuracy"}


@dataclass(frozen=True)
class Evidence:
    """Runs, read.

    Attributes
    ----------
    runs
        One row a run: `run`, `identity`, `name` (of the experiment), `folder`, the choices
        (`dataset`, `encoder`, `imbalance_ratio`, `classifier`), `ratio` (NaN: natural), `amount`,
        `augmenter` and `loss` (labels: the option and every setting in which runs of one option
        differ), `block` (a label of all that a method is compared within), `n_classes`, `code`,
        `finished`, `seconds`, `peak_memory_bytes`; then each setting in which runs of one option differ,
        under its dotted name.
    scores
        One row a score: `block`, `augmenter`, `loss`, `identity`, the choices, `ratio`, `seed`, `fold`,
        `decision`, `metric`, `class` (missing for scores of all classes), `value`.
    validation
        The scores of all classes on validation rows: `block`, `augmenter`, `loss`, `seed`, `fold`,
        `decision`, `metric`, `value`.
    records
        By identity, what else stands in each record.
    failures
        Runs that failed (the last time): `run`, `sentence`, `type`, `overrides`, and whether the
        folder's last sweep wanted them (`current`).
    """

    runs: pd.DataFrame
    scores: pd.DataFrame
    validation: pd.DataFrame
    records: Mapping[str, dict[str, Any]]
    failures: Sequence[dict[str, Any]]

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

    def code_versions(self) -> dict[str, list[str]]:
        """Runs (their folders' names) by the version of the code and of the packages that made them."""
        found = defaultdict(list)
        for record in self.records.values():
            packages = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
            found[f"code {record['code'][:8]} with {packages}"].append(record["run"])
        return dict(found)


def read(folders: Iterable[str | Path]) -> Evidence:
    """Read all records below some folders; a run that stands in several of them counts once.

    Raises
    ------
    UserError
        If there is neither a record nor a failure below the folders.
    UserError
        If a record is damaged, or of another schema.
    """
    paths = [Path(folder) for folder in folders]
    collects = gc.isenabled()
    gc.disable()  # a thousand records are millions of small lists, none of them garbage: half of the time
    try:
        found, places, failures = _found(paths)
        if not found and not failures:
            named = ", ".join(map(str, paths))
            raise UserError(f"no {records.RECORD} below {named}: give the folder of an experiment that has run")
        runs = _runs(found, places)
        scores = _long(runs, {key: record.pop("scores") for key, record in found.items()})
        validation = _long(runs, {key: record.pop("validation_scores") for key, record in found.items()})
    finally:
        if collects:
            gc.enable()
    return Evidence(runs, scores, validation, found, failures)


def _found(paths: Sequence[Path]) -> tuple[dict[str, dict[str, Any]], dict[str, str], list[dict[str, Any]]]:
    found: dict[str, dict[str, Any]] = {}
    places: dict[str, str] = {}
    failures: list[dict[str, Any]] = []
    for folder in paths:
        if not folder.is_dir():
            raise UserError(f"{folder} is no folder: give the folder of an experiment that has run")
        for path in files_below(folder, records.RECORD):
            record = records.read(path.parent)
            if record.get("schema") != records.SCHEMA:
                raise UserError(
                    f"{path} is of schema {record.get('schema')}, this synaug reads {records.SCHEMA}: "
                    "run it again, or read it with the version that wrote it"
                )
            found.setdefault(record["identity"], record)
            places.setdefault(record["identity"], str(path.parent))
        failures += _failures(folder)
    return found, places, failures


def _failures(folder: Path) -> Iterator[dict[str, Any]]:
    for path in files_below(folder, records.FAILURE):
        try:
            failure = records.read_json(path)
        except FileNotFoundError:  # another sweep has just done the run, which clears its failure
            continue
        wanted = records.sweep_of(path.parent.parent).get("runs", [])
        # A success clears the failures before it: where both stand, a forced run failed after it.
        older = "an older record stands, but running it again failed: " if records.is_done(path.parent) else ""
        yield {
            "run": path.parent.name,
            "sentence": older + failure.get("sentence", failure["error"]),
            "type": failure["type"],
            "overrides": failure["overrides"],
            "current": path.parent.name in wanted,
        }


def _runs(found: Mapping[str, dict[str, Any]], places: Mapping[str, str]) -> pd.DataFrame:
    labels = _labels(list(found.values()))
    rows = [
        {
            "run": record["run"],
            "identity": identity,
            "name": record["name"],
            "folder": places[identity],
            **{key: record["choices"][key] for key in ("dataset", "encoder", "imbalance_ratio", "classifier")},
            "ratio": record["config"]["imbalance_ratio"].get("ratio"),
            "amount": float(records.science(record["config"])["augmenter"]["amount"]),
            **label,
            "n_classes": len(record["data"]["class_names"]),
            "code": record["code"],
            "finished": record["cost"]["finished"],
            "seconds": sum(record["cost"]["seconds"].values()),
            "peak_memory_bytes": record["cost"]["peak_memory_bytes"],
        }
        for (identity, record), label in zip(found.items(), labels, strict=True)
    ]
    columns = ["run", "identity", "name", "folder", *SETTINGS, "amount", *LABELS]
    columns += ["n_classes", "code", "finished", "seconds", "peak_memory_bytes"]
    differing = sorted({key for label in labels for key in label if key not in columns})
    return pd.DataFrame(rows, columns=[*columns, *differing]).astype({"ratio": float})


def _labels(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Name the augmenter, the loss and the block of each run, by their options and all that differs within them."""
    settings = [dict(flat(records.science(record["config"]))) for record in found]
    labels: list[dict[str, Any]] = []
    for record, own in zip(found, _differing(settings, [record["choices"] for record in found]), strict=True):
        choices = record["choices"]
        sampler = {key: value for key, value in own.items() if key.startswith("augmenter.")}
        parts = [choices[group] for group in ("dataset", "encoder", "imbalance_ratio", "classifier")]
        parts += [f"{key}={_short(own[key])}" for key in sorted(own) if not _is_method(key)]
        labels.append(
            {"block": " · ".join(parts), "augmenter": _augmenter(record, sampler), "loss": _loss(record), **own}
        )
    contents = [_content(record, own) for record, own in zip(found, settings, strict=True)]
    _tell_apart(labels, "block", contents)  # e.g. two files of the same columns
    _without_plain_loss(labels)
    identities = [record["identity"][:8] for record in found]
    _tell_apart(labels, "augmenter", identities, within=("block", "loss"))
    return labels


def _is_method(key: str) -> bool:
    return key.startswith(("augmenter.", "classifier.loss."))


def _content(record: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """What data and weights were, whatever they are called, and every setting that a block shares."""
    shared = {key: value for key, value in settings.items() if not _is_method(key)}
    return json_sha256([record["data"]["fingerprint"], record["encoder"], shared])[:8]


def _tell_apart(
    labels: list[dict[str, Any]], column: str, contents: Sequence[str], within: tuple[str, ...] = ()
) -> None:
    """Where one label stands for several contents, add them: nothing may be pooled because it is called alike."""
    met = defaultdict(set)
    for label, content in zip(labels, contents, strict=True):
        met[label[column], *(label[name] for name in within)].add(content)
    several = [len(met[label[column], *(label[name] for name in within)]) > 1 for label in labels]
    for label, content, is_one_of_several in zip(labels, contents, several, strict=True):
        if is_one_of_several:
            label[column] += f" · content={content}" if column == "block" else f" #{content}"


def _without_plain_loss(labels: list[dict[str, Any]]) -> None:
    """A loss that all methods of a block share is no difference between them, but one between blocks."""
    losses = defaultdict(set)
    for label in labels:
        losses[label["block"]].add(label["loss"])
    for label in labels:
        if len(losses[label["block"]]) == 1 and label["loss"]:
            label["block"], label["loss"] = f"{label['block']} · loss: {label['loss']}", ""


def _differing(settings: Sequence[Mapping[str, Any]], choices: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Of each run, the settings in which runs of its option of the group (outside of the groups: all runs) differ.

    A setting that one run has and another lacks is a difference, too.
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
                values[place[1], key].add(str(own.get(key, UNSET)))
    return [
        {key: own.get(key, UNSET) for place in chosen for key in sorted(keys[place]) if len(values[place[1], key]) > 1}
        for own, chosen in zip(settings, options, strict=True)
    ]


def _augmenter(record: Mapping[str, Any], method: Mapping[str, Any]) -> str:
    name, amount = record["choices"]["augmenter"], record["config"]["augmenter"]["amount"]
    if name == "none":
        return str(name)
    own = [f"{key.rpartition('.')[2]}={_short(value)}" for key, value in method.items() if key != "augmenter.amount"]
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


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:16]}…{text_sha256(text)[:8]}"


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by their dotted names, lists as text."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value) if isinstance(value, list | Mapping) else value


def _long(runs: pd.DataFrame, tables: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Join the runs' tables, labelled; text becomes categories, since a thousand runs make a million rows."""
    described = ["block", "augmenter", "loss", "identity", *SETTINGS]
    columns = next(iter(tables.values()))["columns"] if tables else [*records.SCORE_COLUMNS]
    rows = [row for identity in runs["identity"] for row in tables[identity]["data"]]
    frame = pd.DataFrame(rows, columns=columns)
    for column in ("decision", "metric", "class"):
        if column in frame:
            frame[column] = frame[column].astype("category")
    frame["value"] = frame["value"].astype(float)  # null where a score was not finite
    repeats = [len(tables[identity]["data"]) for identity in runs["identity"]]
    labels = runs[described].loc[runs.index.repeat(repeats)].reset_index(drop=True)
    labels = labels.astype({column: "category" for column in described if column != "ratio"})
    return pd.concat([labels, frame], axis=1)
