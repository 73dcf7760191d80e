"""Variational autoencoders as imbalanced-learn samplers: one for each class to be added to, or one for all classes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from synaug import settings
from synaug.augmenter.learned import LearnedSampler, Made, dense, require_spread
from synaug.augmenter.vae.all_classes import AllClassesVAE
from synaug.augmenter.vae.one_class import DIVERGED, MIN_ROWS, ClassVAE, Settings
from synaug.augmenter.vae.training import train_all
from synaug.errors import TooFewRowsError


class VAE(LearnedSampler):
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
        Width of the latent and of the hidden layer; `hidden` 0 leaves the hidden layers out, which
        makes the optimum that of probabilistic PCA [6]_.
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
    sample_from : {"prior", "posterior"}, default="posterior"
        Decode `z ~ N(0, I)`, or `z ~ q(z|x)` of a real row `x` of the class picked at random.
    observation_noise : bool, default=True
        Add Gaussian noise with each feature's root mean square training residual to the decoded
        means, which alone vary less than real rows.

        Both defaults follow from what rows look like (examples/why_vae.md, eight data sets at 1:10): samples from the
        prior without noise have .15 of the variance of real rows, from the posterior with noise .90. Balanced accuracy
        is .35 points higher in the mean of six data sets, which is not proven (p = .19). `augmenter=vae_prior` is the
        prior without noise.

    Attributes
    ----------
    sampling_strategy_ : dict
        Rows to add to each class.
    diagnostics_ : list of dict
        For each class added to: `class`; `rows`, real ones; `epochs` run and `best_epoch`, from 1;
        `stopped_on` "validation" or "training" rows; on those rows at the best epoch
        `reconstruction` and `kl`, the expectation and the unweighted KL of the ELBO, in nats per
        row; `elbo_gain`, by how much that ELBO (with the whole KL) is above that of the best
        Gaussian that ignores its input, with unit variance around the training rows' mean: at
        most 0 where the latents tell nothing; `active_units`, `kl_by_unit`, `varying_units` [5]_
        and `useful_units`, which units tell something (`synaug.augmenter.vae.diagnosis.of_units`);
        `variance_ratio`, the variance of synthetic over that of real rows, summed over live
        features (None where all are constant or one row was made); `norm_ratio`, of their mean
        norms; `made`, synthetic rows.
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
    .. [6] Lucas et al., "Don't Blame the ELBO! A Linear VAE Perspective on Posterior Collapse",
       NeurIPS 2019.
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
        sample_from: Literal["prior", "posterior"] = "posterior",
        observation_noise: bool = True,
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

    def _untrained(self, X: Any, y: NDArray[Any]) -> list[ClassVAE]:
        chosen = self._settings()
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
        return [ClassVAE(dense(X[rows_of[label]]), n, seeds[label], chosen) for label, n in wanted.items()]

    def _settings(self) -> Settings:
        given = {field.name: getattr(self, field.name) for field in fields(Settings)}
        settings.require("augmenter", settings.VAE, given)
        return Settings(**given)

    def _made(self, y: NDArray[Any], trained: Sequence[ClassVAE]) -> Iterator[tuple[Any, Made]]:
        for label, vae in zip(self._wanted(), trained, strict=True):
            self._require_learned(vae, f"VAE of class {label}")
            (made,) = vae.made
            yield label, made._replace(parents=np.flatnonzero(y == label)[made.parents])

    @staticmethod
    def _train(models: Sequence[ClassVAE]) -> None:
        train_all(models)

    @property
    def _has_parents(self) -> bool:
        return self.sample_from == "posterior"

    def _require_learned(self, vae: ClassVAE, whose: str) -> None:
        if not math.isfinite(vae.diagnostics["reconstruction"]):
            shown = "its ELBO is not finite"
        elif vae.diverged:
            shown = f"its rows have {vae.spread:.3g} times the variance of real rows, and at most {DIVERGED} are taken"
        else:
            return
        raise TooFewRowsError(f"the {whose} diverged with lr={self.lr} ({shown}): lower augmenter.lr")


class CVAE(VAE):
    """Over-sample with one conditional variational autoencoder of all classes [1]_.

    As `VAE`, except for what follows. The class, as one-hot, stands beside what the encoder and the decoder are given,
    so that classes share what they have in common. Each class is centred on its own mean, and all are scaled alike, by
    the pooled variance within classes; so what is learned is how rows of a class differ from its mean, and a class of
    few rows borrows that from those that have many. The pooled variance is the unbiased one, of n rows and c classes,
    with the divisor n - c. A class's mean is taken over its own rows, so they differ from it too little: in a class of
    m rows, differences are multiplied by sqrt(m / (m - 1)). Every row that is learned from counts the same, whatever
    its class.

    One row of a class is enough, if another class has two. Nothing is learned from it, because it shows no spread. New
    rows of that class differ from it as rows of other classes differ from their mean; for each new row, one of these
    classes is drawn in proportion to its rows. A class's rows depend on `random_state`, the class and what was learned,
    not on which others are wanted.

    Epochs are of all rows, so there are fewer of them by default than the `VAE` has: `warmup_epochs` 5, `max_epochs`
    30, `patience` 5.

    Parameters
    ----------
    sampling_strategy, random_state, latent_dim, hidden, beta, warmup_epochs, max_epochs, patience, batch_size, lr
        As of `VAE`.
    validation_share : float in [0, 1), default=0.1
        Share of each class's rows held out for early stopping; none of a class where that would be fewer than 2, or
        leave fewer than 2.
    sample_from, observation_noise
        As of `VAE`. The prior is the same for each class; the noise is as large as the class's own residuals. From the
        prior without noise, rows have .23 of the variance of real rows, from the posterior with noise .98. With the
        latter, balanced accuracy is .9 points above that of the VAE's prior samples (p = .015, not corrected).

    Attributes
    ----------
    sampling_strategy_, parents_
        As of `VAE`.
    diagnostics_ : list of dict
        As of `VAE`, for each class added to. `epochs`, `best_epoch`, `stopped_on`, `reconstruction` and `kl` are those
        of the network, and so the same for each class; what tells of units, and `elbo_gain`, is the class's own,
        measured on rows that `judged_on` names: held-out ones ("validation"), "training" rows if it has none, or those
        of "other classes" if it has but one row.

    Raises
    ------
    UserError
        From `fit_resample`: a parameter out of range.
    TooFewRowsError
        From `fit_resample`: one row of each class, which show no spread, or training that diverged.

    References
    ----------
    .. [1] Sohn, Lee and Yan, "Learning Structured Output Representation using Deep Conditional Generative Models",
       NeurIPS 2015.
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
        latent_dim: int = 32,
        hidden: int = 256,
        beta: float = 1.0,
        warmup_epochs: int = 5,
        max_epochs: int = 30,
        patience: int = 5,
        batch_size: int = 64,
        lr: float = 1e-3,
        validation_share: float = 0.1,
        sample_from: Literal["prior", "posterior"] = "posterior",
        observation_noise: bool = True,
    ) -> None:
        super().__init__(
            sampling_strategy=sampling_strategy,
            random_state=random_state,
            latent_dim=latent_dim,
            hidden=hidden,
            beta=beta,
            warmup_epochs=warmup_epochs,
            max_epochs=max_epochs,
            patience=patience,
            batch_size=batch_size,
            lr=lr,
            validation_share=validation_share,
            sample_from=sample_from,
            observation_noise=observation_noise,
        )

    def _untrained(self, X: Any, y: NDArray[Any]) -> list[ClassVAE]:
        chosen = self._settings()
        if not (wanted := self._wanted()):
            return []
        labels, classes = np.unique(y, return_inverse=True)
        of_class = {int(np.searchsorted(labels, label)): n for label, n in wanted.items()}
        require_spread(classes, "CVAE")
        seed, *of_classes = check_random_state(self.random_state).randint(2**31, size=1 + len(labels)).tolist()
        return [AllClassesVAE(dense(X), classes.astype(np.int64), of_class, seed, of_classes, chosen)]

    def _made(self, y: NDArray[Any], trained: Sequence[ClassVAE]) -> Iterator[tuple[Any, Made]]:
        for vae in trained:
            self._require_learned(vae, "CVAE of all classes")
            yield from zip(self._wanted(), vae.made, strict=True)
