"""What the runs below some folders show: their scores in one table, each run named as method and scenario."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synaug import record as records
from synaug.comparison.formatting import class_metric
from synaug.comparison.labels import CHOSEN, NO_AUGMENTER, Scenario
from synaug.comparison.naming import RunName, name_runs
from synaug.comparison.reading import read_folders
from synaug.errors import UserError
from synaug.files import garbage_collection
from synaug.settings import amounts

LABELS = ("scenario", "augmenter", "loss")
CHOICES = ("dataset", "encoder", "imbalance_ratio", "ratio", "classifier")
# What everything is chosen by on out-of-fold rows: decisions serve classes alike, or as they come.
CHOOSE_BY = {"uniform": "balanced_log_loss", "natural": "log_loss"}
# Of records that do not tell new points from copies, the augmenters that make none.
NO_NEW_POINT = (NO_AUGMENTER, "random")


@dataclass(frozen=True)
class Evidence:
    """Runs, read.

    Attributes
    ----------
    runs
        One row a run: `run`, `identity`, `name` (of the experiment), `folder`, the choices
        (`dataset`, of a user's own file its name, `encoder`, `imbalance_ratio`, `classifier`), `ratio` (NaN:
        natural), `amount` (NaN: chosen for each split), `scenario` (a `synaug.comparison.labels.Scenario`),
        `augmenter` and `loss` (the option and every setting in which runs of one option differ), `augmenter_option`
        and `loss_option` (those options),
        `content` (which data set it is, whatever it is called), `n_classes`, `n_minority` (classes), `rows_made`
        (synthetic ones, or removed, over all fits), `with_synthesis` (whether any of them is a new point, and no copy),
        `by_fallback` (the share of the added rows that a fallback made; NaN where there are none), `n_unlearned`
        (splits in which no candidate rule's best out-of-fold loss was better than chance), `code`, `finished`,
        `seconds`, `peak_memory_bytes`; then each setting in which runs of one option differ, under its dotted name:
        numbers, true and false or text as they are, text where runs have several of these, and missing where a run
        lacks the setting or has null.
    scores
        One row a score: `scenario`, `augmenter`, `loss`, `identity`, the choices, `ratio`, `seed`, `fold`,
        `decision`, `metric`, `class` (missing for scores of all classes), `value`.
    validation
        The scores of all classes on out-of-fold rows, of the candidate rules: `scenario`, `augmenter`, `loss`, `seed`,
        `fold`, `decision`, `metric`, `value`.
    records
        By identity, what else stands in each record.
    failures
        Runs that failed (the last time): `run`, `sentence`, `type`, `overrides`, `choices` and `dataset` (its name and
        path; both None where an older version wrote the failure), whether the folder's last sweep wanted them
        (`current`), and whether an older record stands all the same (`recorded`).
    left_out
        A sentence on each file that was not read, as it is not what we write.
    lacking
        By run (its folder's name), the tables that its record lacks, as it is of an older version.
    """

    runs: pd.DataFrame
    scores: pd.DataFrame
    validation: pd.DataFrame
    records: Mapping[str, dict[str, Any]]
    failures: Sequence[dict[str, Any]]
    left_out: Sequence[str] = ()
    lacking: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def scores_of(self, metric: str) -> pd.DataFrame:
        """Test scores of one metric, for comparing splits.

        Parameters
        ----------
        metric
            A score of all classes, or ``precision[spam]``, ``recall[spam]``, ``f1[spam]`` of one.

        Returns
        -------
        DataFrame
            `scenario`, `augmenter`, `loss`, `decision`, `seed`, `fold`, `value`, `with_synthesis`.
        """
        of_class = class_metric(metric)
        name, label = of_class or (metric, None)
        is_of = self.scores["class"].isna() if label is None else self.scores["class"] == label
        rows = self.scores[is_of & (self.scores["metric"] == name)]
        return self._with_synthesis(rows[[*LABELS, "decision", "seed", "fold", "value"]])

    def minority_scores(self, metric: str) -> pd.DataFrame:
        """Mean test scores of the classes that are the minority, which may turn with the seed.

        Parameters
        ----------
        metric
            One of `synaug.scores.metrics.CLASS_METRICS`.

        Returns
        -------
        DataFrame
            As of `scores_of`; scenarios without a minority have no rows.
        """
        rows = self.scores[self.scores["class"].notna() & (self.scores["metric"] == metric)]
        minority = {
            (identity, seed, name)
            for identity, record in self.records.items()
            for seed in record["config"]["seeds"]
            for name in record["data"].get("minority_by_seed", {}).get(str(seed), record["data"]["minority"])
        }
        of = zip(rows["identity"].tolist(), rows["seed"].tolist(), rows["class"].tolist(), strict=True)
        rows = rows[np.array([each in minority for each in of], dtype=bool)]
        key = [*LABELS, "decision", "seed", "fold"]
        means = rows.groupby(key, observed=True, sort=False)["value"].mean().reset_index()
        return self._with_synthesis(means)

    def out_of_fold(self) -> pd.DataFrame:
        """The losses on out-of-fold rows by which rules, losses and augmenters are chosen; less is better.

        Returns
        -------
        DataFrame
            As of `scores_of`: class-balanced log losses; where decisions serve the classes as they come
            (target_prior=natural), plain ones. Beside them `new_points`, whether the method made any in this very
            split: with amount=auto it may choose none, and a fallback repeats rows.
        """
        by = {
            identity: CHOOSE_BY.get(record["config"].get("target_prior", "uniform"), CHOOSE_BY["uniform"])
            for identity, record in self.records.items()
        }
        wanted = self.validation["identity"].astype(object).map(by)
        rows = self.validation[self.validation["metric"].astype(object) == wanted]
        with_synthesis = self._with_synthesis(rows[[*LABELS, "decision", "seed", "fold", "value"]])
        return with_synthesis.assign(new_points=self.new_points(rows))

    def new_points(self, rows: pd.DataFrame) -> NDArray[np.bool_]:
        """Whether the run of each row (`identity`) made any new point in the split of the row (`seed`, `fold`)."""
        made = self.splits_with_new_points()
        of = zip(rows["identity"].tolist(), rows["seed"].tolist(), rows["fold"].tolist(), strict=True)
        return np.array([(seed, fold) in made.get(identity, ()) for identity, seed, fold in of], dtype=bool)

    def splits_with_new_points(self) -> dict[str, set[tuple[int, int]]]:
        """Of each run with synthesis, by identity, the splits (seed, fold) in which a fit got a new point.

        Of an older record, which does not tell new points from copies, all of its splits.
        """
        made = {}
        for identity in self.runs["identity"][self.runs["with_synthesis"].astype(bool)]:
            balance = self.records[identity]["balance"]
            columns = balance["columns"]
            seed_at, fold_at = columns.index("seed"), columns.index("fold")
            new_at = columns.index("new") if "new" in columns else None
            made[identity] = {
                (row[seed_at], row[fold_at]) for row in balance["data"] if new_at is None or row[new_at] > 0
            }
        return made

    def _with_synthesis(self, rows: pd.DataFrame) -> pd.DataFrame:
        of_run = self.runs.set_index([*LABELS])["with_synthesis"].to_dict()
        methods = zip(*(rows[name].tolist() for name in LABELS), strict=True)
        return rows.assign(with_synthesis=np.array([of_run[method] for method in methods], dtype=bool))

    def idle_scenarios(self) -> set[Scenario]:
        """Scenarios without a minority, in which no run made or removed a row: there was nothing to augment."""
        by_scenario = self.runs.groupby("scenario")[["n_minority", "rows_made"]].max()
        return set(by_scenario.index[(by_scenario == 0).all(axis=1)])

    def contents(self) -> dict[Scenario, str]:
        """Which data set each scenario is of, whatever it is called."""
        return dict(zip(self.runs["scenario"], self.runs["content"], strict=True))

    def code_versions(self) -> dict[str, list[str]]:
        """Runs (their folders' names) by the version of the code, and of the packages of which there are several."""
        versions_of = [record["versions"] for record in self.records.values()]
        names = {name for versions in versions_of for name in versions}
        several = {name for name in names if len({versions.get(name) for versions in versions_of}) > 1}
        runs = defaultdict(list)
        for record in self.records.values():
            packages = ", ".join(f"{name} {of}" for name, of in record["versions"].items() if name in several)
            runs[f"code {record['code'][:8]}{packages and f' with {packages}'}"].append(record["run"])
        return dict(runs)


def read(folders: Iterable[str | Path]) -> Evidence:
    """Read all records below some folders; a run that stands in several of them counts once.

    A file that is not as we write it is left out, and named in `Evidence.left_out`.

    Raises
    ------
    UserError
        If there is neither a sound record nor a failure below the folders, or a decision rule is called `chosen`.
    """
    with garbage_collection.paused():  # half of the time: a thousand records are millions of small lists, all in use
        contents = read_folders([Path(folder) for folder in folders])
        lacking = {record["run"]: tables for record in contents.records.values() if (tables := records.lacking(record))}
        runs = _runs(contents.records, contents.places)
        scores, validation = (
            _long(runs, {key: record.pop(name) for key, record in contents.records.items()}, columns)
            for name, columns in (
                ("scores", records.SCORE_COLUMNS),
                ("validation_scores", records.VALIDATION_COLUMNS),
            )
        )
    _has_no_rule_called_chosen(scores)
    return Evidence(runs, scores, validation, contents.records, contents.failures, contents.left_out, lacking)


def _has_no_rule_called_chosen(scores: pd.DataFrame) -> None:
    """Refuse a rule of the name that the chosen rule goes by: neither could be told from the other."""
    rows = scores[scores["decision"] == CHOSEN]
    if len(rows):
        name, augmenter = rows["scenario"].iloc[0], rows["augmenter"].iloc[0]
        raise UserError(
            f"{augmenter} of {name} has a decision rule called {CHOSEN}, as a comparison calls the rule that it chooses"
            ": give it another name and run again"
        )


def _runs(by_identity: Mapping[str, dict[str, Any]], places: Mapping[str, str]) -> pd.DataFrame:
    names = name_runs(list(by_identity.values()))
    rows = [
        _run(record, name, places[record["identity"]]) for record, name in zip(by_identity.values(), names, strict=True)
    ]
    columns = ["run", "identity", "name", "folder", *CHOICES, "amount", *LABELS, "augmenter_option", "content"]
    columns += ["n_classes", "n_minority", "rows_made", "with_synthesis", "by_fallback", "loss_option", "n_unlearned"]
    columns += ["code", "finished", "seconds"]
    columns += ["peak_memory_bytes"]
    frame = pd.DataFrame(rows, columns=columns).astype({"ratio": float, "by_fallback": float})
    keys = sorted({key for name in names for key in name.settings if key not in columns})
    settings = {key: _of_one_kind([name.settings.get(key) for name in names]) for key in keys}
    return pd.concat([frame, pd.DataFrame(settings, index=frame.index)], axis=1)


def _run(record: Mapping[str, Any], name: RunName, folder: str) -> dict[str, Any]:
    return {
        "run": record["run"],
        "identity": record["identity"],
        "name": record["name"],
        "folder": folder,
        **{key: getattr(name.scenario, key) for key in CHOICES},
        "amount": _amount(records.science(record["config"])["augmenter"]["amount"]),
        **{key: getattr(name, key) for key in LABELS},
        "augmenter_option": record["choices"]["augmenter"],
        "content": name.content,
        "n_classes": len(record["data"]["class_names"]),
        "n_minority": len(record["data"]["minority"]),
        **_rows_made(record["balance"], record["choices"]["augmenter"]),
        "loss_option": record["choices"].get("loss", ""),
        "n_unlearned": _unlearned(record["best"]),
        "code": record["code"],
        "finished": record["cost"]["finished"],
        "seconds": sum(record["cost"]["seconds"].values()),
        "peak_memory_bytes": record["cost"]["peak_memory_bytes"],
    }


def _amount(setting: Any) -> float:
    """The share of the gap that was asked for; NaN where each split has one of its own."""
    choices = amounts(setting)
    return float(choices[0]) if len(choices) == 1 else np.nan


def _rows_made(balance: Mapping[str, Any], augmenter: str) -> dict[str, Any]:
    """How many rows a run was given or lost over all fits, whether any was new, and which share a fallback made."""
    columns = balance["columns"]
    real_at, made_at, fallback_at = (columns.index(name) for name in ("real", "made", "made_by_fallback"))
    # Without that column it is an older record, in which what a sampler put for rows it removed cannot be told.
    kept_at = columns.index("kept") if "kept" in columns else None
    removed = [row[real_at] - row[kept_at] if kept_at is not None else max(-row[made_at], 0) for row in balance["data"]]
    added = [row[made_at] + gone for row, gone in zip(balance["data"], removed, strict=True)]
    by_fallback = sum(max(row[fallback_at], 0) for row in balance["data"])
    new_at = columns.index("new") if "new" in columns else None
    made_new = [row[new_at] > 0 if new_at is not None else augmenter not in NO_NEW_POINT for row in balance["data"]]
    return {
        "rows_made": sum(added) + sum(removed),
        "with_synthesis": any(made_new) if balance["data"] else augmenter not in NO_NEW_POINT,
        "by_fallback": min(by_fallback / sum(added), 1.0) if sum(added) > 0 else np.nan,
    }


def _unlearned(best: Mapping[str, Any]) -> int:
    """In how many splits no candidate rule had learned anything; older records do not say."""
    if "learned" not in best["columns"]:
        return 0
    seed_at, fold_at, learned_at = (best["columns"].index(name) for name in ("seed", "fold", "learned"))
    without, with_any = (
        {(row[seed_at], row[fold_at]) for row in best["data"] if (row[learned_at] is False) == nothing}
        for nothing in (True, False)
    )
    return len(without - with_any)


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


def _long(runs: pd.DataFrame, tables: Mapping[str, Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Join the runs' tables, labelled; names become categories, since a thousand runs make a million rows."""
    described = [*LABELS, "identity", *CHOICES]
    joined: dict[str, list[Any]] = {name: [] for name in columns}
    for identity in runs["identity"]:
        table = tables[identity]  # which may have further columns, as of a later version
        for name, values in joined.items():
            at = table["columns"].index(name)
            values += [row[at] for row in table["data"]]
    kinds = {"seed": np.int64, "fold": np.int64, "value": np.float64}  # null where a score was not finite
    frame = pd.DataFrame(
        {
            name: np.array(values, kinds[name]) if name in kinds else _categories(values)
            for name, values in joined.items()
        }
    )
    repeats = [len(tables[identity]["data"]) for identity in runs["identity"]]
    labels = runs[described].astype({column: "category" for column in described if column != "ratio"})
    labels = labels.loc[runs.index.repeat(repeats)].reset_index(drop=True)
    return pd.concat([labels, frame], axis=1)


def _categories(names: Sequence[str | None]) -> pd.Categorical:
    """Text as categories; only None is missing, and not the name of a class that is "nan"."""
    known = sorted({name for name in names if name is not None})
    codes = {name: code for code, name in enumerate(known)} | {None: -1}
    return pd.Categorical.from_codes(
        np.fromiter(map(codes.__getitem__, names), np.int64, len(names)), categories=pd.Index(known, dtype=object)
    )
