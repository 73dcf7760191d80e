"""scikit-learn's classifiers in the folder of a model: by skops, and only of types that are known to be harmless."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synaug.errors import UserError

if TYPE_CHECKING:
    from synaug.model.head import Head

EXTRA = "sklearn"
OWN = re.compile(r"member-\d+\.skops")
# Beside the types that skops trusts by itself: parts of scikit-learn's own classifiers, each of which holds numbers.
TRUSTED = frozenset(
    {
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.tree._tree.Tree",
    }
)


def name_of(member: int) -> str:
    """The file of one member."""
    return f"member-{member}.skops"


def is_own(name: str) -> bool:
    """Whether a file is called as those of members are."""
    return OWN.fullmatch(name) is not None


def written(head: "Head") -> dict[str, bytes]:
    """The members' files, by name; none of a head that has no estimators.

    Raises
    ------
    UserError
        If skops is not installed, or an estimator has parts of types that are not trusted.
    """
    if not head.estimators:
        return {}
    io = _skops()
    files = {}
    for member, estimator in enumerate(head.estimators):
        content: bytes = io.dumps(estimator)
        _trusted(content)
        files[name_of(member)] = content
    return files


def read(files: Sequence[bytes]) -> list[Any]:
    """The estimators of members' files; raises as `written` does."""
    if not files:
        return []
    io = _skops()
    return [io.loads(content, trusted=_trusted(content)) for content in files]


def _trusted(content: bytes) -> list[str]:
    """The types of a file that skops is to be told to trust."""
    types: list[str] = _skops().get_untrusted_types(data=content)
    others = sorted(set(types) - TRUSTED)
    if others:
        raise UserError(
            f"a part of the classifier is of type {others[0]}, which is not among those that are known to run no code "
            "when they are loaded: choose a run of another classifier"
        )
    return types


def _skops() -> Any:
    try:
        from skops import io
    except ModuleNotFoundError:
        raise UserError(f"a model of scikit-learn's needs skops: pip install 'synaug[{EXTRA}]'") from None
    return io
