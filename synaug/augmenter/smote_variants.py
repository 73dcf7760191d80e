"""An adaptor for the samplers of the package smote-variants."""

import importlib
import importlib.util
import inspect
import logging
import math
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from synaug.augmenter.returned import Resampled, kept_and_added
from synaug.augmenter.rows import FloatRows, Labels
from synaug.augmenter.samplers import NEIGHBOURS
from synaug.augmenter.too_few_rows import is_shortage
from synaug.errors import TooFewRowsError, UserError
from synaug.settings import names

PACKAGE = "smote_variants"
INSTALL = "pip install 'synaug[smote-variants]' && pip install --no-deps smote-variants==1.0.1"
# What a synthetic row of theirs cannot be: reasons are in benchmarks/results/smote_variants.md.
REFUSED = {
    "DEAGO": "needs TensorFlow",
    "E_SMOTE": "leaves columns of the embeddings out",
    "Gazzah": "returns no real row of the class that it adds to",
    "IPADE_ID": "returns a few prototypes in the place of all real rows",
    "ISOMAP_Hybrid": "returns rows of another, smaller space",
    "KernelADASYN": "returns real rows cut to some principal components",
    "MOT2LD": "calls scikit-learn's TSNE by an argument that 1.7 has removed",
    "NoSMOTE": "makes nothing, as augmenter=none does",
}
# What the adaptor says itself, in the place of the user.
OURS = {
    "proportion": "augmenter.amount says how many rows every class gets",
    "random_state": "every draw follows from seeds",
}
# A sampler that makes fewer rows than it was asked for is asked for more, so many times at most.
MOST_CALLS = 4
LARGEST_SEED = 2**31 - 1
# What research code raises where its arithmetic or its indices do not fit the rows.
FAULTS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class SmoteVariants(BaseOverSampler):  # type: ignore[misc]
    """Any sampler of smote-variants [1]_, by its name.

    Those samplers know two classes, one share for the smaller of them, and a seed. Here each class that rows are asked
    for is made by **one against the rest**, of real rows alone. The package's own ``MulticlassOversampling`` would not
    do: it takes no number of rows for each class, its "equalize" fills every class up to all others together, and its
    "successive" makes the rows of a class from synthetic rows of those before.

    - `proportion` follows from the number of rows asked for. A sampler that rounds to fewer is asked again for
      more; of more than were asked for, as many as needed are drawn without replacement.
    - The sampler is made anew for each call, by an int that follows from `random_state` and the class: it can be
      neither cloned nor copied, and some take no ``RandomState``.
    - Real rows that a sampler leaves out are left out. Of a class that rows are asked for, its own call decides; of
      any other, all calls do. What it makes or moves of other classes belongs to the other one of two; with more
      classes it is refused, for the rest is no class.

    Parameters
    ----------
    sampler : str, default="polynom_fit_SMOTE_star"
        Name of a class in ``smote_variants``. The default ranked first in the authors' comparison [2]_; it draws
        nothing, its rows lie between each row and the mean of its class.
    parameters : dict, default=None
        What the sampler's constructor takes, beside `proportion` and `random_state`.
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn.
    random_state : int, RandomState or None, default=None
        Source of the seeds.

    Attributes
    ----------
    diagnostics_ : list of dict
        For each class added to: `class`; `sampler`; `calls`, how often it was called; `made`, what the last call
        returned for the class; `used`, how many of these were taken; `removed`, real rows of all classes
        that it left out.

    Raises
    ------
    UserError
        If the package is not installed; if there is no such sampler or parameter; if the sampler cannot work on
        embeddings, or fails on rows for another reason than their number.
    TooFewRowsError
        If it fails on a class with fewer rows than neighbours.

    References
    ----------
    .. [1] Kovács, "smote-variants: a Python implementation of 85 minority oversampling techniques", Neurocomputing
       366, 2019.
    .. [2] Kovács, "An empirical comparison and evaluation of minority oversampling techniques on a large number of
       imbalanced datasets", Applied Soft Computing 83, 2019; the sampler: Gazzah and Amara, "New oversampling
       approaches based on polynomial fitting for imbalanced data sets", DAS 2008.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        sampler: str = "polynom_fit_SMOTE_star",
        parameters: Mapping[str, Any] | None = None,
        *,
        sampling_strategy: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.sampler = sampler
        self.parameters = parameters
        self.random_state = random_state
        kind = _class_of(sampler)
        _check_parameters(kind, parameters or {})

    def _fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        draw = check_random_state(self.random_state)
        rows = np.asarray(X, dtype=np.float32)
        remains = np.ones(len(y), dtype=bool)
        made, labels = [], []
        self.diagnostics_: list[dict[str, Any]] = []
        # A seed for every class, so that a class's rows do not depend on which others are wanted.
        labels_of_all = np.unique(y)
        seeds = dict(zip(labels_of_all, draw.randint(LARGEST_SEED, size=len(labels_of_all)).tolist(), strict=True))
        for label, n in self.sampling_strategy_.items():
            if n == 0:
                continue
            draw = np.random.RandomState(seeds[label])
            calls, result = self._one_class(rows, y == label, int(n), label, draw)
            of_class = result.synthetic.others[result.labels == 1]
            chosen = of_class if len(of_class) <= n else of_class[np.sort(draw.choice(len(of_class), n, replace=False))]
            made.append(chosen)
            labels.append(np.full(len(chosen), label, dtype=y.dtype))
            of_rest = result.synthetic.others[result.labels == 0]
            if len(of_rest):
                made.append(of_rest)
                labels.append(np.full(len(of_rest), self._the_other(y, label), dtype=y.dtype))
            is_kept = np.isin(np.arange(len(y)), result.kept)
            is_judged = (y == label) | ~np.isin(y, [each for each, asked in self.sampling_strategy_.items() if asked])
            remains &= is_kept | ~is_judged
            self.diagnostics_.append(
                {
                    "class": np.asarray(label).item(),
                    "sampler": self.sampler,
                    "calls": calls,
                    "made": len(of_class),
                    "used": len(chosen),
                    "removed": int((is_judged & ~is_kept).sum()),
                }
            )
        new = np.concatenate([rows[:0], *made]).astype(X.dtype)
        return np.concatenate([X[remains], new]), np.concatenate([y[remains], *labels])

    def _one_class(
        self, X: FloatRows, is_of_class: NDArray[np.bool_], n: int, label: Any, draw: np.random.RandomState
    ) -> tuple[int, Resampled]:
        """The sampler's rows for one class against the rest, and by how many calls."""
        gap = len(X) - 2 * int(is_of_class.sum())
        if gap < 1:
            raise UserError(
                f"augmenter.sampler={self.sampler} makes rows only for the smaller of two classes, but class {label} "
                f"has {is_of_class.sum()} of {len(X)} rows: choose another augmenter"
            )
        y = is_of_class.astype(np.int64)
        listens = "proportion" in inspect.signature(_class_of(self.sampler)).parameters
        wanted, results = n, list[Resampled]()
        while len(results) < MOST_CALLS:
            # Half a row more: their int(gap * proportion) must not round down.
            result = self._call(X, y, (wanted + 0.5) / gap, draw.randint(LARGEST_SEED), label)
            results.append(result)
            made = int((result.labels == 1).sum())
            # What it cleaned away is not filled up again.
            if not listens or made == 0 or made >= n or len(result.kept) < len(X):
                break
            wanted = max(math.ceil(wanted * n / made), wanted + 1)
        return len(results), max(results, key=lambda result: int((result.labels == 1).sum()))

    def _call(self, X: FloatRows, y: Labels, proportion: float, seed: int, label: Any) -> Resampled:
        kind = _class_of(self.sampler)
        given = dict(self.parameters or {})
        if "proportion" in inspect.signature(kind).parameters:
            given["proportion"] = proportion
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of its arithmetic: what comes back is checked
                variant = kind(**given, random_state=int(seed))
                returned = variant.sample(X.astype(np.float64), y.copy())
            return kept_and_added(variant, X, y, returned)
        except UserError:
            raise
        except FAULTS as error:
            n, kind_of_error = int(y.sum()), type(error).__name__
            said = f"{kind_of_error}: {' '.join(str(error).split())}"
            cause = f"smote-variants' {self.sampler} failed on the {n} rows of class {label} ({said})"
            is_known = isinstance(error, ValueError | RuntimeError) and is_shortage(self, error, {1: n})
            if is_known or n <= max(1, _neighbours(kind, self.parameters or {})):
                raise TooFewRowsError(cause) from error
            raise UserError(
                f"{cause}, and the fault is that package's: choose another augmenter.sampler "
                "(benchmarks/results/smote_variants.md says which work)"
            ) from error

    def _the_other(self, y: NDArray[Any], label: Any) -> Any:
        others = [each for each in np.unique(y) if each != label]
        if len(others) > 1:
            raise UserError(
                f"augmenter.sampler={self.sampler} also makes or moves rows of classes that it was not asked for, and "
                "with several classes it does not say of which: choose another sampler, or data with two classes"
            )
        return others[0]


