"""A run's identity, and its record on disk: whole or absent."""

from synaug.record.code import code_sha256, own_sha256
from synaug.record.identity import (
    IN_PROPORTION,
    RUN_DIGITS,
    SCIENTIFIC,
    groups_with_sources,
    identity,
    is_idle,
    science,
)
from synaug.record.plan import Plan, plan
from synaug.record.provenance import git_commit, peak_memory, versions
from synaug.record.shapes import SCHEMA, lacking
from synaug.record.store import (
    FAILURE,
    RECORD,
    SWEEP,
    is_overtaken,
    probabilities_file,
    problem,
    read,
    read_json,
    sweep_of,
    write,
    write_failure,
)
from synaug.record.tables import SCORE_COLUMNS, VALIDATION_COLUMNS

__all__ = [
    "FAILURE",
    "IN_PROPORTION",
    "RECORD",
    "RUN_DIGITS",
    "SCHEMA",
    "SCIENTIFIC",
    "SCORE_COLUMNS",
    "SWEEP",
    "VALIDATION_COLUMNS",
    "Plan",
    "code_sha256",
    "git_commit",
    "groups_with_sources",
    "identity",
    "is_idle",
    "is_overtaken",
    "lacking",
    "own_sha256",
    "peak_memory",
    "plan",
    "probabilities_file",
    "problem",
    "read",
    "read_json",
    "science",
    "sweep_of",
    "versions",
    "write",
    "write_failure",
]
