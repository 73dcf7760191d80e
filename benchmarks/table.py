"""The rows of all stages as a Markdown table."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import Row

HEADER = (
    "stage",
    "what",
    "peer",
    "peer, s",
    "synaug, s",
    "ratio (range)",
    "of GEMM peak",
    "memory, MB",
    "target",
    "met",
)


def lines(rows: Mapping[str, Sequence[Row]]) -> list[str]:
    """One line a row, under two of header; `rows` are by stage."""
    table = [f"| {' | '.join(HEADER)} |", f"|{'---|' * len(HEADER)}"]
    for stage, of_stage in rows.items():
        table += [f"| {' | '.join((stage, *_cells(row)))} |" for row in of_stage]
    return table


def document(rows: Mapping[str, Sequence[Row]], results: Sequence[Mapping[str, Any]]) -> str:
    """The table, with what a reader must know of the machine and of each figure."""
    machines = {
        f"{machine['cpu']}, {machine['cores']} cores, scikit-learn's BLAS {machine['blas']}"
        for machine in (result["machine"] for result in results)
    }
    loads = [result["load_at_start"] for result in results]
    dates = sorted(result["finished"][:10] for result in results)
    peaks = [row for of_stage in rows.values() for row in of_stage if row.gemm_peak is not None]
    facts = [
        "Medians over repetitions by turns; the range is of single repetitions. Peak memory is of the processes that",
        "did it, peer / synaug. The peak is the machine's best float32 product, measured between the repetitions"
        + (f"{_peak(peaks)}." if peaks else "."),
        f"{'; '.join(sorted(machines))}; {' to '.join(dict.fromkeys((dates[0], dates[-1])))}; "
        f"load when the stages began {number(min(loads))} to {number(max(loads))} (0 is quiet).",
    ]
    return "\n".join([*lines(rows), "", *facts, ""])


def targets(rows: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """The rows that have a target."""
    return {stage: [row for row in of_stage if row.target is not None] for stage, of_stage in rows.items()}


def number(value: float) -> str:
    """Three digits, without exponent."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def target(row: Row) -> str:
    """The target as a reader would say it."""
    if row.target is None:
        return "–"
    return {
        "ratio": f"≥ {number(row.target)}×",
        "share": f"≥ {row.target:.0%}",
        "seconds": f"≤ {number(row.target)} s",
        "times": f"≤ {number(row.target)}×",
    }[row.kind]


def _cells(row: Row) -> tuple[str, ...]:
    ratio = "–"
    if row.ratio is not None and row.ratio_range is not None:
        ratio = f"{number(row.ratio)}× ({number(row.ratio_range[0])}–{number(row.ratio_range[1])})"
    if row.kind == "times":
        ratio = f"{number(row.synaug)}×"
    share = "–" if row.share is None or row.gflops is None else f"{row.share:.0%} ({number(row.gflops)} GFLOP/s)"
    memory = [f"{n_bytes / 1e6:.0f}" for n_bytes in (row.peer_memory, row.synaug_memory) if n_bytes is not None]
    peer_seconds = sorted(row.peer_seconds)
    return (
        row.name,
        row.peer or "–",
        number(row.synaug * row.ratio) if peer_seconds and row.ratio is not None else "–",
        "–" if row.kind == "times" else number(row.synaug),
        ratio,
        share,
        " / ".join(memory) or "–",
        target(row),
        {True: "yes", False: "**no**", None: "–"}[row.met],
    )


def _peak(rows: Sequence[Row]) -> str:
    any_kind, mm = (
        _range([peak for row in rows if (peak := getattr(row, name)) is not None]) for name in ("gemm_peak", "mm_peak")
    )
    threads = sorted({str(row.threads) for row in rows})
    return f": {any_kind} GFLOP/s on {' or '.join(threads)} threads, of which `torch.mm` reaches {mm}"


def _range(values: Sequence[float]) -> str:
    return f"{number(min(values))} to {number(max(values))}" if values else "–"
