"""What scores are called: names alone, so that a command line knows them without what computes them."""

# The order of tables; scores that ignore the prior come first.
METRICS = (
    "balanced_accuracy",
    "f1_macro",
    "geometric_mean",
    "minority_recall",
    "minority_precision",
    "majority_recall",
    "accuracy",
    "precision_macro",
    "recall_macro",
    "mcc",
    "auroc_macro",
    "auprc_macro",
    "log_loss",
    "balanced_log_loss",
    "brier_score",
    "calibration_error",
)
CLASS_METRICS = ("precision", "recall", "f1")
# The metrics of which less is better.
LOSSES = ("log_loss", "balanced_log_loss", "brier_score", "calibration_error")
