"""Decision rules that no run has recorded, judged on the log probabilities that runs kept: nothing is trained."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synaug import record as records
from synaug.comparison.evidence import Evidence
from synaug.errors import UserError
from synaug.files.digest import file_sha256
from synaug.scores import metrics
from synaug.scores.decision import CANDIDATES, shift
from synaug.settings import did_you_mean

OF = CANDIDATES[0].name  # whose log probabilities they start from

Array = NDArray[np.float64]
Kind = Literal["costs", "threshold"]


@dataclass(frozen=True)
class LaterRule:
    """What decisions shall serve.

    Attributes
    ----------
    kind
        ``costs``: the class with the largest product of cost and probability is decided for, which has the least
        expected cost where missing a row of a class costs so much, whatever it is taken for (Elkan 2001).
        ``threshold``: of two classes, the one is decided for where its probability reaches the threshold.
    numbers
        By class, its cost or its threshold; of classes without one the cost is 1.

    Notes
    -----
    The probabilities are those of rows whose classes are as frequent as the run's `target_prior` has them: all alike
    where it is uniform. Costs and thresholds mean what they say there. Where the classes come in their natural
    frequencies, they do of runs with target_prior=natural.

    Elkan, "The foundations of cost-sensitive learning", IJCAI 2001.
    """

    kind: Kind
    numbers: Mapping[str, float]

    @property
    def name(self) -> str:
        """As tables have it: ``costs spam=10``."""
        return f"{self.kind} {', '.join(f'{name}={number:g}' for name, number in self.numbers.items())}"

    def offset(self, class_names: Sequence[str]) -> Array:
        """What is added to each class's log probability, `[n_classes]`.

        Raises
        ------
        UserError
            If a threshold is asked for and there are other than two classes.
        """
        if self.kind == "threshold" and len(class_names) != 2:
            raise UserError(
                f"--threshold takes two classes, and there are {len(class_names)} ({', '.join(class_names[:3])}, …): "
                "give --costs instead"
            )
        odds = {name: (1 - number) / number for name, number in self.numbers.items()}
        weights = self.numbers if self.kind == "costs" else odds
        return np.log([weights.get(name, 1.0) for name in class_names])


def read_rule(kind: Kind, text: str) -> LaterRule:
    """Read ``spam=10,ham=2``.

    Raises
    ------
    UserError
        If it is no list of classes with numbers above 0, a threshold not below 1, or more than one threshold.
    """
    numbers = {}
    for part in text.split(","):
        name, _, number = part.rpartition("=")
        try:
            numbers[name.strip()] = float(number)
        except ValueError:
            raise UserError(f"--{kind}={text} must name classes with numbers, e.g. --{kind}=spam=0.5") from None
    most = 1.0 if kind == "threshold" else np.inf
    if not all(name and 0 < number < most for name, number in numbers.items()):
        limits = "above 0 and below 1" if kind == "threshold" else "above 0"
        raise UserError(f"--{kind}={text} must name classes with numbers {limits}, e.g. --{kind}=spam=0.5")
    if kind == "threshold" and len(numbers) > 1:
        raise UserError(f"--threshold={text} must name one class: the other one has the rest")
    return LaterRule(kind, numbers)


def with_rules(evidence: Evidence, rules: Sequence[LaterRule]) -> Evidence:
    """Add the scores of some rules to those that were recorded, of every run that has the classes.

    Raises
    ------
    UserError
        If no run has a class, or if a run's log probabilities are gone or are others than were recorded.
    """
    if not rules:
        return evidence
    known = dict.fromkeys(name for record in evidence.records.values() for name in record["data"]["class_names"])
    for name in (name for rule in rules for name in rule.numbers):
        if name not in known:
            raise UserError(f"no run has a class {name!r}{did_you_mean(name, known, '')} (known: {', '.join(known)})")
    labels = list(evidence.scores.columns[: evidence.scores.columns.get_loc("seed")])
    first = evidence.scores.drop_duplicates("identity").set_index("identity", drop=False)[labels]
    parts = [evidence.scores]
    for identity, folder in zip(evidence.runs["identity"], evidence.runs["folder"], strict=True):
        record = evidence.records[identity]
        wanted = [rule for rule in rules if set(rule.numbers) <= set(record["data"]["class_names"])]
        if wanted:
            scored = pd.DataFrame(_scores(record, Path(folder), wanted), columns=[*records.SCORE_COLUMNS])
            parts.append(scored.assign(**first.loc[identity].to_dict())[[*evidence.scores.columns]])
    # What is concatenated of other categories is text; a million rows of it would be slow.
    whole = pd.concat([part.astype(dict.fromkeys(_text(part), object)) for part in parts], ignore_index=True)
    return replace(evidence, scores=whole.astype(dict.fromkeys(_text(evidence.scores), "category")))


def _text(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype)]


def _scores(record: Mapping[str, Any], folder: Path, rules: Sequence[LaterRule]) -> Iterator[tuple[Any, ...]]:
    """Rows of scores of one run."""
    names = record["data"]["class_names"]
    kept = _kept(folder, record)
    seed, fold = kept["seed"], kept["fold"]
    for split in np.unique(np.stack([seed, fold], axis=1), axis=0).tolist():
        rows = (seed == split[0]) & (fold == split[1])
        minority = record["data"]["minority_by_seed"][str(split[0])]
        for rule in rules:
            probabilities = shift(kept[OF][rows].astype(np.float64), rule.offset(names))
            found = metrics.scores(kept["label"][rows].astype(np.int64), probabilities, [*map(names.index, minority)])
            for metric, label, value in found:
                yield *split, rule.name, metric, None if label is None else names[label], float(value)


def _kept(folder: Path, record: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The log probabilities that a run kept.

    Raises
    ------
    UserError
        If they are gone, or are others than were recorded.
    """
    remedy = "copy them there from where the run was made, or make the run anew with force=true"
    path = records.probabilities_file(folder, record)
    if path is None:
        raise UserError(f"{folder} lacks the log probabilities that rules are judged on: {remedy}")
    if file_sha256(path) != record["probabilities_sha256"]:
        raise UserError(f"{path} does not hold the log probabilities that were recorded: {remedy}")
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in ("seed", "fold", "label", OF)}
