"""Nearest neighbours: searched once for a data set, filtered to each training set."""

from synaug.augmenter.neighbours.brute_force import METRICS
from synaug.augmenter.neighbours.estimator import Neighbours, nearest_neighbours
from synaug.augmenter.neighbours.graph import NeighbourGraph

__all__ = ["METRICS", "NeighbourGraph", "Neighbours", "nearest_neighbours"]
