"""The tolerance of the shortfall: by how much a sampler may miss what it was asked for."""

# ADASYN rounds the rows of each parent, so that it ends a few per cent off what was asked; a sampler that misses more
# than this share did not do its work.
TOLERATED_SHORTFALL = 0.1


def falls_short(made: int, asked: int) -> bool:
    """Whether a sampler that was `asked` for some rows of a class `made` too few of them."""
    return asked - made > TOLERATED_SHORTFALL * asked
