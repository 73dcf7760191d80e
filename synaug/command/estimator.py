"""The run's own training as an estimator of scikit-learn's: for a Pipeline, a grid search, or a notebook."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from synaug.command.arguments import Arguments
from synaug.command.fit_record import decision_of
from synaug.command.from_python import perform, written
from synaug.command.job import Attempt
from synaug.errors import UserError
from synaug.record.cost import Cost
from synaug.scores.decision import ARGMAX, CANDIDATE_RULES
from synaug.scores.needs import read_rule
from synaug.seeding import OWN_FILE
from synaug.sweep.status import DONE, Ended

Array = NDArray[np.float64]


class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Texts or vectors to classes, by the training of a run: inner folds choose steps, rule and amount.

    It is what `synaug.fit` fits, without a verdict behind it: nothing here says whether synthesis helps. Each row
    counts as it is given: neither duplicates nor contradictions are taken out, as a data set's are.

    Parameters
    ----------
    encoder
        An option of the group ``encoder``; of no account where vectors are given.
    augmenter, loss, classifier, validation
        Options of these groups.
    amount
        Share of the gap that synthetic rows fill, ``"auto"``, or a list of shares.
    rule
        As of `synaug.fit`: ``"tuned"``, ``"prior_corrected"``, ``"argmax"``, ``"recall:spam=0.95"``, …
    target_prior
        ``"uniform"`` or ``"natural"``: the class frequencies that decisions serve.
    seed
        Of all draws.
    settings
        Further settings as on the command line: ``("augmenter.k_neighbors=3", "max_steps=256")``.
    config_dir
        A folder of configs of your own.

    Attributes
    ----------
    classes_
        Labels `[n_classes]`, as they were given, in the order of the columns of probabilities.
    n_features_in_
        Width of the vectors.
    head_, decision_
        The fitted classifiers (`synaug.model.head.Head`), and the rule.
    reads_texts_
        Whether texts were given, and not vectors.
    encoder_
        What makes vectors of texts; None where vectors were given.
    """

    def __init__(
        self,
        *,
        encoder: str = "minilm",
        augmenter: str = "none",
        loss: str = "plain",
        classifier: str = "mlp",
        validation: str = "nested",
        amount: Any = 1.0,
        rule: str = CANDIDATE_RULES[0],
        target_prior: str = "uniform",
        seed: int = 0,
        settings: Sequence[str] = (),
        config_dir: str | None = None,
    ) -> None:
        self.encoder = encoder
        self.augmenter = augmenter
        self.loss = loss
        self.classifier = classifier
        self.validation = validation
        self.amount = amount
        self.rule = rule
        self.target_prior = target_prior
        self.seed = seed
        self.settings = settings
        self.config_dir = config_dir

    def __sklearn_tags__(self) -> Any:
        """It takes texts, and arrays of numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags

    def fit(self, X: Any, y: Any) -> "Classifier":
        """Fit on all rows.

        Parameters
        ----------
        X
            `n` texts, or vectors `[n, d]`.
        y
            Labels `[n]`.

        Raises
        ------
        UserError
            If a setting is none, or there are too few rows for the inner folds. It is a ValueError.
        """
        from synaug.embeddings.cache import EmbeddingCache, cache_folder

        self.reads_texts_ = _are_texts(X)
        self.encoder_: Any = None
        config = composed(tuple(self._overrides()), self.config_dir)
        if self.reads_texts_:
            from synaug.model.model import checked

            texts = checked(X)
            y = column_or_1d(y, warn=True)
            check_consistent_length(texts, y)
            self.encoder_ = instantiate(config.encoder, _convert_="all")
            vectors = EmbeddingCache(self.encoder_, cache_folder(config.cache_dir)).embed(texts, progress_bar=False)
        else:
            vectors, y = validate_data(self, X, y, dtype=np.float32)
            texts = [""] * len(vectors)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise UserError(
                f"y holds 1 class ({self.classes_[0]!r}), but classification needs two classes or more: give others"
            )
        self._fit(config, texts, vectors, labels.astype(np.int64))
        return self

    def _overrides(self) -> list[str]:
        groups = {name: getattr(self, name) for name in ("augmenter", "loss", "classifier", "validation")}
        values = {"augmenter.amount": self.amount, "target_prior": self.target_prior, "seeds": [self.seed]}
        encoder = {"encoder": self.encoder} if self.reads_texts_ else {}
        given = {**encoder, **groups, **values}
        # Of classes as they come; a user's own setting comes last and wins.
        return ["imbalance_ratio=natural", *(written(key, value) for key, value in given.items()), *self.settings]

    def _fit(
        self, config: DictConfig, texts: list[str], vectors: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> None:
        from synaug import parts, pipeline
        from synaug.dataset import LabelledTexts
        from synaug.embeddings.cache import Encoded
        from synaug.encoder.workers import torch_threads
        from synaug.files.digest import array_sha256
        from synaug.model.head import Head
        from synaug.model.tuned import encoders_of
        from synaug.model.vectors import as_tuned

        names = tuple(map(str, self.classes_.tolist()))
        need = None if self.rule == ARGMAX else read_rule(self.rule, f"rule={self.rule}")
        if need is not None:
            need.check(names)
        augmenters = parts.make_augmenters(config.augmenter)
        if augmenters[-1].brings_texts:
            raise UserError(
                f"augmenter={self.augmenter} brings texts of a data set's: run it, and give synaug.fit the run"
            )
        imbalance_ratio, validation = (
            instantiate(config[group], _convert_="all") for group in ("imbalance_ratio", "validation")
        )
        pipeline.quieten_lightning()
        with torch_threads(config.threads):
            prepared = pipeline.Prepared(
                LabelledTexts(OWN_FILE, texts, labels, names),
                imbalance_ratio,
                validation,
                augmenters,
                parts.make_loss(config.loss, names),
                (),
                {},
                vectors,
                array_sha256(vectors),
                {},
                Encoded(),
            )
            prepared = pipeline.on_all_rows(prepared, self.seed)
            training = pipeline.training_of(config, prepared, keep=True)
            fitted = pipeline.augment_and_fit(config, prepared, training, Cost())
            pipeline.forget(training)
        counts = np.bincount(labels, minlength=len(names))
        weights, self.decision_ = decision_of(need, fitted, names, counts)
        members = fitted.predictions.splits[0].members[weights]
        self.head_, (tuned, _) = Head.of(members, fitted.data.target[0]), encoders_of(members)
        if self.reads_texts_:
            if (in_use := parts.encoder_in_use(config)) != config.encoder:
                self.encoder_ = instantiate(in_use, _convert_="all")
            self.encoder_ = as_tuned(self.encoder_, tuned)
            self.n_features_in_ = self.head_.n_features

    def predict(self, X: Any) -> NDArray[Any]:
        """Labels `[n]` of texts or vectors."""
        log_probabilities = self._log_probabilities(X)  # which says whether it is fitted
        labels: NDArray[Any] = self.classes_[self.decision_.classes(log_probabilities)]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Probabilities `[n, n_classes]` under the rule."""
        log_probabilities = self._log_probabilities(X)
        return self.decision_.probabilities(log_probabilities)

    def predict_log_proba(self, X: Any) -> Array:
        """Their logarithms `[n, n_classes]`."""
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    def _log_probabilities(self, X: Any) -> Array:
        check_is_fitted(self, "head_")
        if not _are_texts(X):
            return self.head_.log_probabilities(validate_data(self, X, dtype=np.float32, reset=False))
        if not self.reads_texts_:
            raise UserError("texts are given, but the classifier was fitted on vectors: give vectors")
        from synaug.model.model import Model, checked

        found = [np.zeros((0, len(self.classes_)))]
        found += [self.head_.log_probabilities(self.encoder_.encode(batch)) for batch in Model.batches(checked(X))]
        return np.concatenate(found)


