"""All stages, one after the other; then the table of all targets and the figure.

``python -m benchmarks`` measures everything, ``--only encode train`` these stages, ``--table`` nothing: it makes
table and figure of the results there are.
"""

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from benchmarks import figure, measure, process, scale_figure, table

# In the order of the data. Each is measured in a process of its own, so that none sees another's imports.
STAGES = ("encode", "neighbours", "vae", "train", "sweep", "scale", "start")
TABLE, FIGURE, SCALE = "README-table.md", "speed.svg", "scale.svg"


def main() -> None:
    """Exit with 1 where a stage failed or a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=STAGES, default=STAGES, help="stages to measure")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    parser.add_argument("--results", type=Path, default=measure.RESULTS, help="folder of JSON, table and figure")
    arguments = parser.parse_args()
    failed = []
    for stage in () if arguments.table else arguments.only:
        if importlib.util.find_spec(f"benchmarks.{stage}") is None:
            continue
        print(f"\n{stage}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{stage}", "--results", str(arguments.results.absolute())]
        if subprocess.run(command, cwd=process.ROOT, check=False).returncode:
            failed.append(stage)
    met = summarise(arguments.results)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; their earlier results, if any, are shown")
    sys.exit(0 if met else 1)


def summarise(results: Path) -> bool:
    """Print the table of all results, write it and the figure, and say whether every target was met."""
    results_of_stages = [measure.read(path) for stage in STAGES if (path := results / f"{stage}.json").exists()]
    if not results_of_stages:
        sys.exit(f"no results in {results}")
    rows = {result["stage"]: of_stage for result, of_stage in results_of_stages}
    facts = [result for result, _ in results_of_stages]
    (results / TABLE).write_text(table.document(table.targets(rows), facts))
    (results / FIGURE).write_text(figure.draw(rows))
    scaled = scale_figure.draw(rows.get("scale", []))
    if scaled is not None:
        (results / SCALE).write_text(scaled)
    print(f"\n{table.document(rows, facts)}")
    return all(row.met is not False for of_stage in rows.values() for row in of_stage)


if __name__ == "__main__":
    main()
