"""Samplers, whoever wrote them: their kinds, their parameters, and copies that a call may alter."""

import copy
import re
import sys
from collections.abc import Iterator
from typing import Any

from imblearn.over_sampling.base import BaseOverSampler
from imblearn.under_sampling.base import BaseCleaningSampler, BaseUnderSampler
from sklearn.base import clone

from synaug.errors import UserError

# What third-party samplers raise when they are cloned, copied or asked for parameters.
REFUSALS = (AttributeError, KeyError, RuntimeError, TypeError, ValueError, copy.Error)
# imbalanced-learn's words for kinds of samplers, and the public classes that samplers of a kind are derived from.
KINDS = (
    ("over-sampling", BaseOverSampler),
    ("clean-sampling", BaseCleaningSampler),
    ("under-sampling", BaseUnderSampler),
)
# What a classifier of scikit-learn's kind needs to say probabilities.
CLASSIFIER_METHODS = ("fit", "predict_proba", "get_params")
# Parameters that name neighbours within a class: k_neighbors, n_neighbors, and what others call them.
NEIGHBOURS = re.compile(r"k|([kn]_?)?neighbou?rs")


def fresh(sampler: Any) -> Any:
    """A copy for one call: scikit-learn's clone, or a deep copy where that is refused or loses settings.

    Raises
    ------
    AttributeError, KeyError, RuntimeError, TypeError, ValueError, copy.Error
        If it can be neither cloned nor copied.
    """
    try:
        copied = clone(sampler)
    except REFUSALS:
        copied = None
    if copied is not None and not _loses_settings(sampler, copied):
        return copied
    # Modules are shared, not copied: a sampler may hold numpy.random.
    return copy.deepcopy(sampler, {id(module): module for module in list(sys.modules.values())})


def _loses_settings(sampler: Any, copied: Any) -> bool:
    """Whether a clone lacks what the constructor was given, as with **keywords, which clone cannot see."""
    before, after = getattr(sampler, "__dict__", {}), getattr(copied, "__dict__", {})
    if type(sampler) is not type(copied) or before.keys() - after.keys():
        return True
    simple = (str, int, float, bool, type(None))
    return any(isinstance(value, simple) and value != after[name] for name, value in before.items())


def parameters(sampler: Any, deep: bool = False) -> dict[str, Any]:
    """What ``get_params`` tells; of an object that has none, or one that fails, its public attributes."""
    if hasattr(sampler, "get_params"):
        try:
            return dict(sampler.get_params(deep=deep))
        except REFUSALS:
            pass
    attributes = getattr(sampler, "__dict__", {})
    return {name: value for name, value in attributes.items() if not name.startswith("_") and not name.endswith("_")}


def require_probabilities(estimator: Any, setting: str, otherwise: str) -> None:
    """Refuse what is no classifier of scikit-learn's kind that says probabilities.

    Parameters
    ----------
    setting, otherwise
        What it was given as, and what is wrong if it is none: the words before and behind its name.

    Raises
    ------
    UserError
        If it is a class and no object, or lacks ``fit``, ``predict_proba`` or ``get_params``.
    """
    lacking = [each for each in CLASSIFIER_METHODS if not hasattr(estimator, each)]
    if isinstance(estimator, type) or lacking:
        why = f"has no {', '.join(lacking)}" if lacking else "is a class, and no object of it"
        raise UserError(
            f"{setting}={name_of(estimator)} {otherwise}, as it {why}: choose one that says probabilities, e.g. "
            "sklearn.linear_model.LogisticRegression"
        )


def name_of(estimator: Any) -> str:
    """Name of an object's class, or of the class that was given in place of an object."""
    return str(getattr(estimator, "__name__", type(estimator).__name__))


def check_parameters(sampler: Any) -> None:
    """Have scikit-learn check a sampler's parameters now, and those of samplers inside it.

    Its check is not public: where a sampler has none, wrong parameters are told of by ``fit_resample``.

    Raises
    ------
    UserError
        If a parameter is not stored under its name.
    ValueError
        If a parameter is none that the sampler takes.
    """
    for part in parts(sampler):
        check = getattr(part, "_validate_params", None)
        if callable(check) and hasattr(part, "_parameter_constraints"):
            try:
                check()
            except AttributeError as error:  # get_params finds no attribute of a parameter's name
                raise UserError(
                    f"{type(part).__name__} hides a parameter ({error}): let its constructor store each argument under "
                    "its own name, as scikit-learn's estimators do"
                ) from error


def change(sampler: Any, path: str, value: Any) -> None:
    """Set a parameter, also one of an estimator inside (``smote__k_neighbors``)."""
    try:
        sampler.set_params(**{path: value})
    except REFUSALS:  # one without, or with its own ideas of, parameters
        if "__" not in path:
            setattr(sampler, path, value)


def sampling_type(sampler: Any) -> str:
    """Name the kind, in imbalanced-learn's words.

    One of ``over-sampling``, ``under-sampling``, ``clean-sampling`` and ``bypass``. What has a parameter
    ``sampling_strategy`` and does not say otherwise is taken to add rows; what has none decides by itself.
    """
    if "sampling_strategy" not in parameters(sampler):
        return "bypass"
    by_class = (kind for kind, base in KINDS if isinstance(sampler, base))
    # imbalanced-learn's own mark, which is not public: also of samplers that are derived from none of these classes.
    mark = getattr(sampler, "_sampling_type", None)
    return mark if mark in dict(KINDS) or mark == "bypass" else next(by_class, "over-sampling")


def parts(sampler: Any) -> Iterator[Any]:
    """The sampler, and those inside it (of a Pipeline, or of a SMOTEENN)."""
    yield sampler
    for value in parameters(sampler, deep=True).values():
        if hasattr(value, "fit_resample") and not isinstance(value, type):
            yield value


def overruled(sampler: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Values of one parameter, at any depth, that somebody chose and a run puts its own in place of.

    Parameters
    ----------
    name
        ``sampling_strategy`` or ``random_state``.

    Yields
    ------
    path, value : str, Any
        The path as in a config (``smote.sampling_strategy``).
    """
    known = parameters(sampler, deep=True)
    for path, value in known.items():
        owner, _, last = path.rpartition("__")
        if last != name or value is None or (isinstance(value, str) and value == "auto"):
            continue
        kind = sampling_type(known.get(owner, sampler))
        # What cleans is not told how many rows to leave, nor is what stands in a sampler that decides by itself.
        told = kind != "clean-sampling" and (not owner or kind == sampling_type(sampler))
        if name == "random_state" or told:
            yield path.replace("__", "."), value
