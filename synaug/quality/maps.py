"""Pictures of real and synthetic rows: projections to the plane that real rows alone have decided."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from synaug.errors import UserError

Points = NDArray[np.float32]
Plane = NDArray[np.float64]

KINDS = ("umap", "pca", "tsne")
NEIGHBOURS, PERPLEXITY = 15, 30.0  # UMAP's own default, and t-SNE's


def project(kind: str, real: Points, others: Sequence[Points], seed: int = 0) -> tuple[Plane, list[Plane]]:
    """Fit a projection on real rows, and apply it to them and to others.

    Parameters
    ----------
    kind
        ``pca``, the two directions of largest variance, by which distances can be trusted; ``umap`` [1]_, which
        keeps neighbourhoods; or ``tsne`` [2]_, to which rows are added as in [3]_.
    real
        float32 `[n, d]`, 4 rows at least.
    others
        float32 `[s, d]` each: they decide nothing, and each of them is placed as if alone.
    seed
        Of every draw; with it, one thread works, and the same rows come to the same places.

    Returns
    -------
    tuple
        float64 `[n, 2]`, and `[s, 2]` for each of the others.

    Raises
    ------
    UserError
        If the package is not installed, or rows are too few.

    References
    ----------
    .. [1] McInnes, Healy and Melville, "UMAP: Uniform Manifold Approximation and Projection", 2018, arXiv 1802.03426.
    .. [2] van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 2008.
    .. [3] Poličar, Stražar and Zupan, "Embedding to reference t-SNE space", 2019.
    """
    if kind not in KINDS:
        raise UserError(f"--kind {kind} is no projection: choose among {', '.join(KINDS)}")
    if len(real) < 4:
        raise UserError(f"a map needs 4 real rows at least, and there are {len(real)}: choose another split")
    # numba sets the number of OpenMP's threads for the whole process, torch's among them: it is put back at the end.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # numba's and UMAP's, of no consequence here
        fitted, apply = {"pca": _pca, "umap": _umap, "tsne": _tsne}[kind](real, seed)
        placed = [apply(points) if len(points) else np.zeros((0, 2)) for points in others]
    return np.asarray(fitted, np.float64), [np.asarray(points, np.float64) for points in placed]


Fitted = tuple[Any, Callable[[Points], Any]]


def _pca(real: Points, seed: int) -> Fitted:
    from sklearn.decomposition import PCA

    model = PCA(2, svd_solver="full").fit(real.astype(np.float64))
    return model.transform(real.astype(np.float64)), lambda points: model.transform(points.astype(np.float64))


def _umap(real: Points, seed: int) -> Fitted:
    try:
        from umap import UMAP
    except ImportError as error:
        raise UserError("a map by umap needs umap-learn: pip install 'synaug[maps]', or give --kind pca") from error
    model = UMAP(n_neighbors=min(NEIGHBOURS, len(real) - 1), random_state=seed, n_jobs=1)
    return model.fit_transform(real), model.transform


def _tsne(real: Points, seed: int) -> Fitted:
    try:
        from openTSNE import TSNE
    except ImportError as error:
        raise UserError("a map by tsne needs openTSNE: pip install 'synaug[maps]', or give --kind pca") from error
    fitted = TSNE(perplexity=min(PERPLEXITY, (len(real) - 1) / 3), random_state=seed, n_jobs=1).fit(real)
    return fitted, lambda points: fitted.transform(points, perplexity=min(5, (len(real) - 1) / 3))