def sampler_names() -> list[str]:
    """Names of all samplers of smote-variants, sorted; also of those that are refused.

    Raises
    ------
    UserError
        If the package is not installed.
    """
    package = _package()
    return sorted(kind.__name__ for kind in package.get_all_oversamplers())


def _package() -> Any:
    for needed in (PACKAGE, "metric_learn", "minisom", "seaborn"):
        if importlib.util.find_spec(needed) is None:
            raise UserError(f"augmenter=smote_variants needs a package that is not installed ({needed}): {INSTALL}")
    package = importlib.import_module(PACKAGE)
    logging.getLogger(PACKAGE).setLevel(logging.WARNING)  # it logs each call, to a handler of its own
    return package


def _class_of(sampler: str) -> Any:
    package = _package()
    known = sampler_names()
    if sampler not in known:
        raise UserError(
            f"augmenter.sampler={sampler} is no sampler of smote-variants"
            f"{names.nearest(str(sampler), known) or f': use one of {names.listed(known, len(known))}'}"
        )
    needs_no_more = sampler == "DEAGO" and importlib.util.find_spec("tensorflow") is not None
    if sampler in REFUSED and not needs_no_more:
        raise UserError(f"augmenter.sampler={sampler} {REFUSED[sampler]}: choose another")
    return getattr(package, sampler)


