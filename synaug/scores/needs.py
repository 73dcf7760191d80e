"""What users need of decisions (costs, a recall, a precision, a metric, …), and the decision that serves it.

Nothing is trained: a need chooses offsets of log probabilities, on out-of-fold rows only. It is judged on test rows.

Log probabilities of a run are corrected to its `target_prior`. Costs, thresholds, precisions and what to abstain from
mean what they say only at the class frequencies that decisions will meet. So a need takes these frequencies, moves the
log probabilities there (Saerens, Latinne and Decaestecker 2002; see `synaug.scores.prior_correction`), and weights the
out-of-fold rows alike. Reports and fits give it the frequencies of the data set, which test rows have, too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from synaug.errors import UserError
from synaug.scores import cost_matrix
from synaug.scores.abstaining import read_level
from synaug.scores.cost_matrix import CostMatrix
from synaug.scores.decision import ARGMAX, CANDIDATES, OutOfFold, shift
from synaug.scores.prior_correction import prior_correction
from synaug.scores.thresholds import OF_ALL, Sweep, Tally, sweep
from synaug.settings import did_you_mean

Array = NDArray[np.float64]
Kind = Literal["costs", "threshold", "recall", "precision", "metric", "abstain", "rule"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ABSTAINS = -1
COST = "cost of a row"  # what a decision under costs is measured by, in their own unit
EXAMPLES: Mapping[Kind, str] = {
    "costs": "spam=10 or costs.csv",
    "threshold": "spam=0.3",
    "recall": "spam=0.95",
    "precision": "spam=0.9",
    "metric": "f1[spam]",
    "abstain": "0.7",
    "rule": "tuned",
}
# Shares are quotients of sums of weights.
ROUNDING = 1e-9
MOST_ROUNDS = 20
PART = re.compile(r"(.*?)=([^=,]*)(?:,|$)")


@dataclass(frozen=True)
class Decision:
    """How log probabilities become classes.

    Attributes
    ----------
    name
        As tables have it: ``recall spam=0.95``.
    offset
        Added to the log probabilities, `[n_classes]`; None adds nothing.
    costs
        `[n_classes, n_classes]`, rows the true class, columns the class decided for: of the shifted probabilities, the
        class of least expected cost is decided for. None decides for the likeliest.
    abstain_below
        Where the probability of the class decided for is below it, no class is. None never abstains.
    reached
        Whether the out-of-fold rows have a decision that gives what was asked for. If not, this is the nearest.
    """

    name: str
    offset: Array | None = None
    costs: Array | None = None
    abstain_below: float | None = None
    reached: bool = True

    def probabilities(self, log_probabilities: Array) -> Array:
        """The decision's own probabilities `[n, n_classes]`, of sum 1."""
        log_probabilities = np.asarray(log_probabilities, np.float64)
        return shift(log_probabilities, np.zeros(log_probabilities.shape[1]) if self.offset is None else self.offset)

    def classes(self, log_probabilities: Array) -> NDArray[np.int64]:
        """What is decided for, int64 `[n]`; −1 where it abstains. Of equals, the first class."""
        probabilities = self.probabilities(log_probabilities)
        decided: NDArray[np.int64] = (
            probabilities.argmax(1) if self.costs is None else (probabilities @ self.costs).argmin(1)
        )
        if self.abstain_below is None:
            return decided
        sure = probabilities[np.arange(len(decided)), decided] >= self.abstain_below
        return np.where(sure, decided, ABSTAINS)

    def to_json(self) -> dict[str, Any]:
        """What JSON can hold; `from_json` makes an equal decision of it, to the bit."""
        return {
            "name": self.name,
            "offset": None if self.offset is None else self.offset.tolist(),
            "costs": None if self.costs is None else self.costs.tolist(),
            "abstain_below": self.abstain_below,
            "reached": self.reached,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Decision":
        """See `to_json`."""
        offset, costs = (
            None if stored[name] is None else np.asarray(stored[name], np.float64) for name in ("offset", "costs")
        )
        return cls(stored["name"], offset, costs, stored["abstain_below"], stored.get("reached", True))


@dataclass(frozen=True)
class Need:
    """What is asked of decisions.

    Attributes
    ----------
    kind
        ``costs``: the least expected cost (Elkan 2001). A number for a class is what missing a row of it costs,
        whatever it is taken for; a matrix tells each mistake's cost. Of two classes whose right decisions cost
        nothing, the threshold is c_FP / (c_FP + c_FN).
        ``threshold``: of two classes, one is decided for where its probability reaches the number.
        ``recall``: the best precision of a class among thresholds with this recall or more.
        ``precision``: the best recall of a class among thresholds with this precision or more.
        ``metric``: the highest value of a metric of decisions.
        ``abstain``: the likeliest class, and none where its probability is below a level.
        ``rule``: one of `synaug.scores.decision.CANDIDATES`.
    text
        As the user has given it.
    numbers
        By class, its cost, threshold, recall or precision; of classes without a cost, that is 1.
    matrix, metric, label, level
        The cost matrix; the metric or the rule; the class that the metric is of; the probability to abstain below.

    Notes
    -----
    With more than two classes, `recall`, `precision` and ``metric f1[CLASS]`` set one class against the rest: one
    offset is added to the log probability of that class, so it is decided for where its log probability and the offset
    reach the largest of the others; where they do not, the likeliest of the others is. A metric of all classes has an
    offset for each class: one after the other is set to its best, the rest held, until none gains (for at most 20
    rounds). What is found so need not be the best of all, but on the out-of-fold rows is never worse than no offset.

    Elkan, "The foundations of cost-sensitive learning", IJCAI 2001.
    """

    kind: Kind
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    matrix: CostMatrix | None = None
    metric: str | None = None
    label: str | None = None
    level: float | None = None

    @property
    def name(self) -> str:
        """As tables have it: ``costs spam=10``, ``costs costs.csv``, ``recall spam=0.95``, ``tuned``."""
        if self.kind == "rule":
            return self.text
        if self.matrix is not None:
            return f"{self.kind} {Path(self.text).name}"
        numbers = ", ".join(f"{name}={number:g}" for name, number in self.numbers.items())
        return f"{self.kind} {numbers or self.text}"

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that it names."""
        named = self.numbers if self.matrix is None else self.matrix.classes
        return (*named, *(() if self.label is None else (self.label,)))

    def check(self, class_names: Sequence[str]) -> None:
        """See that a data set has what is asked for.

        Raises
        ------
        UserError
            If it lacks a class, a matrix lacks one of its classes, or a threshold is asked of other than two classes.
        """
        for name in self.classes:
            if name not in class_names:
                near = did_you_mean(name, class_names, "")
                raise UserError(f"{self.name}: there is no class {name!r}{near} (known: {', '.join(class_names)})")
        if self.matrix is not None and (missing := [name for name in class_names if name not in self.matrix.classes]):
            raise UserError(
                f"{self.name}: the matrix lacks the class {missing[0]}: it must have a row and a column for each of "
                f"{', '.join(class_names)}"
            )
        if self.kind == "threshold" and len(class_names) != 2:
            raise UserError(
                f"{self.name}: a threshold takes two classes, and there are {len(class_names)} "
                f"({', '.join(class_names[:3])}, …): give costs, a recall or a precision instead"
            )

    def choose(self, known: OutOfFold, class_names: Sequence[str], frequencies: Array | None = None) -> Decision:
        """The decision that serves the need on out-of-fold rows.

        Parameters
        ----------
        known
            The out-of-fold rows; the decision is for log probabilities that are corrected as theirs are.
        class_names
            In the order of their columns.
        frequencies
            Class frequencies `[n_classes]` of the rows that will be decided on, positive; `known.target` if not given.
            Costs, thresholds and precisions hold there, whatever frequencies the log probabilities are corrected to.

        Raises
        ------
        UserError
            See `check`.
        """
        self.check(class_names)
        if self.kind == "rule":
            (rule,) = (rule for rule in CANDIDATES if rule.name == self.text)
            return Decision(self.name, rule.offset(known))
        frequencies = known.target if frequencies is None else np.asarray(frequencies, np.float64)
        move = prior_correction(known.target, frequencies)
        met = replace(known, log_probabilities=known.log_probabilities + move, target=frequencies)
        costs = self.costs(class_names)
        if costs is not None:
            return Decision(self.name, move, costs)
        if self.kind == "threshold":
            odds = {name: (1 - number) / number for name, number in self.numbers.items()}
            return Decision(self.name, move + np.log([odds.get(name, 1.0) for name in class_names]))
        if self.kind == "abstain":
            return Decision(self.name, move, abstain_below=self.level)
        offset, reached = self._swept(met, class_names)
        return Decision(self.name, move + offset, reached=reached)

    def measures(self, matrix: Array, class_names: Sequence[str]) -> Iterator[tuple[str, float, float]]:
        """What decisions give, by what this need is judged by: the measure, the least that is asked of it, the value.

        Parameters
        ----------
        matrix
            How many rows of each class were decided for which, `[class, decided]`.
        """
        found = Tally.of(matrix)
        costs = self.costs(class_names)
        if costs is not None:
            yield COST, np.nan, float((costs * matrix).sum() / matrix.sum())
            return
        if self.kind == "metric" and self.label is None:
            assert self.metric in OF_ALL
            yield self.metric, np.nan, float(found.metric(self.metric)[0])
            return
        (name,) = self.classes
        label = [*class_names].index(name)
        of_class = {"metric": ("f1", "recall", "precision"), "precision": ("precision", "recall")}
        for metric in of_class.get(self.kind, ("recall", "precision")):
            # A class without a test row has no recall; where none is decided for it, there is no precision to judge.
            value = float(found.metric(metric, label)[0]) if found.actual[label] else np.nan
            yield f"{metric}[{name}]", self.numbers[name] if metric == self.kind else np.nan, value

    def costs(self, class_names: Sequence[str]) -> Array | None:
        """The cost matrix `[n_classes, n_classes]` of a need of the kind ``costs``; None of others."""
        if self.kind != "costs":
            return None
        if self.matrix is not None:
            return self.matrix.of(class_names)
        of_class = np.array([self.numbers.get(name, 1.0) for name in class_names])
        missed: Array = of_class[:, None] * (1 - np.eye(len(class_names)))
        return missed

    def _swept(self, known: OutOfFold, class_names: Sequence[str]) -> tuple[Array, bool]:
        """The offset `[n_classes]` that thresholds choose, and whether what was asked for was reached."""
        n_classes = len(class_names)
        nothing = np.zeros(n_classes)
        if not len(known.labels) or n_classes < 2:
            return nothing, False
        if self.kind == "metric" and self.label is None:
            return _best_of_all(known, cast(str, self.metric)), True
        (label,) = map([*class_names].index, self.classes)
        if not (known.labels == label).any():
            return nothing, False
        found = sweep(known.log_probabilities, known.labels, known.weights, label)
        if self.kind == "metric":
            place, reached = _first_best(found.metric("f1", label)), True
        else:
            (least,) = self.numbers.values()
            place, reached = _place(found, label, self.kind, least)
        return np.where(np.arange(n_classes) == label, -found.thresholds[place], nothing), reached


def _place(found: Sweep, label: int, kind: Kind, least: float) -> tuple[int, bool]:
    """Which threshold: the best of the other one among those that reach `least`; of equals, the best of this one."""
    recall, precision = found.recall(label), found.precision(label)
    asked, wanted = (recall, precision) if kind == "recall" else (precision, recall)
    called = found.called[:, label] > 0  # without a row decided for the class there is no precision
    enough = called & (asked >= least - ROUNDING)
    if enough.any():
        places = np.flatnonzero(enough)
        return int(places[np.lexsort((asked[places], np.round(wanted[places] / ROUNDING)))[-1]]), True
    places = np.flatnonzero(called)
    return int(places[np.lexsort((wanted[places], np.round(asked[places] / ROUNDING)))[-1]]), False


def _first_best(values: Array) -> int:
    """Where a metric is highest; of equals, at the lowest threshold, as scikit-learn's TunedThresholdClassifierCV."""
    return int((values >= values.max() - ROUNDING).argmax())


def _best_of_all(known: OutOfFold, name: str) -> Array:
    """Offsets `[n_classes]` for a metric of all classes, one class after the other."""
    n_classes = known.log_probabilities.shape[1]
    offset, best = np.zeros(n_classes), -np.inf
    weights = known.weights
    # Of two classes one offset does; the thresholds are then those of the second class, as in scikit-learn.
    order = [1] if n_classes == 2 else range(n_classes)
    for _ in range(MOST_ROUNDS):
        before = best
        for label in order:
            found = sweep(known.log_probabilities + offset, known.labels, weights, label)
            values = found.metric(name)
            place = _first_best(values)
            if values[place] > best + ROUNDING:
                best = float(values[place])
                offset[label] -= found.thresholds[place]
        if best <= before + ROUNDING or n_classes == 2:
            break
    return offset


def read_need(kind: Kind, text: str, said: str | None = None) -> Need:
    """Read what is asked for: ``spam=10,ham=2`` or ``costs.csv`` as costs, ``spam=0.95`` as a recall, ``f1[spam]`` …

    Parameters
    ----------
    said
        How the user has written it, for messages; ``--kind=text`` if not given.

    Raises
    ------
    UserError
        If it is not what the kind takes. Whether there are such classes, `Need.check` says.
    """
    said = f"--{kind}={text}" if said is None else said
    if kind == "rule":
        known = [rule.name for rule in CANDIDATES]
        if text not in known:
            raise UserError(f"{said} names no rule{did_you_mean(text, known, '')} (known: {', '.join(known)})")
        return Need(kind, text)
    if kind == "metric":
        return _metric(text, said)
    if kind == "abstain":
        return Need(kind, text.strip(), level=read_level(text, said))
    if kind == "costs" and _is_file(text):
        return Need(kind, text, matrix=cost_matrix.read_csv(Path(text), said))
    return Need(kind, text, numbers=_numbers(kind, text, said))


def read_rule(text: str, said: str | None = None) -> Need:
    """Read ``KIND:TEXT`` (``recall:spam=0.95``, ``costs:costs.csv``, ``metric:f1[spam]``), or a rule (``tuned``).

    Raises
    ------
    UserError
        If there is no such kind, or `read_need` says so.
    """
    said = f"fit.rule={text}" if said is None else said
    kind, colon, rest = text.partition(":")
    kinds = [each for each in KINDS if each != "rule"]
    if not colon:
        rules = [*(rule.name for rule in CANDIDATES), ARGMAX]
        if text not in rules[:-1]:  # argmax chooses nothing, so it is no need
            needs = ", ".join(f"{each}:…" for each in kinds)
            raise UserError(
                f"{said} names no rule{did_you_mean(text, rules, '')} (known: {', '.join(rules)}; or what you need: "
                f"{needs})"
            )
        return read_need("rule", text, said)
    if kind not in kinds:
        raise UserError(f"{said} must begin with one of {', '.join(kinds)}{did_you_mean(kind, kinds, '')}")
    return read_need(kind, rest, said)


def _is_file(text: str) -> bool:
    if text.lower().endswith((".csv", ".tsv", ".txt")):
        return True
    try:
        return bool(text) and Path(text).exists()
    except OSError:  # too long for a name, as the costs of many classes are
        return False


def _metric(text: str, said: str) -> Need:
    name, bracket, rest = text.strip().partition("[")
    if bracket and rest.endswith("]") and name == "f1" and rest[:-1]:
        return Need("metric", text.strip(), metric=name, label=rest[:-1])
    if not bracket and name in OF_ALL:
        return Need("metric", name, metric=name)
    if bracket and name in ("recall", "precision"):
        raise UserError(
            f"{said}: a {name} alone is no target, as naming the class for every row, or for a single one, "
            f"may give 1: ask for {EXAMPLES['recall']} as recall, {EXAMPLES['precision']} as precision, or the metric "
            f"f1[{rest}"
        )
    raise UserError(
        f"{said} must name a metric of decisions{did_you_mean(name, OF_ALL, '')} "
        f"(known: f1[CLASS], {', '.join(OF_ALL)})"
    )


def _numbers(kind: Kind, text: str, said: str) -> dict[str, float]:
    """Classes with numbers: above 0; a threshold below 1; a recall or precision at most 1."""
    numbers: dict[str, float] = {}
    example = f"--{kind}=spam=0.5" if said.startswith("--") else EXAMPLES[kind]
    # A comma behind a number ends a part; any other one is of a class's name.
    parts = [*PART.finditer(text)]
    rest = text[parts[-1].end() :] if parts else text
    for name, number in [each.groups() for each in parts] + (
        [("", rest)] if rest or not parts or text.endswith(",") else []
    ):
        name = name.strip()
        if name in numbers:
            raise UserError(f"{said} names the class {name} twice: give it one number")
        try:
            numbers[name] = float(number)
        except ValueError:
            or_file = ", or give the path of a csv" if kind == "costs" else ""
            raise UserError(f"{said} must name classes with numbers, e.g. {example}{or_file}") from None
    limits = "above 0" if kind == "costs" else "above 0 and below 1" if kind == "threshold" else "above 0 and at most 1"
    most = np.inf if kind == "costs" else 1.0
    inside = [0 < number < most or (number == most and kind in ("recall", "precision")) for number in numbers.values()]
    if not all(numbers) or not all(inside):
        raise UserError(f"{said} must name classes with numbers {limits}, e.g. {example}")
    if kind == "threshold" and len(numbers) > 1:
        raise UserError(f"{said} must name one class: the other one has the rest")
    if kind in ("recall", "precision") and len(numbers) > 1:
        raise UserError(f"{said} must name one class, as one threshold cannot serve two: ask for each by itself")
    return numbers
