"""A classifier in use."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from synaug.errors import UserError
from synaug.model import folder as folders
from synaug.model.head import Head
from synaug.model.vectors import as_tuned, as_vectors, made, refuse_another, refuse_decisive

if TYPE_CHECKING:
    from synaug.encoder import Encoder
    from synaug.encoder.tuned import Weights
    from synaug.scores.needs import Decision

# Texts that are encoded at a time: what is held beside the texts is a batch.
BATCH = 512
BAR_SECONDS = 2  # after which a bar appears

Array = NDArray[np.float64]
Row = TypeVar("Row")


class Model:
    """What a verdict favours, fitted on all rows of the data set (`synaug.fit`), or loaded (`synaug.load_model`).

    It predicts from texts, or from vectors `[n, d]` of the same encoder.

    Parameters
    ----------
    head
        The fitted classifiers.
    config
        What they are: classes, encoder, rule and the record that they come from, as the folder's ``config.json``.
    card
        The model card.
    encoder
        What turns texts into vectors; None: made of `config` when the first text comes.
    places
        Where that encoder lies now and how it runs, if not as it was.
    tuned
        What each tuned encoder has of its own, above that encoder; none of a model that reads it as it is.

    Attributes
    ----------
    classes_
        Names of the classes `[n_classes]`, in the order of the columns of probabilities.
    """

    def __init__(
        self,
        head: Head,
        config: Mapping[str, Any],
        card: str = "",
        encoder: "Encoder | None" = None,
        places: Mapping[str, Any] | None = None,
        tuned: "Sequence[Weights]" = (),
    ) -> None:
        self.head = head
        self.config = config
        self.card = card
        self.tuned = tuned
        self.classes_ = np.array(config["classes"])
        self._given = encoder
        self._places = dict(places or {})

    def __repr__(self) -> str:
        return f"<Model {self.config['record']['method']}: {', '.join(map(str, self.classes_))}>"

    @cached_property
    def decision(self) -> "Decision":
        """How log probabilities become classes."""
        from synaug.scores.needs import Decision

        return Decision.from_json(self.config["decision"])

    @cached_property
    def encoder(self) -> "Encoder":
        """What turns texts into vectors, which is known to be the one that the model was fitted with.

        Raises
        ------
        UserError
            If the model was fitted on vectors that no encoder made, or the encoder is another one.
        """
        about = self.config["encoder"]
        if not about["reads_texts"]:
            raise UserError(
                "the model was fitted on vectors of your own, and synaug cannot make such vectors from texts: give "
                f"vectors [n, {self.head.n_features}] (synaug predict takes .npy, .safetensors and --vectors COLUMN)"
            )
        if self._given is not None:
            refuse_another(self._given, about["identity"])
            return as_tuned(self._given, self.tuned)
        encoder = made(about["settings"], self._places)
        try:
            encoder.identity()
        except UserError as error:
            raise UserError(
                f"{error}; if the encoder has moved, give encoder.model=FOLDER (in Python, "
                'synaug.load_model(folder, {"model": FOLDER}))'
            ) from error
        refuse_another(encoder, about["identity"])
        return as_tuned(encoder, self.tuned)

    def predict(self, X: Any) -> NDArray[Any]:
        """Name the class of each text or vector, `[n]`; None where the rule abstains.

        Parameters
        ----------
        X
            `n` texts, or vectors `[n, d]`.

        Raises
        ------
        UserError
            If a text is empty, vectors are of another width, or the encoder is another one.
        """
        return self.named(self.log_probabilities(X))

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes `[n, n_classes]` under the rule; see `predict`."""
        return self.decision.probabilities(self.log_probabilities(X))

    def predict_log_proba(self, X: Any) -> Array:
        """Their logarithms `[n, n_classes]`; see `predict`."""
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    def log_probabilities(self, X: Any) -> Array:
        """Log probabilities `[n, n_classes]` before the rule, corrected to the target: a run's record keeps these."""
        if isinstance(X, str):
            raise UserError("one text is given where several are expected: give a list, [text]")
        if not hasattr(X, "__len__"):  # of a file or a generator, each text can be read once
            X = list(X)
        if _are_vectors(X):
            from synaug.encoder.precomputed import scaled_as

            self.refuse_vectors()
            vectors = scaled_as(self.config["encoder"]["settings"], as_vectors(X, self.head.n_features))
            return self.head.log_probabilities(vectors) if len(vectors) else np.zeros((0, self.head.n_classes))
        found = [np.zeros((0, self.head.n_classes))]
        texts = checked(X)
        with in_bar(len(texts)) as bar:
            for batch in self.batches(texts):
                found.append(self.log_probabilities_of(batch))
                bar.update(len(batch))
        return np.concatenate(found)

    def refuse_vectors(self) -> None:
        """See that vectors may be given; raises `UserError` where nothing but the model makes those that it reads."""
        if self.tuned:
            raise UserError(
                "the model's encoder was tuned with it, and would misread vectors of any other: give texts, not vectors"
            )

    @staticmethod
    def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
        """Rows, `BATCH` at a time and in order."""
        rest = iter(rows)
        while batch := list(islice(rest, BATCH)):
            yield batch

    def log_probabilities_of(self, batch: Sequence[str]) -> Array:
        """What `log_probabilities` says of some clean texts, which are encoded at once."""
        if not batch:
            return np.zeros((0, self.head.n_classes))
        return self.head.log_probabilities(as_vectors(self.encoder.encode(batch), self.head.n_features))

    def named(self, log_probabilities: Array) -> NDArray[Any]:
        """The class that the rule decides for, by name `[n]`; None where it abstains."""
        decided = self.decision.classes(log_probabilities)
        if (decided >= 0).all():
            return self.classes_[decided]
        return np.array([None if label < 0 else str(self.classes_[label]) for label in decided], dtype=object)

    def save(self, folder: str | Path) -> Path:
        """Write the model into a folder of its own, whole or not at all; an older model there is replaced.

        Returns
        -------
        Path
            The folder: ``head.safetensors``, ``config.json`` and ``README.md``, files of skops where the classifier is
            scikit-learn's, and ``encoder-0.safetensors``, … where encoders were tuned.

        Raises
        ------
        UserError
            If something else stands there.
        """
        place = Path(folder)
        folders.write(place, folders.Stored(self.config, self.head, self.card, self.tuned))
        return place


