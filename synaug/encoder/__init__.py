"""Texts to vectors; or vectors that rows have of their own."""

from synaug.encoder.contract import BringsVectors, Encoder
from synaug.encoder.precomputed import PrecomputedVectors
from synaug.encoder.sentence_transformer import SentenceTransformerEncoder
from synaug.encoder.static import StaticEncoder
from synaug.encoder.transformer import TransformerEncoder

__all__ = [
    "BringsVectors",
    "Encoder",
    "PrecomputedVectors",
    "SentenceTransformerEncoder",
    "StaticEncoder",
    "TransformerEncoder",
]
