"""The cache of embeddings: who encodes what, and where it lies."""
