"""Synthetic rows for the minority classes, and the contract that a sampler must keep."""

from synaug.augmenter.balance import Balance
from synaug.augmenter.contract import Augmented, Augmenter
from synaug.augmenter.flow import Flow
from synaug.augmenter.geometry import EOS, GE3, MGS, DistributionCalibration, Gaussian, Mixup, Remix, Slerp
from synaug.augmenter.neighbours import NeighbourGraph, Neighbours, nearest_neighbours
from synaug.augmenter.parents import segment_parents
from synaug.augmenter.rows import SyntheticRows, ToAugment, TrainingRows, interpolate
from synaug.augmenter.self_paced import SelfPaced
from synaug.augmenter.smote_variants import SmoteVariants
from synaug.augmenter.texts import Texts
from synaug.augmenter.vae import CVAE, VAE
from synaug.errors import TooFewRowsError

__all__ = [
    "CVAE",
    "EOS",
    "GE3",
    "MGS",
    "VAE",
    "Augmented",
    "Augmenter",
    "Balance",
    "DistributionCalibration",
    "Flow",
    "Gaussian",
    "Mixup",
    "NeighbourGraph",
    "Neighbours",
    "Remix",
    "SelfPaced",
    "Slerp",
    "SmoteVariants",
    "SyntheticRows",
    "Texts",
    "ToAugment",
    "TooFewRowsError",
    "TrainingRows",
    "interpolate",
    "nearest_neighbours",
    "segment_parents",
]
