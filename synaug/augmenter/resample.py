"""Run a sampler of imbalanced-learn's kind on training rows."""

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from sklearn.base import clone

from synaug.augmenter.geometry import EOS, Mixup, Remix
from synaug.augmenter.global_state import seeded
from synaug.augmenter.neighbours import Neighbours
from synaug.augmenter.neighbours.hubness import occurrences, skewness, without_itself
from synaug.augmenter.returned import Resampled, kept_and_added
from synaug.augmenter.rows import SyntheticRows, TrainingRows
from synaug.augmenter.samplers import change, fresh, parameters, sampling_type

# Parameters that may hold a neighbour search, and what records call it.
SEARCH_PARAMETERS = {"n_neighbors": "nn", "k_neighbors": "nn_k", "m_neighbors": "nn_m"}


def resample(
    sampler: Any, rows: TrainingRows, targets: dict[int, int] | None, random_state: np.random.RandomState
) -> Resampled:
    """Resample with a clone of `sampler`.

    Parameters
    ----------
    rows
        The `n` training rows.
    targets
        Rows that classes shall have in the end; None where the sampler decides.
    random_state
        Source of every draw, also of samplers and estimators inside the sampler.

    Raises
    ------
    UserError
        If what comes back has another form than imbalanced-learn's, other labels, or lies in another space
        (`synaug.augmenter.returned.kept_and_added`).
    Exception
        Whatever the sampler raises.
    """
    sampler = _prepared(sampler, targets, random_state)
    with warnings.catch_warnings():
        # scikit-learn's, of many small classes: they are classes all the same.
        warnings.filterwarnings("ignore", "The number of unique classes is greater than 50%")
        # KMeansSMOTE's, of clusters of copies: what it raises next is known to be a shortage of rows.
        warnings.filterwarnings("ignore", "invalid value encountered", RuntimeWarning, r"imblearn\..*\.cluster$")
        if interpolates(sampler):
            return _interpolated(sampler, rows)
        with seeded(random_state, str(targets)):
            returned = sampler.fit_resample(rows.dense(), rows.y)
    # A copy both times: the sampler may write into what it is given.
    return kept_and_added(sampler, rows.dense(), rows.y, returned)


def resample_all(
    sampler: Any,
    sets: Sequence[TrainingRows],
    targets: Sequence[dict[int, int]],
    random_states: Sequence[np.random.RandomState],
) -> list[Resampled | ValueError]:
    """Resample several training sets with a sampler that learns for all of them at once (``fit_resample_all``).

    Returns
    -------
    list
        For each set what `resample` returns, or the ValueError that it raises.
    """
    samplers = [_prepared(sampler, *told) for told in zip(targets, random_states, strict=True)]
    with seeded(random_states[0], str(targets)):
        returned = list(sampler.fit_resample_all(samplers, [(rows.dense(), rows.y) for rows in sets]))
    results: list[Resampled | ValueError] = []
    for prepared, rows, resampled in zip(samplers, sets, returned, strict=True):
        if isinstance(resampled, ValueError):
            results.append(resampled)
            continue
        try:
            results.append(kept_and_added(prepared, rows.dense(), rows.y, resampled))
        except ValueError as error:
            results.append(error)
    return results


def resample_replicas(
    sampler: Any, rows: TrainingRows, targets: dict[int, int], random_states: Sequence[np.random.RandomState]
) -> list[Resampled | ValueError]:
    """Resample a training set several times with a sampler whose draws build on each other (``fit_resample_replicas``).

    Parameters
    ----------
    rows, targets
        As in `resample`.
    random_states
        One for each replica. What is inside the sampler is seeded by the first, from which that takes no draw.

    Returns
    -------
    list
        For each replica what `resample` returns, or the ValueError that all of them come to.
    """
    sampler = _prepared(sampler, targets, copy.deepcopy(random_states[0]))
    try:
        with seeded(random_states[0], str(targets)):
            returned = sampler.fit_resample_replicas(rows.dense(), rows.y, random_states)
        return [kept_and_added(sampler, rows.dense(), rows.y, replica) for replica in returned]
    except ValueError as error:
        return [error] * len(random_states)


def interpolates(sampler: Any) -> bool:
    """Whether a sampler only adds up rows it was given, after a search for neighbours that can be handed to it.

    Of these very classes, not of what is derived from them: that may look at the numbers, too.
    """
    kind = type(sampler)
    if kind is RandomOverSampler:
        return sampler.shrinkage is None
    if kind is BorderlineSMOTE:
        return bool(sampler.kind == "borderline-1")  # the other has draws that imbalanced-learn makes for arrays only
    return kind in (SMOTE, ADASYN, EOS, Mixup, Remix)


