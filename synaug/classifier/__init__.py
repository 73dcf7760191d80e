"""The classifiers that are trained on embeddings; imported when they are asked for, as Lightning takes seconds."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synaug.classifier.at_once import FittedAtOnce as FittedAtOnce
    from synaug.classifier.at_once import NearestClassMean as NearestClassMean
    from synaug.classifier.at_once import NearestNeighbours as NearestNeighbours
    from synaug.classifier.at_once import ScikitLearn as ScikitLearn
    from synaug.classifier.finetuned import FineTuned as FineTuned
    from synaug.classifier.module import Classifier as Classifier
    from synaug.classifier.module import WithoutBiases as WithoutBiases

__all__ = [
    "Classifier",
    "FineTuned",
    "FittedAtOnce",
    "NearestClassMean",
    "NearestNeighbours",
    "ScikitLearn",
    "WithoutBiases",
]

_ELSEWHERE = {"Classifier": "module", "WithoutBiases": "module", "FineTuned": "finetuned"}


def __getattr__(name: str) -> Any:
    """What is not imported yet (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'at_once')}"), name)
