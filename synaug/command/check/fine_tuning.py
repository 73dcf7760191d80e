"""What fine-tuning needs of the other parts of a run."""

import importlib.util
from collections.abc import Iterator

from hydra.utils import instantiate
from omegaconf import DictConfig

from synaug.command.check.instantiation import REFUSALS
from synaug.command.check.sentences import plain
from synaug.errors import UserError

WHOLE_PRECISION = (None, 32, "32", "32-true")
FINE_TUNED = "synaug.classifier.FineTuned"


def fine_tuning_problems(config: DictConfig) -> Iterator[str]:
    """What a classifier that is fine-tuned cannot do with the encoder, the augmenter and the settings that it has."""
    if config.classifier.get("_target_") != FINE_TUNED:
        return
    from synaug.encoder import TransformerEncoder
    from synaug.settings import BATCH

    try:
        encoder, classifier = (instantiate(config[group], _convert_="all") for group in ("encoder", "classifier"))
    except REFUSALS:
        return  # whoever makes it alone has said so
    if not isinstance(encoder, TransformerEncoder):
        yield (
            f"encoder._target_={config.encoder.get('_target_')} has no weights to fine-tune: choose a "
            "transformer, e.g. encoder=minilm or huggingface, or classifier=mlp"
        )
    if classifier.rank and importlib.util.find_spec("peft") is None:
        yield f"classifier.rank={classifier.rank} needs a package that is not installed: pip install 'synaug[finetune]'"
    yield from _precision_problems(config.trainer, classifier.precision)
    if augmenter_brings_texts(config.augmenter):
        yield (
            "augmenter=texts uses vectors from before the encoder is tuned, which a fine-tuned classifier "
            "cannot use: choose another augmenter, or classifier=mlp"
        )
    elif classifier.when == BATCH:
        yield from _mixing_problems(config.augmenter)
    if classifier.when == BATCH and config.standardize:
        yield (
            "standardize=true scales vectors once, but with classifier.when=batch they change with every "
            "step: set standardize=false, or classifier.when=features"
        )


def _precision_problems(trainer: DictConfig, precision: str) -> Iterator[str]:
    """Whether encoders can be tuned in the arithmetic that is asked for."""
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    from synaug.pipeline import quieten_lightning
    from synaug.settings import BF16
    from synaug.training.fit import device_of
    from synaug.tuning.tuning import bf16_problem

    quieten_lightning()
    given = trainer.get("precision")
    if given not in WHOLE_PRECISION:
        yield (
            f"trainer.precision={given} cannot be used with a classifier that is fine-tuned, whose gradients are "
            "shortened before Lightning unscales them: leave it at 32, and set classifier.precision"
        )
    if precision == BF16:
        try:
            device = device_of(plain(trainer))
        except (MisconfigurationException, *REFUSALS, RuntimeError, ImportError):
            return  # as above
        if problem := bf16_problem(device):
            yield problem


def _mixing_problems(config: DictConfig) -> Iterator[str]:
    """Whether a sampler can be used within batches."""
    from synaug.parts import make_augmenters
    from synaug.tuning.mixing import partners

    try:
        sampler = make_augmenters(config)[-1].sampler
    except REFUSALS:
        return  # as above
    try:
        partners(sampler)
    except UserError as error:
        yield str(error)


def augmenter_brings_texts(config: DictConfig) -> bool:
    """Whether an augmenter brings texts that somebody else wrote."""
    return str(config.get("_target_")) == "synaug.augmenter.Texts"