def _interpolated(sampler: Any, rows: TrainingRows) -> Resampled:
    """Let the sampler add up rows of the identity matrix; see `synaug.augmenter.rows`."""
    n = len(rows)
    identity = rows.identity()
    sampler.fit(identity, rows.y)  # checks parameters, as fit_resample would, which gets to see other ones
    searches = {name: search for name in SEARCH_PARAMETERS if (search := parameters(sampler).get(name)) is not None}
    bound = {name: _bound(search, rows) for name, search in searches.items()}
    sampler.set_params(**bound)
    weights, labels = sampler.fit_resample(identity, rows.y)
    synthetic = SyntheticRows.interpolated(weights[n:], rows.width)
    told = [*_recalls(bound), *_hubness({name: bound[name] for name, each in searches.items() if not _is_number(each)})]
    return Resampled(np.arange(n), synthetic, labels[n:].astype(np.int64), synthetic.between, told)


def _bound(search: Any, rows: TrainingRows) -> Any:
    if isinstance(search, Neighbours):
        return search.bound(rows.graph(search.metric), rows.index)
    if _is_number(search):
        return _bound(Neighbours(int(search) + 1), rows)
    return OfEmbeddings(search, rows)


def _is_number(search: Any) -> bool:
    return isinstance(search, int | np.integer)


class OfEmbeddings:
    """A user's own neighbour search, handed the embeddings that rows of the identity matrix stand for.

    Attributes
    ----------
    hubness
        By class, as of `synaug.augmenter.neighbours.Neighbours`, also that of clones.
    """

    def __init__(self, search: Any, rows: TrainingRows, hubness: dict[int, float] | None = None) -> None:
        self.search = search
        self.rows = rows
        self.hubness = {} if hubness is None else hubness

    def __sklearn_clone__(self) -> "OfEmbeddings":
        return OfEmbeddings(clone(self.search), self.rows, self.hubness)

    @property
    def n_neighbors(self) -> int:
        """The row itself included."""
        return int(self.search.n_neighbors)

    def fit(self, X: Any, y: Any = None) -> "OfEmbeddings":
        """As the search's own."""
        self._fitted = X.indices
        self.search.fit(self.rows.embeddings[self.rows.index[X.indices]])
        return self

    def kneighbors(self, X: Any, **options: Any) -> Any:
        """As the search's own."""
        found = self.search.kneighbors(self.rows.embeddings[self.rows.index[X.indices]], **options)
        classes = np.unique(self.rows.y[X.indices])
        if len(classes) == 1 and np.array_equal(X.indices, self._fitted):
            places = np.asarray(found[1] if isinstance(found, tuple) else found)
            if places.ndim == 2 and places.shape[1] > 1:
                self.hubness[int(classes[0])] = skewness(occurrences(without_itself(places)))
        return found

    def kneighbors_graph(self, X: Any, **options: Any) -> Any:
        """As the search's own."""
        return self.search.kneighbors_graph(self.rows.embeddings[self.rows.index[X.indices]], **options)


def _recalls(searches: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, search in searches.items():
        if isinstance(search, Neighbours) and search.recalls:
            yield {"search": SEARCH_PARAMETERS[name], "neighbours": "approximate", "recall": search.recalls[-1]}


def _hubness(searches: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Of searches that somebody chose, how skewed the k-occurrences are among the rows of a class."""
    for name, search in searches.items():
        for label, skewed in search.hubness.items():
            told = {"class": label, "search": SEARCH_PARAMETERS[name], "k": int(search.n_neighbors) - 1}
            yield {**told, "hubness": skewed}


def _prepared(sampler: Any, targets: dict[int, int] | None, random_state: np.random.RandomState) -> Any:
    sampler = fresh(sampler)
    known = parameters(sampler, deep=True)
    for path in list(known):
        owner, _, name = path.rpartition("__")
        if name == "random_state" and owner:
            # A generator of its own: samplers clone their parts, and clones of one generator would repeat its draws.
            change(sampler, path, np.random.RandomState(random_state.randint(2**32, dtype=np.uint32)))
        elif name == "random_state":
            change(sampler, path, random_state)
        elif name == "sampling_strategy" and targets and _is_told(known.get(owner, sampler), sampler):
            # The SMOTE inside a SMOTEENN is told as well, the cleaner inside it is not.
            change(sampler, path, targets)
    return sampler


def _is_told(part: Any, sampler: Any) -> bool:
    return sampling_type(part) == sampling_type(sampler)
