"""Our own samplers without a network: each makes the rows of one class at a time, by a formula."""

from synaug.augmenter.geometry.distribution_calibration import DistributionCalibration
from synaug.augmenter.geometry.eos import EOS
from synaug.augmenter.geometry.gaussian import Gaussian
from synaug.augmenter.geometry.ge3 import GE3
from synaug.augmenter.geometry.mgs import MGS
from synaug.augmenter.geometry.mixup import Mixup
from synaug.augmenter.geometry.remix import Remix
from synaug.augmenter.geometry.slerp import Slerp

__all__ = ["EOS", "GE3", "MGS", "DistributionCalibration", "Gaussian", "Mixup", "Remix", "Slerp"]
