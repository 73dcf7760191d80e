"""A sampler of our own: variational autoencoders of all splits and classes, trained as one stack."""

from synaug.augmenter.vae.sampler import VAE

__all__ = ["VAE"]
