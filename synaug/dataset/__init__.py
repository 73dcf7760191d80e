"""Texts and integer labels: from the hub, a mirror of it, a Python package, or the user's files."""

from synaug.dataset.files import FileDataset
from synaug.dataset.hub import HubDataset
from synaug.dataset.package import PackageDataset
from synaug.dataset.texts import LabelledTexts, TextSource
from synaug.dataset.written import MatchedTexts, WrittenTexts

__all__ = [
    "FileDataset",
    "HubDataset",
    "LabelledTexts",
    "MatchedTexts",
    "PackageDataset",
    "TextSource",
    "WrittenTexts",
]
