"""How like real rows other rows are, one measure a function; what equal distributions give stands in each docstring.

Whatever a measure says of synthetic rows is beside the point without what it says of as many real rows that nobody has
seen: such measures fail sanity checks by themselves (Räisä et al. 2025, arXiv 2505.22450). `synaug.quality.audit`
hands both to them.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from synaug.quality import discriminant
from synaug.quality.distances import Rows, Squared

K = 5  # neighbours whose farthest says how far a real row's surroundings reach, as Naeem et al. have it


def variance_ratio(rows: Rows, real: Rows) -> float:
    """The total variance of rows `[s, d]` in shares of that of real ones `[n, d]`: 1 for equal distributions.

    SMOTE with all other rows as neighbours has ⅔ of their variance, for a point drawn evenly between two independent
    rows has (∫ (1 − t)² + t² dt) = ⅔ of it.
    """
    return _share(_variance(rows), _variance(real))


def norm_ratio(rows: Rows, real: Rows) -> float:
    """The mean Euclidean norm of rows `[s, d]` in shares of that of real ones `[n, d]`: 1 for equal distributions."""
    return _share(float(np.linalg.norm(rows, axis=1).mean()), float(np.linalg.norm(real, axis=1).mean()))


def _variance(rows: Rows) -> float:
    return float(rows.var(axis=0, ddof=1, dtype=np.float64).sum())


def _share(value: float, whole: float) -> float:
    return value / whole if whole > 0 else float("nan")


# Balls about real rows


def radii(among: Squared, k: int) -> NDArray[np.float32]:
    """Squared distance of each real row to its `k`-th nearest other, `[n]`, of `distances.among_themselves`."""
    found: NDArray[np.float32] = np.partition(among, k - 1, axis=1)[:, k - 1]
    return found


def density(to_rows: Squared, reach: NDArray[np.float32], k: int) -> float:
    """In how many balls about real rows a row lies, in shares of `k`: 1 for equal distributions, and no upper limit.

    Naeem et al. 2020 (ICML), "Reliable fidelity and diversity metrics for generative models", equation 4.

    Parameters
    ----------
    to_rows
        Squared distances of real rows to those looked at, `[n, s]`.
    reach
        Of `radii`, `[n]`.
    """
    return float((to_rows <= reach[:, None]).sum() / (k * to_rows.shape[1]))


def coverage(to_rows: Squared, reach: NDArray[np.float32]) -> float:
    """The share of real rows in whose ball a row lies: `expected_coverage` for equal distributions.

    Naeem et al. 2020, equation 5. Parameters as of `density`.
    """
    return float((to_rows <= reach[:, None]).any(axis=1).mean())


def expected_coverage(n: int, s: int, k: int) -> float:
    """The coverage of `n` real rows by `s` rows of the same distribution, whatever that is: 1 − ½^k for many of both.

    Naeem et al. 2020, lemma 2: that all `k` nearest of `n − 1 + s` rows are among the `n − 1` real ones has a
    probability of ``(n−1)…(n−k) / ((n+s−1)…(n+s−k))``.
    """
    places = np.arange(1, k + 1)
    return float(1 - np.prod((n - places) / (n + s - places)))


def clipped_density(to_rows: Squared, among: Squared, reach: NDArray[np.float32], k: int) -> float:
    """The share of rows that lie where real rows do: 1 at most, and about 1 for equal distributions.

    Salvy, Talbot and Thirion 2026 (ICLR, arXiv 2507.01761): no ball reaches farther than half of them do, so that real
    rows far from all others have none that holds whatever lies between; no row counts more than once, so that rows in
    the middle cannot make up for others; and all is in shares of what real rows get among themselves.

    Parameters
    ----------
    to_rows, reach
        As of `density`.
    among
        Squared distances of real rows to each other, `[n, n]`, infinite to themselves.
    """
    near = np.minimum(reach, np.median(reach))[:, None]
    of_rows, of_real = (np.minimum((squared <= near).sum(axis=0) / k, 1).mean() for squared in (to_rows, among))
    return float(min(of_rows / of_real, 1)) if of_real > 0 else float("nan")


def clipped_coverage(to_rows: Squared, reach: NDArray[np.float32], k: int) -> float:
    """How many rows of the real distribution would cover real rows as well, divided by the number of rows: 1 at most.

    Salvy, Talbot and Thirion 2026 (arXiv 2507.01761): each ball is covered by as many rows as lie in it, `k` at most,
    in shares of `k`; the mean is then expressed as the number of rows of the same distribution that would reach it on
    average (`covered_by`). Equal distributions give 1, less what chance takes. Parameters as of `density`.
    """
    n, s = to_rows.shape
    covered = float(np.minimum((to_rows <= reach[:, None]).sum(axis=1), k).mean() / k)
    expected = covered_by(n, s, k)
    return float(np.interp(covered, expected, np.arange(s + 1) / s))


@cache
def covered_by(n: int, s: int, k: int) -> NDArray[np.float64]:
    """Expected clipped coverage of `n` real rows by 0, 1, …, `s` rows of the same distribution, `[s + 1]`, ascending.

    Of `m` such rows, those in a ball about a real row that reaches to the `k`-th nearest of `n − 1` others are
    beta-binomial, with parameters `m`, `k` and `n − k`; the expected coverage is ``E[min(J, k)] / k``.
    """
    rows, inside = np.arange(s + 1)[:, None], np.arange(k)[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = (
            special.gammaln(rows + 1)
            - special.gammaln(inside + 1)
            - special.gammaln(rows - inside + 1)
            + special.betaln(k + inside, n - k + rows - inside)
            - special.betaln(k, n - k)
        )
    p = np.where(inside <= rows, np.exp(log_p), 0)
    # E[min(J, k)] = k − Σ_{j<k} (k − j) P(J = j)
    expected: NDArray[np.float64] = 1 - (p * (k - inside)).sum(axis=1) / k
    return expected


# Two samples


def two_sample_linear(rows: Rows, real: Rows) -> float:
    """The accuracy with which a linear rule tells rows from as many real ones: ½ ± √(1/(4n)) for equal distributions.

    The classifier two-sample test of Lopez-Paz and Oquab 2017 (ICLR, arXiv 1610.06545), with shrunk linear
    discriminant analysis. It is learned on the first half of both and asked about the other halves, `n` rows in all.
    Cross-fitting would ask about all rows, but hardly learn more: a linear rule of either half is the difference of
    its means, so that both accuracies are large or small together, and the deviation of their mean would be that of
    one and not √(1/(4n)).

    Parameters
    ----------
    rows, real
        `[s, d]` each.
    """
    (known_rows, asked_rows), (known_real, asked_real) = _halves(rows), _halves(real)
    rule = discriminant.fit([known_rows, known_real])
    return _accuracy(rule.decide(asked_rows) == 0, rule.decide(asked_real) == 1)


def two_sample_spread(rows: Rows, real: Rows) -> float:
    """The same with a rule that knows nothing of a row but its distance from the real rows' mean.

    A plane does not part rows that crowd in the middle of real ones; this does. The nearest neighbour, which is often
    taken for such a test, is blind to them: where rows have many dimensions, those in the middle are the nearest to
    all others, so that real rows count as made ones, too, and the accuracy stays at ½. (Rows of a VAE with a sixth of
    the real variance had .51 by the nearest neighbour, on rotten_tomatoes at 1:10.)
    """
    (known_rows, asked_rows), (known_real, asked_real) = _halves(rows), _halves(real)
    middle = known_real.mean(axis=0)
    # Each known real row from the mean of the others, as what is asked about has no part in the mean either: with its
    # own part a row lies nearer to it by (h - 1) / h, which of few rows is more than many a difference of spread.
    h = len(known_real)
    apart = np.square(h / (h - 1)) * _away(known_real, middle) if h > 1 else _away(known_real, middle)
    of_rows, of_real = (np.log(each).mean() for each in (_away(known_rows, middle), apart))
    sign, threshold = np.sign(of_real - of_rows), (of_real + of_rows) / 2
    made = sign * (threshold - np.log(_away(asked_rows, middle))) > 0
    there = sign * (threshold - np.log(_away(asked_real, middle))) <= 0
    return _accuracy(made, there)


def _away(rows: Rows, middle: NDArray[np.float32]) -> NDArray[np.float64]:
    squared: NDArray[np.float64] = np.square(rows - middle).sum(axis=1, dtype=np.float64)
    return np.maximum(squared, np.finfo(np.float64).tiny)


def deviation(n: int) -> float:
    """Standard deviation of a two-sample test's accuracy over `n` rows of equal distributions."""
    return float(np.sqrt(1 / (4 * n))) if n else float("nan")


def _halves(rows: Rows) -> tuple[Rows, Rows]:
    half = len(rows) // 2
    return rows[:half], rows[half : 2 * half]


def _accuracy(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first.mean() + second.mean()) / 2)
