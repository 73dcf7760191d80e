"""What training makes small, and the class frequencies that its logits then follow."""

from synaug.loss.base import Loss
from synaug.loss.focal import Focal
from synaug.loss.ldam import LDAM
from synaug.loss.logit_adjusted import BalancedSoftmax, LogitAdjusted
from synaug.loss.plain import Plain
from synaug.loss.weighted import ClassWeighted, EffectiveNumber

__all__ = ["LDAM", "BalancedSoftmax", "ClassWeighted", "EffectiveNumber", "Focal", "LogitAdjusted", "Loss", "Plain"]
