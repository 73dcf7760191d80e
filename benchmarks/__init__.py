"""Side-by-side measurements against what a careful user would run instead: `python -m benchmarks` or `… .<stage>`.

A stage is a module with ``STAGE = stage.Stage(name, about, sizes, measure, sides)``:

- `sizes`: name → (default, help); each becomes a command-line argument of the stage (``--short-texts 600``);
- `measure(args) -> list[measure.Row]`: its comparisons. `args` holds the sizes and `repetitions`. A row keeps every
  repetition; medians, ratios and shares are taken from them. It raises `measure.Differs` where two sides disagree;
- `sides`: name → function of `args` that loads and warms up (not timed) and returns the function to be timed, which
  gives the arrays to compare. Each side lives in a process of its own (``with process.sides(…)``), so that memory is
  its own, and `measure.interleave` takes them by turns. What is timed as a process goes through `process.command`.

The module ends with ``if __name__ == "__main__": STAGE.main()`` and imports nothing heavy at its top: the process
that takes turns stays small. Its name stands in `benchmarks.__main__.STAGES`.

Studies measure no time, and are commands of their own: `verdict` how often the primary question is answered wrongly and
how often a planted gain is found, `bagged_or_refit` which classifier should predict, `logistic_regression` what
scikit-learn's has on the same splits, `why_vae` what VAEs learn and how their rows vary. They go on where they were
stopped, or take minutes. `audit` is a command of its own, too: it times runs with their look inside and without it. So
is `gpu`, which compares an accelerator with the CPU.
"""
