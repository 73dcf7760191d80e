"""What is fitted, as arrays, and what it says of vectors: the classifiers of a split, corrected and averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaug.errors import UserError
from synaug.model.tuned import encoders_of

if TYPE_CHECKING:
    from synaug.training.predictions import Member

Array = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]
# Kinds of heads, as a folder's config names them.
STACKED, MEANS, NEIGHBOURS, SKLEARN = KINDS = ("stacked", "class_means", "neighbours", "sklearn")
# Of all kinds.
CARRIED, TARGET, MEAN, SCALE, SPACE = "carried", "target", "mean", "scale", "space"
LAYER = "layers"


@dataclass(frozen=True)
class Head:
    """Fitted classifiers whose corrected probabilities are averaged.

    Attributes
    ----------
    kind
        One of `KINDS`.
    n_features, n_classes, n_members
        Width of a vector, how many classes there are, and how many classifiers are averaged. Where these read several
        encoders, a vector is theirs side by side.
    tensors
        By name. ``target`` float64 `[C]`, and, where probabilities are corrected, ``carried`` float64 `[m, C]`; where
        vectors are standardised, ``mean`` and ``scale`` float32 `[m, d]`; where there are several encoders, ``space``
        int64 `[m]`, which of them each classifier reads, from 0 on. Of a stack ``layers.0.weight`` float32
        `[m, d, h]`, ``layers.0.bias`` `[m, 1, h]`, …; of class means ``means`` float64 `[m, C, d]` and ``sharpness``
        `[m]`; of neighbours ``rows.0`` float32 `[n, d]` and ``labels.0`` int64 `[n]`, ….
    settings
        Of neighbours `k` and `metric`.
    estimators
        Of scikit-learn's, one for each member.
    """

    kind: str
    n_features: int
    n_classes: int
    n_members: int
    tensors: Arrays
    settings: Mapping[str, Any] = field(default_factory=dict)
    estimators: Sequence[Any] = ()

    @classmethod
    def of(cls, members: "Sequence[Member]", target: Array) -> "Head":
        """The head of the classifiers that were kept for one split and rule.

        Parameters
        ----------
        members
            Of `synaug.training.predictions.OfSplit.members`.
        target
            Class frequencies `[C]` that probabilities are corrected to.
        """
        # Not above: loading a head must not wait for what trains.
        from synaug.classifier.at_once import SaysAsFitted, SaysByMeans, SaysByNeighbours

        shared: dict[str, NDArray[Any]] = {TARGET: np.asarray(target, np.float64)}
        if members[0].carried is not None:
            shared[CARRIED] = np.stack([member.carried for member in members if member.carried is not None])
        mean, scale = (np.stack([getattr(member, name) for member in members]) for name in ("mean", "scale"))
        if mean.any() or (scale != 1).any():
            shared |= {MEAN: mean, SCALE: scale}
        encoders, space = encoders_of(members)
        if len(encoders) > 1:
            shared[SPACE] = space
        fitted = [member.fitted for member in members]
        size = mean.shape[1] * max(len(encoders), 1), len(target), len(members)
        first = fitted[0]
        if isinstance(first, SaysByMeans):
            by_means = [each for each in fitted if isinstance(each, SaysByMeans)]
            own = {
                "means": np.stack([each.means for each in by_means]),
                "sharpness": np.array([each.sharpness for each in by_means]),
            }
            return cls(MEANS, *size, {**shared, **own})
        if isinstance(first, SaysByNeighbours):
            rows: dict[str, NDArray[Any]] = {}
            for number, each in enumerate(fitted):
                assert isinstance(each, SaysByNeighbours)
                rows |= {f"rows.{number}": each.X, f"labels.{number}": each.y}
            return cls(NEIGHBOURS, *size, {**shared, **rows}, {"k": first.k, "metric": first.metric})
        if isinstance(first, SaysAsFitted):
            return cls(SKLEARN, *size, shared, {}, [each.estimator for each in fitted])  # type: ignore[union-attr]
        if isinstance(first, Mapping):
            weights = [each for each in fitted if isinstance(each, Mapping)]
            return cls(STACKED, *size, {**shared, **{name: np.stack([of[name] for of in weights]) for name in first}})
        raise UserError(
            f"a classifier of {type(first).__module__}.{type(first).__qualname__} cannot be saved: choose a "
            "run of classifier=mlp, linear, nearest_class_mean, knn or sklearn"
        )

    def log_probabilities(self, vectors: NDArray[np.float32]) -> Array:
        """Log probabilities float64 `[n, C]` of vectors `[n, d]`, corrected to the target: as a record keeps them."""
        from synaug.scores.prior_correction import corrected
        from synaug.training.looks import pooled

        own = self._own(vectors)
        if self.kind == STACKED:
            said = self._stack(own)
        else:
            said = [says(of_member) for says, of_member in zip(self._members, own, strict=True)]
        if CARRIED not in self.tensors:
            return pooled(said)
        return pooled(
            [
                corrected(of_member, carried, self.tensors[TARGET])
                for of_member, carried in zip(said, self.tensors[CARRIED], strict=True)
            ]
        )

    @property
    def n_spaces(self) -> int:
        """How many encoders there are to read."""
        return int(self.tensors[SPACE].max()) + 1 if SPACE in self.tensors else 1

    def _own(self, vectors: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """What each member reads of vectors, `[n, d]` each."""
        if SPACE not in self.tensors:
            return [vectors] * self.n_members
        spaces = np.split(vectors, self.n_spaces, axis=1)
        return [spaces[place] for place in self.tensors[SPACE]]

    @cached_property
    def _members(self) -> list[Any]:
        """What each member says of vectors, of a head that is no stack."""
        from synaug.classifier.at_once import SaysAsFitted, SaysByMeans, SaysByNeighbours

        of = self.tensors
        says: list[Any] = []
        for member in range(self.n_members):
            if self.kind == MEANS:
                says.append(SaysByMeans(of["means"][member], float(of["sharpness"][member])))
            elif self.kind == NEIGHBOURS:
                rows, labels = of[f"rows.{member}"], of[f"labels.{member}"]
                says.append(SaysByNeighbours(rows, labels, self.settings["k"], self.settings["metric"]))
            else:
                says.append(SaysAsFitted(self.estimators[member]))
        if MEAN not in of:
            return says
        return [_Scaled(each, of[MEAN][member], of[SCALE][member]) for member, each in enumerate(says)]

    @cached_property
    def _network(self) -> Any:
        import torch

        from synaug.classifier.stacked import StackedMLP

        n_layers = len([name for name in self.tensors if name.startswith(f"{LAYER}.") and name.endswith(".weight")])
        hidden = [self.tensors[f"{LAYER}.{layer}.bias"].shape[2] for layer in range(n_layers - 1)]
        network = StackedMLP(self.n_features // self.n_spaces, self.n_classes, hidden, [0] * self.n_members)
        for name, weight in network.named_parameters():
            weight.data = torch.from_numpy(np.array(self.tensors[name]))
        return network.eval()

    def _stack(self, own: Sequence[NDArray[np.float32]]) -> list[Array]:
        """What each member of the stack says of what it reads, in blocks of the shape that a run has: the same bits."""
        import torch

        from synaug.classifier.batch import EVALUATION_ROWS

        scaled = MEAN in self.tensors
        if scaled:
            mean, scale = (torch.from_numpy(self.tensors[name][:, None]) for name in (MEAN, SCALE))
        blocks = []
        with torch.inference_mode():
            for start in range(0, len(own[0]), EVALUATION_ROWS):
                n_rows = len(own[0][start : start + EVALUATION_ROWS])
                block = np.zeros((self.n_members, EVALUATION_ROWS, own[0].shape[1]), np.float32)
                for member, vectors in enumerate(own):
                    block[member, :n_rows] = vectors[start : start + EVALUATION_ROWS]
                x = torch.from_numpy(block)
                if scaled:
                    x = (x - mean) / scale
                blocks.append(self._network(x).double().log_softmax(-1)[:, :n_rows].numpy())
        if not blocks:
            return [np.zeros((0, self.n_classes)) for _ in range(self.n_members)]
        return list(np.concatenate(blocks, axis=1))


@dataclass(frozen=True)
class _Scaled:
    """What a member says of vectors that are standardised first."""

    says: Any
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    def __call__(self, vectors: NDArray[np.float32]) -> Array:
        said: Array = self.says((vectors - self.mean) / self.scale)
        return said
