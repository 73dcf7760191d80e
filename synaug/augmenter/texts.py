"""Texts that somebody else wrote, as synthetic rows: each only where the row that it was derived from trains."""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from numpy.typing import NDArray

from synaug import settings
from synaug.augmenter.brought import Drawn
from synaug.augmenter.rows import FloatRows, Labels, ToAugment
from synaug.dataset import LabelledTexts, MatchedTexts, WrittenTexts
from synaug.errors import UserError
from synaug.settings import names
from synaug.splits.near_copies import NEAR, near_pairs

Mask = NDArray[np.bool_]
MOST_CLASSES = 5  # that a sentence names


@dataclass(frozen=True)
class Pool:
    """Written texts as rows, and what they have to do with those of the data set.

    Attributes
    ----------
    texts
        As they were matched.
    embeddings
        float32 `[w, d]`.
    near
        int64 `[q, 2]`: pairs of a written row and a row of the data set that are near copies.
    n_rows
        Of the data set.
    """

    texts: MatchedTexts
    embeddings: FloatRows
    near: Labels
    n_rows: int

    @cached_property
    def parents(self) -> Labels:
        """Two rows of the data set that each was derived from, int64 `[w, 2]`: the first and the last; -1 for none."""
        written, rows = self.texts.derived.T
        parents = np.full((len(self.texts.labels), 2), -1, dtype=np.int64)
        parents[written, 1] = rows  # the last of several stays
        parents[written[::-1], 0] = rows[::-1]
        return parents

    def derived_from_others(self, given: Labels) -> Mask:
        """Which rows were derived from a row that is not among those given, `[w]`."""
        return self._any(self.texts.derived, ~self._among(given))

    def near_to(self, judged: Labels) -> Mask:
        """Which rows are near copies of one of those rows of the data set, `[w]`."""
        return self._any(self.near, self._among(judged))

    def _among(self, rows: Labels) -> Mask:
        among = np.zeros(self.n_rows, dtype=bool)
        among[rows] = True
        return among

    def _any(self, pairs: Labels, of_data_set: Mask) -> Mask:
        found = np.zeros(len(self.texts.labels), dtype=bool)
        found[pairs[of_data_set[pairs[:, 1]], 0]] = True
        return found


