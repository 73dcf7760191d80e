"""Which seeds of a run are computed: those that are asked for and not recorded, or all, where old and new don't mix."""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from synaug.record import shapes, store
from synaug.record.code import code_sha256
from synaug.record.provenance import versions


@dataclass(frozen=True)
class Plan:
    """Which seeds of a run are computed now.

    Attributes
    ----------
    compute
        In ascending order; none where all that are asked for are recorded.
    holds
        Those that the record is to hold in the end, in ascending order.
    embeddings_sha256
        Where recorded seeds are kept beside the computed ones: the digest of the vectors that they were made from.
    remark
        What a reader is told of it; None where nothing is out of the ordinary.
    """

    compute: tuple[int, ...]
    holds: tuple[int, ...]
    embeddings_sha256: str | None = None
    remark: str | None = None

    @property
    def extends(self) -> bool:
        """Whether recorded seeds are kept."""
        return self.embeddings_sha256 is not None

    def held_to(self, embeddings_sha256: str) -> "Plan":
        """The plan once it is known what the texts' vectors are: seeds that were made from others are made anew."""
        if self.embeddings_sha256 in (None, embeddings_sha256):
            return self
        recorded = [seed for seed in self.holds if seed not in self.compute]
        return replace(
            self,
            compute=self.holds,
            embeddings_sha256=None,
            remark=_anew(recorded, self.holds, "from other embeddings (of another machine or library)"),
        )


def plan(folder: Path, identity: str, seeds: Iterable[int], *, force: bool = False) -> Plan:
    """See which of a run's seeds are recorded, and which are to be computed.

    A record is of one code, one set of versions and one set of embeddings: where those that it was made with are not
    those of now, new seeds are not mixed with recorded ones, and all are computed. A record that holds
    all that is asked for is done, whatever made it.

    Parameters
    ----------
    folder
        Of the run.
    identity
        Of the run.
    seeds
        That are asked for.
    force
        Make all of the run's seeds anew, those that are recorded and not asked for, too.

    Raises
    ------
    UserError
        If a newer synaug has written the record.
    """
    asked = tuple(sorted(seeds))
    stands, problem = store.standing(folder, identity)
    if stands is None:
        there = os.path.lexists(folder / store.RECORD)
        return Plan(asked, asked, remark=f"{problem}: the run is made again" if there else None)
    recorded = sorted(stands["config"]["seeds"])
    holds = tuple(sorted({*recorded, *asked}))
    missing = tuple(seed for seed in asked if seed not in recorded)
    if force:
        return Plan(holds, holds, remark=f"{_are(recorded)} recorded; all are made anew" if holds != asked else None)
    if not missing:
        return Plan((), holds)
    obstacle = cannot_join(folder, stands, code_sha256(), versions())
    if obstacle is not None:
        return Plan(holds, holds, remark=_anew(recorded, holds, obstacle))
    remark = f"{_are(recorded)} recorded; computing {_listed(missing)}"
    return Plan(missing, holds, stands["data"]["embeddings_sha256"], remark)


def cannot_join(folder: Path, stands: Mapping[str, Any], code: str, current: Mapping[str, str]) -> str | None:
    """Say why seeds that are computed now cannot be added to a record; None if they can.

    Parameters
    ----------
    folder, stands
        Of a sound record, and what it holds.
    code, current
        The digest of the code, and the versions, that the new seeds are made with.
    """
    if stands["schema"] != shapes.SCHEMA or shapes.lacking(stands) or "embeddings_sha256" not in stands["data"]:
        return "by an older synaug"
    if stands["code"] != code:
        return "by another state of synaug's code"
    if stands["versions"] != current:
        names = sorted(
            name for name in {*stands["versions"], *current} if stands["versions"].get(name) != current.get(name)
        )
        return f"with other versions ({', '.join(names)})"
    if store.probabilities_file(folder, stands) is None:
        return "with probabilities that have been removed"
    return None


def _anew(recorded: Collection[int], holds: Collection[int], how: str) -> str:
    was = "was" if len(recorded) == 1 else "were"
    return f"{_named(recorded)} {was} recorded {how}; new seeds are not mixed with these: computing {_listed(holds)}"


def _are(seeds: Collection[int]) -> str:
    return f"{_named(seeds)} {'is' if len(seeds) == 1 else 'are'}"


def _named(seeds: Collection[int]) -> str:
    return f"seed{'' if len(seeds) == 1 else 's'} {_listed(seeds)}"


def _listed(seeds: Collection[int]) -> str:
    return ", ".join(map(str, seeds))