def load_model(folder: str | Path, encoder: Any = None) -> Model:
    """Load a model. Its encoder is loaded when the first text comes.

    Parameters
    ----------
    folder
        That `Model.save` or ``synaug fit`` wrote.
    encoder
        An encoder of your own, with `identity()` and `encode(texts)`; or where the model's own lies now and how it
        runs, ``{"model": "/models/minilm", "device": "cuda"}``.

    Raises
    ------
    UserError
        If there is no model, a file of it was altered, or what is given is no encoder.
    """
    if isinstance(encoder, str | Path):
        raise UserError(f'encoder={str(encoder)!r} is not an encoder: give its place as {{"model": {str(encoder)!r}}}')
    stored = folders.read(Path(folder))
    config = {key: value for key, value in stored.config.items() if key not in folders.OF_THE_FOLDER}
    places = encoder if isinstance(encoder, Mapping) else None
    refuse_decisive(places or {})
    return Model(stored.head, config, stored.card, None if places is not None else encoder, places, stored.tuned)


@contextmanager
def in_bar(total: int | None) -> Iterator[Any]:
    """A bar on a terminal, none in a log, should it take more than `BAR_SECONDS`; `total` texts, if that is known."""
    from tqdm.auto import tqdm

    with tqdm(total=total, desc="predicting", unit="text", disable=None, delay=BAR_SECONDS) as bar:
        yield bar


def _are_vectors(X: Any) -> bool:
    """Whether what is given are numbers: an array or frame of two dimensions, or rows of numbers."""
    if getattr(X, "ndim", 1) == 2:
        return True
    first = next(iter(X), None) if len(X) else None
    return first is not None and not isinstance(first, str) and hasattr(first, "__len__")


def checked(texts: Any) -> list[str]:
    """Texts cleaned as a data set's are.

    Raises
    ------
    UserError
        If one is empty, or is no text.
    """
    from synaug.dataset.complete import cleaned, is_blank, rows_said

    given = list(texts)
    wrong = [row for row, text in enumerate(given) if not isinstance(text, str)]
    if wrong:
        kind = type(given[wrong[0]]).__name__
        raise UserError(f"{rows_said(wrong)}: a text is expected, and there is {kind}: give text, or vectors [n, d]")
    found = list(map(cleaned, given))
    empty = [row for row, text in enumerate(found) if is_blank(text)]
    if empty:
        raise UserError(f"{rows_said(empty)} {'has' if len(empty) == 1 else 'have'} no text: fill or remove them")
    return found