class Texts(BaseOverSampler):  # type: ignore[misc]
    """Texts that somebody else wrote (a large language model, a translator, a colleague), drawn without replacement.

    A text is used in a training set only if

    - every text that it was derived from is among the rows which the training set is given. Otherwise a model would
      be judged on a row, of a test fold or of those that an inner fold leaves out, whose paraphrase it has trained on;
    - it is no near copy of a row that judges the training set: cosine of at most .95 to each
      (`synaug.splits.near_copies`), whatever it was derived from.

    Where fewer texts may be used than are asked for, there are fewer rows: what another sampler would make in their
    place would say nothing of the texts. The account of the class has the reason. With the same draws, a smaller
    amount is a part of a larger one. Which class a text's source is of does not matter.

    Parameters
    ----------
    path, text, label, source, sources, separator, quoting, drop_empty
        As of `synaug.dataset.WrittenTexts`.
    sampling_strategy, random_state
        Of imbalanced-learn's contract; the run decides both.

    Attributes
    ----------
    matched_
        What the data set has a use for (after `matched`).
    pool_
        The same with vectors (after `embedded`).
    """

    def __init__(
        self,
        *,
        path: str,
        text: str = "text",
        label: str = "label",
        source: str = "source",
        sources: str = settings.REQUIRED,
        separator: str | None = None,
        quoting: str | None = None,
        drop_empty: bool = False,
        sampling_strategy: Any = "auto",
        random_state: np.random.RandomState | None = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.path = path
        self.text = text
        self.label = label
        self.source = source
        self.sources = sources
        self.separator = separator
        self.quoting = quoting
        self.drop_empty = drop_empty
        self.random_state = random_state
        self._written()  # which refuses values that can be none of a file's

    def digest(self) -> str:
        """Digest of the file."""
        return self._written().digest()

    def matched(self, dataset: LabelledTexts) -> "Texts":
        """As of `synaug.augmenter.brought.BringsTexts`; raises as `synaug.dataset.WrittenTexts.matched` does."""
        known = copy.copy(self)
        known.matched_ = self._written().matched(dataset)
        return known

    @property
    def texts(self) -> Sequence[str]:
        """Those that are to be embedded."""
        found: MatchedTexts = self.matched_
        return found.texts

    @property
    def report(self) -> dict[str, Any]:
        """Digest of the file, counts of what was read and left out, and whether sources were required."""
        found: MatchedTexts = self.matched_
        return {"sources": self.sources, **found.report}

    def embedded(self, own: FloatRows, of_data_set: FloatRows) -> "Texts":
        """As of `synaug.augmenter.brought.BringsTexts`."""
        known = copy.copy(self)
        known.pool_ = Pool(self.matched_, own, near_pairs(own, of_data_set), len(of_data_set))
        return known

    def draw(self, task: ToAugment, asked: Mapping[int, int]) -> Drawn:
        """Draw rows for a training set, of each label in turn.

        Parameters
        ----------
        task
            The training set.
        asked
            By label, how many.
        """
        pool: Pool = self.pool_
        given = task.rows.index
        elsewhere, near = pool.derived_from_others(given), pool.near_to(task.judged)
        drawn: list[Labels] = [np.empty(0, np.int64)]
        lacking, diagnostics = {}, []
        for label, n in sorted(asked.items()):
            of_class = pool.texts.labels == label
            usable = np.flatnonzero(of_class & ~elsewhere & ~near)
            drawn.append(task.random_state.permutation(usable)[:n])
            counts = {
                "texts": int(of_class.sum()),
                "derived_from_others": int((of_class & elsewhere).sum()),
                "near_copies": int((of_class & ~elsewhere & near).sum()),
                "usable": len(usable),
                "used": len(drawn[-1]),
            }
            diagnostics.append({"class": label, "asked": n, **counts})
            if len(usable) < n:
                lacking[label] = (
                    f"of {counts['texts']} written texts, {counts['derived_from_others']} were derived from rows that "
                    f"do not train there and {counts['near_copies']} are near copies of rows that judge the "
                    "model"
                )
        chosen = np.concatenate(drawn)
        parents = pool.parents[chosen]
        places = np.where(parents < 0, -1, np.searchsorted(given, parents))
        return Drawn(pool.embeddings[chosen], pool.texts.labels[chosen], places, lacking, diagnostics)

    def _written(self) -> WrittenTexts:
        table = settings.OF_A_TARGET["synaug.augmenter.Texts"]
        return WrittenTexts(**{key: getattr(self, key) for key in table})

    def _fit_resample(self, X: Any, y: Any) -> NoReturn:
        raise UserError(
            "augmenter=texts cannot be used inside another sampler, because a text may train only where the rows that "
            "it was derived from train, and an inner sampler gets numbers without row numbers: use it by itself"
        )


def said_of_texts(record: Mapping[str, Any]) -> list[str]:
    """What a reader of a record is warned of if it has written texts; nothing of any other.

    Parameters
    ----------
    record
        Its tables `written_texts` (`Texts.report`; absent where there are none), `balance` and `diagnostics`.
    """
    report = record.get("written_texts")
    if report is None:
        return []
    said = []
    if report["sources"] == settings.NO_SOURCES:
        said.append(
            "augmenter.sources=none: nobody knows which rows the written texts were derived from, so models may have "
            "been judged on rows whose paraphrases they trained on, and scores may be too high (texts with a cosine "
            f"above {NEAR} to such rows were left out)"
        )
    if report["sources_unknown"]:
        said.append(
            f"{report['sources_unknown']:,} written texts were not used, as one of their sources is not in the data "
            "set word for word (a cap may have taken it away)"
        )
    said += _said_of_shortfall(record["balance"])
    near = sum(row["near_copies"] for row in record["diagnostics"])
    if near:
        said.append(
            f"in {near:,} cases a written text was left out of a split as a near copy (cosine above {NEAR}) of a test "
            "row"
        )
    return said


def _said_of_shortfall(balance: Mapping[str, Any]) -> list[str]:
    rows = [dict(zip(balance["columns"], row, strict=True)) for row in balance["data"]]
    made, asked = Counter[str](), Counter[str]()
    for row in rows:
        made[row["class"]] += row["made"]
        asked[row["class"]] += row["asked"] or 0
    short = [name for name in asked if made[name] < asked[name]]
    if not short:
        return []
    n_sets = len({(row["seed"], row["fold"], row["inner"]) for row in rows})
    listed = ", ".join(
        f"{made[name]:,} of {asked[name]:,} rows for class {names.cut(name)}" for name in short[:MOST_CLASSES]
    )
    more = f" and too few for {len(short) - MOST_CLASSES} more classes" if len(short) > MOST_CLASSES else ""
    return [
        f"there are fewer written texts than were asked for: over all {n_sets} training sets they gave {listed}{more}; "
        "nothing was made in their place"
    ]
