"""Variational autoencoder as an imbalanced-learn sampler: one for each class to be added to."""

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Literal

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import check_random_state, check_X_y
from sklearn.utils.multiclass import check_classification_targets

from synaug import settings
from synaug.augmenter.vae.one_class import MIN_ROWS, ClassVAE, Settings
from synaug.augmenter.vae.training import train_all
from synaug.errors import TooFewRowsError


class VAE(BaseOverSampler):  # type: ignore[misc]
    """Over-sample with one variational autoencoder for each class [1]_.

    The encoder (``d -> hidden -> mu, log var``) and the mirrored decoder are trained on the rows
    of one class to maximise the evidence lower bound, in nats per row ::

        ELBO(x) = E_q(z|x)[log p(x|z)] - beta * KL(q(z|x) || N(0, I))
        log p(x|z) = -|x - decode(z)|^2 / 2 - d / 2 * log(2 pi)
        KL = sum_j (mu_j^2 + var_j - 1 - log var_j) / 2

    over the `d` live (not constant) features of the class, standardised: the likelihood is
    Gaussian with unit variance, the expectation is one draw. `beta` is that of [2]_; it grows
    linearly from 0 over `warmup_epochs`, against collapse [3]_ [4]_. Training stops when the ELBO
    with the whole `beta` has not risen for `patience` epochs, and the best weights are kept; it is
    measured on held-out rows, or on the training rows where the held-out part would have fewer
    than 2 rows (below 15 rows in the class at the default share). Constant features keep their
    value. All work is done on the CPU in float32. VAEs whose batches have one shape train as one
    batched program, those of `fit_resample_all` across its sets; yet each one's numbers are the
    same to the bit alone or in a stack, whatever the number of threads.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the total number of rows of each class.
    random_state : int, RandomState or None, default=None
        Source of every draw: weights, held-out rows, batches, latents, parents.
    latent_dim, hidden : int, default=32, 256
        Width of the latent and of the hidden layer.
    beta : float, default=1.0
        Weight of the KL term.
    warmup_epochs, max_epochs, patience : int, default=20, 200, 20
        Epochs of KL warm-up, epochs at most, epochs without a better ELBO before stopping.
    batch_size : int, default=64
        Rows per step at most; the batches of an epoch are of equal size, give or take one row.
    lr : float, default=1e-3
        Learning rate of Adam.
    validation_share : float in [0, 1), default=0.1
        Share of a class's rows held out for early stopping.
    sample_from : {"prior", "posterior"}, default="prior"
        Decode `z ~ N(0, I)`, or `z ~ q(z|x)` of a real row `x` of the class picked at random.
    observation_noise : bool, default=False
        Add Gaussian noise with each feature's root mean square training residual to the decoded
        means, which alone vary less than real rows.

    Attributes
    ----------
    sampling_strategy_ : dict
        Rows to add to each class.
    diagnostics_ : list of dict
        For each class added to: `class`; `rows`, real ones; `epochs` run and `best_epoch`, from 1;
        `stopped_on` "validation" or "training" rows; on those rows at the best epoch
        `reconstruction` and `kl`, the expectation and the unweighted KL of the ELBO, in nats per
        row; `active_units`, latent units with `Var_x(E_q[z|x]) > 0.01` [5]_; `variance_ratio`,
        the variance of synthetic over that of real rows, mean over live features (None where all
        are constant or one row was made); `made`, synthetic rows.
    parents_ : ndarray of int64, shape [n_synthetic, 1], or None
        Index in `X` of the row each synthetic row was sampled around; None for "prior".

    Raises
    ------
    UserError
        From `fit_resample`: a parameter out of range.
    TooFewRowsError
        From `fit_resample`: a class to be added to with fewer than 2 rows, or training that diverged.

    References
    ----------
    .. [1] Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
    .. [2] Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained
       Variational Framework", ICLR 2017.
    .. [3] Bowman et al., "Generating Sentences from a Continuous Space", CoNLL 2016.
    .. [4] Sønderby et al., "Ladder Variational Autoencoders", NeurIPS 2016.
    .. [5] Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
        latent_dim: int = 32,
        hidden: int = 256,
        beta: float = 1.0,
        warmup_epochs: int = 20,
        max_epochs: int = 200,
        patience: int = 20,
        batch_size: int = 64,
        lr: float = 1e-3,
        validation_share: float = 0.1,
        sample_from: Literal["prior", "posterior"] = "prior",
        observation_noise: bool = False,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.beta = beta
        self.warmup_epochs = warmup_epochs
        self.max_epochs = max_epochs
        self.patience = patience
        self.batch_size = batch_size
        self.lr = lr
        self.validation_share = validation_share
        self.sample_from = sample_from
        self.observation_noise = observation_noise

    @staticmethod
    def fit_resample_all(
        samplers: Sequence["VAE"], sets: Sequence[tuple[Any, Any]]
    ) -> list[tuple[Any, Any] | ValueError]:
        """Resample many sets at once: the VAEs of all of them train together, each as if alone.

        Parameters
        ----------
        samplers
            One for each set; ``diagnostics_`` and ``parents_`` are set as by its own ``fit_resample``.
        sets
            `(X, y)` each, as for ``fit_resample``.

        Returns
        -------
        list
            For each set what ``fit_resample`` returns, or the ValueError that it raises.
        """
        prepared: list[list[ClassVAE] | ValueError] = []
        for sampler, (X, y) in zip(samplers, sets, strict=True):
            try:
                prepared.append(sampler._prepare(X, y))
            except ValueError as error:
                prepared.append(error)
        train_all([vae for vaes in prepared if not isinstance(vaes, ValueError) for vae in vaes])
        results: list[tuple[Any, Any] | ValueError] = []
        for sampler, (X, y), vaes in zip(samplers, sets, prepared, strict=True):
            if isinstance(vaes, ValueError):
                results.append(vaes)
                continue
            try:
                results.append(sampler.fit_resample(X, y, trained=vaes))
            except ValueError as error:
                results.append(error)
        return results

    def _prepare(self, X: Any, y: Any) -> list[ClassVAE]:
        """Check as imbalanced-learn's ``fit_resample`` does; the VAEs to train."""
        check_classification_targets(y)
        self.fit(X, y)  # imbalanced-learn's: it checks, and sets sampling_strategy_
        y, _ = check_target_type(y, indicate_one_vs_all=True)
        X, y = check_X_y(X, y, accept_sparse=["csr", "csc"])
        return self._untrained(X, y)

    def _untrained(self, X: Any, y: NDArray[Any]) -> list[ClassVAE]:
        given = {field.name: getattr(self, field.name) for field in fields(Settings)}
        settings.require("augmenter", settings.VAE, given)
        rows_of = {label: np.flatnonzero(y == label) for label in np.unique(y)}
        wanted = self._wanted()
        for label in wanted:
            if len(rows_of[label]) < MIN_ROWS:
                raise TooFewRowsError(
                    f"class {label} has {len(rows_of[label])} row; the VAE needs at least "
                    f"{MIN_ROWS}: lower the imbalance ratio or use augmenter=random"
                )
        # A seed for every class, so that a class's rows do not depend on which others are wanted.
        draws = check_random_state(self.random_state).randint(2**31, size=len(rows_of))
        seeds = dict(zip(rows_of, draws.tolist(), strict=True))
        vaes = []
        for label, n in wanted.items():
            real = X[rows_of[label]]
            dense = real.toarray() if sparse.issparse(real) else real
            vaes.append(ClassVAE(dense, n, seeds[label], Settings(**given)))
        return vaes

    def _wanted(self) -> dict[Any, int]:
        return {label: int(n) for label, n in self.sampling_strategy_.items() if n > 0}

    def _fit_resample(
        self, X: Any, y: NDArray[Any], trained: Sequence[ClassVAE] | None = None
    ) -> tuple[Any, NDArray[Any]]:
        if trained is None:
            train_all(trained := self._untrained(X, y))
        self.diagnostics_: list[dict[str, Any]] = []
        rows, labels, parents = [], [y], []
        for (label, n), vae in zip(self._wanted().items(), trained, strict=True):
            if not math.isfinite(vae.diagnostics["reconstruction"]):
                raise TooFewRowsError(
                    f"the VAE of class {label} diverged with lr={self.lr}; its ELBO must be finite: lower augmenter.lr"
                )
            rows.append(vae.synthetic.astype(X.dtype if X.dtype.kind == "f" else np.float64))
            labels.append(np.full(n, label, dtype=y.dtype))
            parents.append(np.flatnonzero(y == label)[vae.parents])
            self.diagnostics_.append({"class": np.asarray(label).item(), **vae.diagnostics})

        self.parents_ = None
        if self.sample_from == "posterior":
            self.parents_ = np.concatenate([np.empty(0, np.int64), *parents]).reshape(-1, 1)
        if sparse.issparse(X):
            return sparse.vstack([X, *rows], format=X.format), np.concatenate(labels)
        return np.vstack([X, *rows]), np.concatenate(labels)
