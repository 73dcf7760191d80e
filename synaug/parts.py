"""The parts of a run, as a config names them: each is made, and held to what the run expects of it."""

from collections.abc import Sequence

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from synaug import settings
from synaug.augmenter import Augmenter
from synaug.augmenter.samplers import check_parameters
from synaug.classifier import FineTuned, FittedAtOnce
from synaug.dataset import LabelledTexts
from synaug.embeddings.cache import cache_folder
from synaug.errors import UserError
from synaug.files.escaping import shown
from synaug.loss import Loss
from synaug.training.at_once import TrainingAtOnce
from synaug.training.fit import Fits, StackedTraining
from synaug.tuning.training import TunedTraining
from synaug.tuning.tuning import Tuning


def make_augmenters(config: DictConfig) -> list[Augmenter]:
    """Make the group's sampler and hold it to the contract of `synaug.augmenter.Augmenter`.

    Returns
    -------
    list
        One for each amount that there is to choose from, ascending: mostly one.

    Raises
    ------
    UserError
        If the target is no sampler, or rejects a parameter; or if it decides by itself how many rows it makes, and
        there are several amounts to choose from.
    """
    ours = ("amount", "strict", "replicas")
    sampler_config = OmegaConf.masked_copy(config, [str(key) for key in config if key not in ours])
    sampler = instantiate(sampler_config, _convert_="all")
    check_parameters(sampler)
    amount = OmegaConf.to_object(config.amount) if OmegaConf.is_list(config.amount) else config.amount
    return Augmenter.of_amounts(sampler, settings.amounts(amount), config.strict)


def make_loss(config: DictConfig, class_names: Sequence[str]) -> Loss:
    """The group's loss, told what the classes are called.

    Raises
    ------
    UserError
        If it does not give back a loss then.
    """
    loss = instantiate(config, _convert_="all").for_classes(class_names)
    if not isinstance(loss, Loss):
        raise UserError(
            f"loss._target_={config._target_} returns {shown(type(loss).__name__)} from for_classes, which must return "
            "a loss: return self, or a loss that knows the classes"
        )
    return loss


def make_tuning(config: DictConfig, texts: LabelledTexts, loss: Loss, classifier: FineTuned) -> Tuning:
    """All that the members of a classifier that is fine-tuned are tuned with."""
    told = {"loss": config.loss, **({"augmenter": config.augmenter} if classifier.when == settings.BATCH else {})}
    return Tuning(
        classifier,
        instantiate(config.encoder, _convert_="all"),
        texts,
        loss,
        {name: OmegaConf.to_container(part, resolve=True) for name, part in told.items()},
        OmegaConf.to_container(config.trainer, resolve=True),  # type: ignore[arg-type]
        cache_folder(config.cache_dir),
    )


def end_to_end(config: DictConfig) -> FineTuned | None:
    """The classifier, where it reads texts itself; None where it reads vectors."""
    classifier = instantiate(config.classifier, _convert_="all")
    return classifier if isinstance(classifier, FineTuned) and classifier.when == settings.BATCH else None


def most_steps(config: DictConfig) -> int:
    """Optimiser steps of a classifier that is trained on all rows."""
    classifier = end_to_end(config)
    steps: int = config.max_steps if classifier is None else classifier.max_steps
    return steps


def encoder_in_use(config: DictConfig) -> DictConfig:
    """Settings of the encoder that makes the vectors of a fitted classifier, before any tuning.

    They are the run's, but where the classifier reads texts itself: then what it reads is not scaled, is as long as it
    was trained on, and is computed in float32.
    """
    classifier = end_to_end(config)
    if classifier is None:
        frozen: DictConfig = config.encoder
        return frozen
    encoder = instantiate(config.encoder, _convert_="all")
    longest = min(encoder.max_length, classifier.max_length or encoder.max_length)
    as_read = {"normalize": False, "max_length": longest, "precision": settings.FLOAT32}
    return OmegaConf.create({**OmegaConf.to_container(config.encoder, resolve=True), **as_read})  # type: ignore[dict-item]


def make_training(
    config: DictConfig, texts: LabelledTexts, loss: Loss, sampler: object, final: str, *, keep: bool = False
) -> Fits:
    """The classifier with all of its settings.

    Parameters
    ----------
    sampler
        What rows are mixed with, where a classifier mixes them in its batches.
    final
        As of `synaug.training.fit.StackedTraining`.
    keep
        Whether it is to keep what it fits.
    """
    classifier = instantiate(config.classifier, _convert_="all")
    if isinstance(classifier, FineTuned):
        if classifier.when == settings.BATCH:
            tuning = make_tuning(config, texts, loss, classifier)
            return TunedTraining(tuning, sampler, final, keep)
        classifier = classifier.head
    if isinstance(classifier, FittedAtOnce):
        return TrainingAtOnce(classifier, final, config.trainer.enable_progress_bar, keep)
    return StackedTraining(
        classifier,
        loss,
        batch_size=config.batch_size,
        max_steps=config.max_steps,
        trainer=OmegaConf.to_container(config.trainer, resolve=True),  # type: ignore[arg-type]
        final=final,
        keep=keep,
        cuda_graphs=config.get("cuda_graphs", True),  # records from before it was a setting lack it
    )
