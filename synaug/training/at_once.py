"""The training of classifiers that are fitted at once: one member after another, and one look."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from synaug.classifier.at_once import FittedAtOnce, Says
from synaug.errors import UserError
from synaug.scores.decision import ARGMAX, CANDIDATES
from synaug.scores.prior_correction import corrected
from synaug.seeding import derive_seed
from synaug.settings import REFIT
from synaug.training.looks import pooled
from synaug.training.predictions import Chosen, Member, OfSplit, Predictions
from synaug.training.training_sets import TrainingData, TrainingSet
from synaug.training.watch import judge_of, out_of_fold

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingAtOnce:
    """Each member fitted by itself.

    Attributes
    ----------
    classifier
        What is fitted.
    final
        As in `synaug.training.fit.StackedTraining`.
    progress_bar
        Whether to draw one.
    keep
        Whether to return the fitted classifiers, too.
    """

    classifier: FittedAtOnce
    final: str
    progress_bar: bool = True
    keep: bool = False

    def fit(self, data: TrainingData) -> Predictions:
        """Fit all members, and predict the rows that they are judged on.

        Raises
        ------
        UserError
            If a member says what is no finite number.
        """
        carried = self.classifier.carried_prior(data.class_counts())
        left_out: dict[int, Array] = {}
        test: dict[int, Array] = {}
        fitted: dict[int, Says] = {}
        n_trained = 0
        bar = tqdm(data.training_sets, "fitting", unit="member", disable=None if self.progress_bar else True)
        for member, training_set in enumerate(bar):
            says, n_rows = self._fitted(data, training_set)
            n_trained += n_rows
            if self.keep:
                fitted[member] = says
            if training_set.inner is not None:
                left_out[member] = self._said(data, says, training_set.left_out, training_set)
            if training_set.inner is None or self.final != REFIT:
                test[member] = self._said(data, says, training_set.split.test, training_set)
        return Predictions(
            splits=[self._of_split(data, carried, place, left_out, test, fitted) for place in range(len(data.splits))],
            members=len(data.training_sets),
            n_trained=n_trained,
        )

    def _fitted(self, data: TrainingData, training_set: TrainingSet) -> tuple[Says, int]:
        synthetic = training_set.augmented
        X = np.concatenate([training_set.embeddings[training_set.real], synthetic.synthetic_embeddings])
        y = np.concatenate([data.labels[training_set.real], synthetic.labels])
        seeds = training_set.seeds
        seed = derive_seed("weights", *seeds)
        return self.classifier.fit(_scaled(X, training_set), y, len(training_set.real), seed), len(y)

    def _said(self, data: TrainingData, says: Says, rows: NDArray[np.int64], training_set: TrainingSet) -> Array:
        if not len(rows):  # scikit-learn refuses to be asked about none
            return np.zeros((0, len(data.class_names)))
        said = says(_scaled(training_set.embeddings[rows], training_set))
        if not np.isfinite(said).all():
            split = training_set.split
            raise UserError(
                f"the classifier says log probabilities that are not finite in seed {split.seed} fold {split.fold}: "
                "choose other settings of classifier, or another classifier"
            )
        return said

    def _of_split(
        self,
        data: TrainingData,
        carried: Array,
        place: int,
        left_out: Mapping[int, Array],
        test: Mapping[int, Array],
        fitted: Mapping[int, Says],
    ) -> OfSplit:
        members = [member for member, each in enumerate(data.training_sets) if each.place == place]
        inner = [member for member in members if data.training_sets[member].inner is not None]
        whole = [member for member in members if data.training_sets[member].inner is None]
        final = whole if self.final == REFIT else inner
        target, judge = data.target[place], judge_of(data, place)
        said = out_of_fold(data, carried, inner, [left_out[member] for member in inner])
        judge.look(0, said)
        chosen = {
            rule.name: Chosen(
                step=0,
                loss=judge.losses[rule.name][0],
                chance=judge.chance,
                out_of_fold=said,
                test=pooled([corrected(test[member], carried[member], target) for member in final]),
                test_as_it_is=pooled([test[member] for member in final]),
            )
            for rule in CANDIDATES
        }
        kept: dict[str, list[Member]] = {}
        if self.keep:
            kept[ARGMAX] = [_member(data.training_sets[member], fitted[member], None) for member in whole]
            corrects = [_member(data.training_sets[member], fitted[member], carried[member]) for member in final]
            kept |= dict.fromkeys(chosen, corrects)
        return OfSplit(pooled([test[member] for member in whole]), chosen, members=kept)


def _member(training_set: TrainingSet, says: Says, carried: Array | None) -> Member:
    return Member(says, carried, training_set.mean, training_set.scale, training_set.tuned)


def _scaled(rows: NDArray[np.float32], training_set: TrainingSet) -> NDArray[np.float32]:
    """Rows as the member sees them: the sampler's space, or each dimension standardised."""
    scaled: NDArray[np.float32] = (rows - training_set.mean) / training_set.scale
    return scaled