def _are_texts(X: Any) -> bool:
    """Whether rows are texts; one that is missing or no text is told by whoever reads them."""
    if isinstance(X, str):
        raise UserError("one text is given where several are expected: give a list, [text]")
    shape: Any = getattr(X, "shape", ())
    if len(shape) == 2 and shape[1] == 1 and shape[0] and isinstance(np.asarray(X)[0, 0], str):
        raise UserError('X is a table with one column: give the column itself, table["text"] or X[:, 0]')
    if getattr(X, "ndim", 1) != 1 or not hasattr(X, "__len__") or not len(X):
        return False
    return any(isinstance(row, str) for row in X)


@lru_cache(maxsize=64)  # of cross-validation, each fit would compose the same
def composed(settings: tuple[str, ...], config_dir: str | None = None) -> DictConfig:
    """The config of a run with these settings, checked as a run's is; its data set is a stand-in.

    Raises
    ------
    UserError
        What the command would say of the settings.
    """
    from synaug.command.check.parts import check_parts
    from synaug.command.check.settings import check_settings

    found: list[DictConfig] = []

    def job(config: DictConfig) -> Ended:
        check_parts(config, check_settings(config))
        found.append(config)
        return Ended(DONE)

    with TemporaryDirectory() as folder:
        rows, vectors = Path(folder, "rows.csv"), Path(folder, "rows.npy")
        rows.write_text("text,label\na,0\nb,1\n")
        np.save(vectors, np.eye(2, dtype=np.float32))
        of_vectors = [] if any(each.startswith("encoder=") for each in settings) else _of_vectors(vectors)
        stand_in = ("dataset=files", written("dataset.path", str(rows)), written("output_dir", folder), "report=false")
        flags = () if config_dir is None else (f"--config-dir={config_dir}",)
        attempt = Attempt(job, says=False)
        perform(Arguments((*stand_in, *of_vectors, *settings), flags, config_dir), attempt)
    (config,) = found
    return config


def _of_vectors(path: Path) -> list[str]:
    return ["encoder=precomputed", written("encoder.path", str(path))]
