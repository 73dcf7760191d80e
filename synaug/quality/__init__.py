"""What synthetic rows are like beside real ones, and what the data of a scenario are like; nothing is chosen by it."""

from synaug.quality.audit import audit
from synaug.quality.geometry import geometry

__all__ = ["audit", "geometry"]
