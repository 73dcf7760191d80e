"""Synthetic rows for the minority classes, and what a sampler owes for them."""

from synaug.augmenter.contract import Augmented, Augmenter, Balance
from synaug.augmenter.neighbours import nearest_neighbours
from synaug.augmenter.parents import segment_parents
from synaug.augmenter.vae import VAE

__all__ = ["VAE", "Augmented", "Augmenter", "Balance", "nearest_neighbours", "segment_parents"]
