"""The file of an augmenter that brings texts of its own, known without importing what augments."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from synaug import record
from synaug.dataset import WrittenTexts
from synaug.settings import OF_A_TARGET


def written_texts(config: DictConfig) -> WrittenTexts | None:
    """The file that the augmenter of a composed config reads; None where it reads none, or has nothing to do.

    Raises
    ------
    UserError
        If one of its settings can be none.
    """
    if "augmenter" not in record.groups_with_sources(config):
        return None
    settings: Any = OmegaConf.to_container(config.augmenter, resolve=True)
    return WrittenTexts(**{key: settings[key] for key in OF_A_TARGET[settings["_target_"]] if key in settings})
