"""Samplers of our own: variational autoencoders of all splits and classes, trained as one stack."""

from synaug.augmenter.vae.sampler import CVAE, VAE

__all__ = ["CVAE", "VAE"]
