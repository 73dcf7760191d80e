"""Whether any job of a sweep can start: what is wrong with every one of them is said once, before the first does."""

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from synaug.command import folders
from synaug.command.check.parts import check_parts
from synaug.command.check.settings import check_settings
from synaug.command.job import plan_of
from synaug.command.process import freeze
from synaug.dataset import LabelledTexts
from synaug.encoder.contract import for_dataset
from synaug.errors import user_sentence
from synaug.files import garbage_collection
from synaug.files.digest import json_sha256
from synaug.files.sign_of_life import busy
from synaug.splits import make_splits, texts_to_split
from synaug.sweep import interrupts

# What texts and splits are settled by.
OF_THE_DATA = ("dataset", "encoder", "imbalance_ratio", "validation", "n_folds", "seeds")
# Launchers whose jobs run on this very machine, with what it has.
ON_THIS_MACHINE = ("BasicLauncher", "JoblibLauncher")


class Composed(NamedTuple):
    """A job as Hydra would start it: its config, Hydra's own, and its run's folder."""

    config: DictConfig
    hydra: DictConfig
    folder: Path


class NothingCanStartError(BaseException):
    """No job of a sweep can start; its text says why.

    A BaseException, because Hydra turns any Exception of a callback into a warning.
    """


def refuse_if_nothing_can_start(grid: Sequence[Sequence[str]], config: DictConfig) -> None:
    """Check jobs until one is sound, as each of them will check itself.

    A mistake in some jobs alone is left to them: the others run.

    Parameters
    ----------
    grid
        The overrides of each job that is to be started.
    config
        Of the sweep, with the part that is Hydra's own.

    Raises
    ------
    NothingCanStartError
        If every job has something wrong; each sentence is in it once.
    """
    if not str(config.hydra.launcher._target_).endswith(ON_THIS_MACHINE):
        return  # files, packages and devices are those of the machines that the jobs will run on
    check = _Check()
    problems: dict[str, None] = {}  # in their order
    with busy("checking the sweep before its first job"):
        for job in grid:
            problem = check.problem(config, job)
            if problem is None:
                return
            problems[problem] = None
    if problems:
        raise NothingCanStartError("\n".join(problems))


class _Check:
    """What is wrong with a job; what jobs share is looked at once."""

    def __init__(self) -> None:
        self._texts: tuple[str, LabelledTexts] | None = None
        self._of_data: dict[str, Exception] = {}

    def problem(self, config: DictConfig, job: Sequence[str]) -> str | None:
        """The sentence of what keeps a job from starting; None if nothing does, or a fault of the program."""
        composed = _composed(config, job)
        if composed is None:
            return None
        with _as_a_job(composed.hydra):
            try:
                self._check(composed)
            except (Exception, SystemExit) as error:  # of a fault its job shows the traceback
                interruption = interrupts.behind(error)
                if interruption is not None:
                    raise interruption from error
                return user_sentence(error)
        return None

    def _check(self, job: Composed) -> None:
        with garbage_collection.paused():
            reference = check_settings(job.config)
        identity = folders.identified(job.config).identity
        if not plan_of(job.config, job.folder, identity).compute:
            return
        texts = self._settled(job.config)
        with garbage_collection.paused():
            check_parts(job.config, reference)
            from synaug.parts import make_augmenters, make_loss

            freeze()
        make_loss(job.config.loss, texts.class_names)
        make_augmenters(job.config.augmenter)[-1].matched(texts)

    def _settled(self, config: DictConfig) -> LabelledTexts:
        """The texts, once they are seen to be enough for the splits of the first seed."""
        settings = {
            key: OmegaConf.to_container(config[key], resolve=True) if OmegaConf.is_config(config[key]) else config[key]
            for key in OF_THE_DATA
        }
        key = json_sha256(settings)
        if key in self._of_data:
            raise self._of_data[key]
        if self._texts is None or self._texts[0] != key:
            try:
                self._texts = key, _texts_that_can_be_split(config)
            except Exception as error:
                self._of_data[key] = error
                raise
        return self._texts[1]


def _texts_that_can_be_split(config: DictConfig) -> LabelledTexts:
    dataset, encoder, imbalance_ratio, validation = (
        instantiate(config[group], _convert_="all") for group in ("dataset", "encoder", "imbalance_ratio", "validation")
    )
    texts = texts_to_split(dataset, for_dataset(encoder, dataset), imbalance_ratio, validation, config.n_folds)
    make_splits(
        texts.name,
        texts.labels,
        texts.class_names,
        imbalance_ratio,
        seeds=config.seeds[:1],
        n_folds=config.n_folds,
        validation=validation,
        groups=texts.groups,
    )
    return texts


def _composed(config: DictConfig, job: Sequence[str]) -> Composed | None:
    """Compose a job as Hydra's launchers do; None where that cannot be, which Hydra says once for all jobs."""
    try:
        composed = GlobalHydra.instance().config_loader().load_sweep_config(config, list(job))
    except (HydraException, OmegaConfBaseException):
        return None
    with read_write(composed), open_dict(composed):
        composed.hydra.job.id = composed.hydra.job.num = 0
    with _as_a_job(composed):
        folder = Path(str(OmegaConf.select(composed, "hydra.sweep.dir")), str(composed.hydra.sweep.subdir))
    with read_write(composed.hydra.runtime):  # which loggers are told
        composed.hydra.runtime.output_dir = str(folder)
    own = copy.deepcopy(composed)
    with read_write(own), open_dict(own):
        del own["hydra"]
    return Composed(own, composed, folder)


@contextmanager
def _as_a_job(hydra: DictConfig) -> Iterator[None]:
    """Have Hydra's own settings be those of a job; what the job will say itself is not said here."""
    before, logger = HydraConfig.instance().cfg, logging.getLogger("synaug")
    level = logger.level
    HydraConfig.instance().set_config(hydra)
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        HydraConfig.instance().cfg = before