def _check_parameters(kind: Any, given: Mapping[str, Any]) -> None:
    # Their constructors take any keyword and forget what they do not know.
    signature = inspect.signature(kind).parameters.values()
    known = {each.name for each in signature if each.kind is not inspect.Parameter.VAR_KEYWORD}
    for name in given:
        place = f"augmenter.parameters.{name}"
        if name in OURS:
            raise UserError(f"{place} cannot be set, for {OURS[name]}: leave it out")
        if name not in known:
            known -= OURS.keys()
            raise UserError(
                f"{place} is no parameter of {kind.__name__}"
                f"{names.nearest(str(name), known) or f': it has {names.listed(sorted(known))}'}"
            )
    try:
        kind(**given)
    except FAULTS as error:
        raise UserError(
            f"augmenter.parameters={dict(given)} is refused by {kind.__name__} ({' '.join(str(error).split())}): "
            "correct it"
        ) from error


def _neighbours(kind: Any, given: Mapping[str, Any]) -> int:
    """The most neighbours that a sampler is told to use; 0 if it names none."""
    defaults = {name: each.default for name, each in inspect.signature(kind).parameters.items()}
    numbers = [value for name, value in {**defaults, **given}.items() if NEIGHBOURS.fullmatch(name.lower())]
    return max((int(value) for value in numbers if isinstance(value, int) and not isinstance(value, bool)), default=0)
