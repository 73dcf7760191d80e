"""synaug against what others have published, computed or derived: ``synaug check``.

Each module has functions that yield one `Comparison` for each value: `mteb` a public benchmark's scores, `peers`
scikit-learn's models and imbalanced-learn's samplers on the same rows, `gaussians` a formula. Whether a *config* is
sound is another question, and `synaug.command.check`'s.
"""
