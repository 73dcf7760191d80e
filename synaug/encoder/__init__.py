"""Texts to vectors."""

from synaug.encoder.transformer import TransformerEncoder

__all__ = ["TransformerEncoder"]
