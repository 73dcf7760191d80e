"""The classifiers that are trained on embeddings."""

from synaug.classifier.at_once import FittedAtOnce, NearestClassMean, NearestNeighbours, ScikitLearn
from synaug.classifier.module import Classifier, WithoutBiases

__all__ = ["Classifier", "FittedAtOnce", "NearestClassMean", "NearestNeighbours", "ScikitLearn", "WithoutBiases"]
