"""What the columns of a comparison's table are, in words for whoever opens the file."""

from collections.abc import Iterable

from synaug.comparison.significance import DEFINITIONS, INTERVAL, LEVEL, POWER
from synaug.comparison.stats import OF_A_RULE, PLANNED, PRIMARY, SECONDARY

# By column of `synaug.comparison.compare.Comparison.tables`, and of the file that holds them.
NOTES = {
    "metric": "what is compared; differences of losses change sign, so that a positive gain is always better",
    "scenario": "data set, encoder, imbalance ratio and classifier that the methods are judged in",
    "method": "augmenter, loss and decision rule in words",
    "augmenter": "the option with its settings; `best without synthesis` and `best with synthesis` are picked for each "
    "split among all methods of their kind, by the out-of-fold loss",
    "loss": "the option with its settings; empty: the plain loss",
    "decision": "the rule; `chosen` is the better candidate on the out-of-fold rows of each split",
    "with_synthesis": "whether the method makes new points; repeating or removing rows does not",
    "reference": "what the method is compared with: the baseline (no augmentation, plain loss, argmax), or the best "
    "without synthesis",
    "family": f"the comparisons among which p_holm, low and high are adjusted. {PRIMARY}: the best with synthesis "
    f"against the best without, over scenarios. {PLANNED}: one of these two against the baseline, over scenarios. "
    f"{SECONDARY}: single methods by argmax and with their rules chosen, over those of the same scenario and "
    f"reference. {OF_A_RULE}: single methods under another rule, over those of the same scenario, reference and rule",
    "n_comparisons": "how many different comparisons the family has; two that are the same on every split are one",
    "n_splits": "splits (seed and fold) that the method and the reference have in common",
    "n_seeds": "seeds of the scenario",
    "n_folds": "folds of the scenario",
    "rho": "1 / n_folds, the share of the rows that test",
    "value": "mean of the method over the common splits",
    "value_std": "its standard deviation over splits",
    "reference_value": "mean of the reference over the common splits",
    "gain": "mean difference, the method's less the reference's",
    "low": f"lower end of the {INTERVAL} interval of the gain, adjusted as p_holm is: low and high lie on one side of "
    f"0 exactly where p_holm is below {LEVEL:g}. An end outside what the metric allows for a difference (−1 to 1 for a "
    "share) is moved to the nearest value that it allows; nothing else changes",
    "high": "its upper end",
    "p_holm": "two-sided p-value of the corrected t-test (Nadeau and Bengio 2003), adjusted by Holm's step-down over "
    "the family",
    "outcome": "; ".join(f"{name}: {definition}" for name, definition in DEFINITIONS.items()),
    "detectable": f"true difference that this comparison finds with a probability of {100 * POWER:g} %, given the "
    "spread that it saw, at the level of low and high; a value above the largest possible difference (1 for a share) "
    "means that it finds none",
    "detectable_any_seeds": "the same with any number of seeds: to find a smaller one takes more rows",
    "low_family": f"lower end of the {INTERVAL} interval at the level of the whole family (Bonferroni): all intervals "
    f"of a family hold their true differences at once with a probability of {INTERVAL}. By it equivalence is told",
    "high_family": "its upper end",
    "low_raw": f"lower end of the {INTERVAL} interval of this comparison alone, not adjusted; belongs to p_raw",
    "high_raw": "its upper end",
    "p_raw": "p-value of the corrected t-test, not adjusted: it does not depend on what else was compared",
    "error": "standard error of the gain after the correction; t is gain / error with n_splits − 1 degrees of freedom",
    "t": "statistic of the corrected t-test",
    "p_wilcoxon": "Wilcoxon's signed-rank test, which takes splits for independent and is too small",
    "p_paired_t": "the plain paired t-test, which takes splits for independent and is too small",
    "effect": "gain in standard deviations of the differences",
    "p_worse": "probability that the true difference is below the region of practical equivalence (Bayesian correlated "
    "t-test, Corani and Benavoli 2015)",
    "p_equivalent": "probability that it lies within that region",
    "p_better": "probability that it lies above",
    "missing": "splits of the scenario that the method or the reference lacks",
    "minority_recall": "mean recall of the minority classes under the method, over the common splits",
    "minority_precision": "mean precision of the minority classes under the method, over the common splits",
    "reference_minority_recall": "the same under the reference",
    "reference_minority_precision": "the same under the reference",
    "by_fallback": "share of the augmenter's rows that a fallback made; empty: the augmenter added no rows",
}


def readme(columns: Iterable[str], rope: float) -> str:
    """Text for a file beside the table.

    Parameters
    ----------
    columns
        Of the table, in order.
    rope
        Half the width of the region of practical equivalence.

    Raises
    ------
    KeyError
        If a column has no note.
    """
    lines = [f"- {name}: {NOTES[name]}." for name in columns]
    region = f"The region of practical equivalence is −{rope:g} to {rope:g}, in the unit of the metric."
    return "\n".join(["The columns, in order:", "", *lines, "", region, ""])
