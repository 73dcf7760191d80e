"""What the generated pages say that the code does not: one line for each group, file and key of a record."""

OF_GROUPS = {
    "augmenter": "Makes synthetic rows for classes that have fewer rows than the largest. Each is a sampler with "
    "imbalanced-learn's `fit_resample`, ours or a library's. "
    "[How to choose one, and how to add your own](../../how-to/samplers.md).",
    "classifier": "What is trained on the vectors. `mlp` is the paper's. `finetune` and `lora` also train the encoder. "
    "[How to](../../how-to/finetune.md).",
    "dataset": "Where texts and labels come from. [Your own file](../../how-to/data.md).",
    "encoder": "Turns a text into a vector. Vectors are computed once and kept. [How to](../../how-to/encoders.md).",
    "experiment": "Grids: a name, and what is swept. Anything in one can be changed on the command line.",
    "hydra/launcher": "Where the runs of a sweep are computed. [How to](../../how-to/clusters.md).",
    "imbalance_ratio": "How unequal the classes are that train. Under `natural` nothing is cut. All others first make "
    "the data set balanced, then thin the minority classes.",
    "logger": "Where a run is logged while it goes on. The record on disk is written in any case.",
    "loss": "What training minimises. Each loss states which class frequencies its logits follow, and prior "
    "correction removes exactly these. [How to](../../how-to/losses.md).",
    "method": "An augmenter and a loss in one word, for sweeps over both: `method=none,class_weighted,smote`.",
    "validation": "Which rows are held back, so that choices can be made on them. `nested` is the protocol; the other "
    "two are controls.",
}
OF_TABLES = {
    "comparisons.csv": "One row for each comparison of a method with a reference, in each metric.",
    "scores.parquet": "All scores in one long table, of test rows and of out-of-fold rows, with what was chosen. The "
    "verdict can be computed again from it. `--csv` writes it as `scores.csv.gz`, too.",
    "exchange.csv": "What each method is worth in real texts. Written where a data set was run at four ratios or more.",
    "quality.csv": "What synthetic rows are like, beside real rows that the sampler did not see.",
    "geometry.csv": "How the classes of a data set lie.",
}
OF_A_RECORD = {
    "schema": "number of the format",
    "run": "name of the run's folder",
    "name": "of the experiment",
    "identity": "hash of all that decides the run's numbers, except the seeds",
    "choices": "the option of each group",
    "config": "every setting, as it was composed",
    "versions": "of Python and of the packages that decide numbers",
    "code": "digest of the modules that decide numbers",
    "git_commit": "of the checkout, where there is one",
    "data": "source, fingerprint, class names, rows of each class, which classes are the minority",
    "encoder": "identity of the encoder: model, revision, digest of its weights, pooling",
    "scores": "of the test rows of each split, under each decision rule",
    "validation_scores": "of the out-of-fold rows; these choose",
    "confusion": "a confusion matrix for each decision rule, summed over splits: rows are the true classes",
    "reliability": "sums for a reliability diagram: rows, confidence and hits of each bin",
    "balance": "for each training set and class: real rows, what was asked for, what was made, and why it fell short",
    "quality": "what synthetic rows are like; chooses nothing",
    "geometry": "how the classes lie; chooses nothing",
    "curves": "losses and argmax at each look",
    "best": "the step that was chosen, and its loss",
    "tau_norm": "the exponent that the rule `tau_norm` chose in each split",
    "amounts": "where `augmenter.amount` is chosen: the loss of each amount",
    "label_noise": "how many rows have a doubtful label, and how many synthetic rows have such a parent",
    "faults": "tables that could not be made, with the error",
    "offsets": "what each decision rule adds to the log probabilities of each class",
    "diagnostics": "what samplers say of themselves",
    "written_texts": "with `augmenter=texts`: how many texts were used, and why others were not",
    "warnings": "what the run warned of",
    "cost": "seconds of each stage, peak memory, and when the run ended",
    "probabilities_sha256": "digest of the file with the log probabilities of all test and out-of-fold rows",
    "overrides": "the command line",
    "configs_sha256": "digest of the configs of your own that the run used",
}
