"""The classifiers that are trained on embeddings."""

from synaug.classifier.module import Classifier

__all__ = ["Classifier"]
