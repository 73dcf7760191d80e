"""A data set of the Hugging Face hub, of a mirror of it, or of the package that stands in offline."""

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from synaug.dataset.class_names import names_of_classes
from synaug.dataset.columns import find_column
from synaug.dataset.groups import group_names
from synaug.dataset.package import PackageDataset
from synaug.dataset.texts import Rows, TextSource
from synaug.errors import UserError
from synaug.files import sources
from synaug.files.digest import files_sha256
from synaug.settings import names

log = logging.getLogger(__name__)

OFFLINE_FLAG = "HF_HUB_OFFLINE"  # of datasets.config


class HubDataset(TextSource):
    """A data set of the Hugging Face hub, or its copy in a mirror.

    Where the environment variable ``SYNAUG_DATA`` names a folder that holds `hub_id`, that copy is
    loaded by the same call instead.

    Parameters
    ----------
    hub_id, config, revision
        What ``datasets.load_dataset`` is given; the revision does not apply to a mirror.
    splits
        The splits whose rows are pooled.
    text, label
        The columns read; the label column holds class indices.
    class_names
        Expected names of labels 0, 1, …
    offline
        Read instead where there is neither a mirror nor the hub; None if there is nothing.
    """

    def __init__(
        self,
        *,
        hub_id: str,
        splits: Sequence[str],
        text: str,
        label: str,
        class_names: Sequence[str],
        config: str | None = None,
        revision: str | None = None,
        offline: PackageDataset | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        if not isinstance(hub_id, str) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", hub_id) or ".." in hub_id:
            raise UserError(f"dataset.hub_id={hub_id} must be the hub's OWNER/NAME of a data set")
        for setting, value in (("config", config), ("revision", revision)):
            if value is not None and (not isinstance(value, str) or not value):
                raise UserError(f"dataset.{setting}={value} must be text, or null for the hub's default: quote it")
        for setting, value in (("text", text), ("label", label)):
            if not names.is_written(value):
                raise UserError(f"dataset.{setting}={value} must be the name of one column")
        is_list = isinstance(splits, Sequence) and not isinstance(splits, str)
        if not is_list or not splits or not all(isinstance(split, str) for split in splits):
            raise UserError(f"dataset.splits={splits} must be a list of splits' names, e.g. [train, test]")
        if len(set(splits)) < len(splits):
            raise UserError(f"dataset.splits={list(splits)} names one twice: name each once")
        self.hub_id = hub_id
        self.config = config
        self.revision = revision
        self.splits = list(splits)
        self.text = text
        self.label = label
        self.class_names = names_of_classes(class_names)
        if not isinstance(offline, PackageDataset | None):
            raise UserError(
                f"dataset.offline must be a synaug.dataset.PackageDataset or null, and {type(offline).__name__} is "
                "neither: leave dataset.offline as it is in --cfg job"
            )
        self.offline = offline

    @property
    def mirror(self) -> Path | None:
        """The mirror's copy, where there is one.

        Raises
        ------
        UserError
            If SYNAUG_DATA names no folder.
        """
        root = os.environ.get("SYNAUG_DATA")
        if not root:
            return None
        try:
            folder = Path(root).expanduser()
            is_folder = folder.is_dir()
        except (OSError, RuntimeError):  # a name that is too long; ~somebody who has no home
            is_folder = False
        if not is_folder:
            raise UserError(f"SYNAUG_DATA={root} is not a folder: correct it, or unset it to use the hub")
        return folder / self.hub_id if (folder / self.hub_id).is_dir() else None

    @cached_property
    def _hub_answers(self) -> bool:
        """Whether the hub can be reached: one answer for all that a run does with these texts."""
        return sources.hub_answers()

    def source(self) -> str:
        """The mirror's digest, the pinned revision, or the package's digest."""
        mirror = self.mirror
        if mirror:
            return self._digest_of(mirror)
        if self.offline and not self._hub_answers:
            return self.offline.source()
        return f"hub:{self.hub_id}@{self.revision or 'main'}"

    def _digest_of(self, mirror: Path) -> str:
        try:
            # Every file that is not hidden: the data's format is the mirror's affair, and a README declares splits.
            names_there = [path.relative_to(mirror) for path in mirror.rglob("*") if path.is_file()]
            files = [mirror / name for name in names_there if not any(part.startswith(".") for part in name.parts)]
            return f"mirror:{self.hub_id}:sha256:{files_sha256(files, mirror)}"
        except OSError as error:
            raise UserError(
                f"{error.filename or mirror} cannot be read ({error.strerror or error}): mend its access rights, or "
                "unset SYNAUG_DATA to use the hub"
            ) from error

    def look(self) -> None:
        """Find the mirror's copy, where one is named; the hub is not asked.

        Raises
        ------
        UserError
            If SYNAUG_DATA names no folder.
        """
        _ = self.mirror

    def read(self) -> Rows:
        """Pool the splits.

        Raises
        ------
        UserError
            If the hub is out of reach and neither a mirror nor a package holds the data.
        UserError
            If a split or a column is absent, a label names no class, the class names are not the
            expected ones, or the hub has no such data set.
        """
        if not self.mirror and self.offline and not self._hub_answers:
            log.warning(
                "the hub is out of reach: %s comes from the package %s, whose %s rows are a part of the whole",
                self.name,
                self.offline.package,
                self.offline.origin,
            )
            if self.group is not None:
                raise UserError(
                    f"dataset.group={names.as_yaml(self.group)} is a column of {self.hub_id}, and the package "
                    f"{self.offline.package} has not got it: go online, or leave dataset.group out"
                )
            return self.offline.read()
        loaded = self._load_dataset()
        absent = [split for split in self.splits if split not in loaded]
        if absent:
            raise UserError(f"{self.hub_id} has no split {absent[0]!r}, only {sorted(loaded)}: mend dataset.splits")
        texts: list[str | None] = []
        labels: list[int] = []
        groups: list[str | None] | None = None if self.group is None else []
        for split in self.splits:
            rows = loaded[split]
            text, label = (
                find_column(column, rows.column_names, f"split {split!r} of {self.hub_id}", f"dataset.{setting}")
                for setting, column in (("text", self.text), ("label", self.label))
            )
            known = getattr(rows.features[label], "names", None)
            if known is not None and tuple(known) != self.class_names:
                raise UserError(
                    f"{self.hub_id} names its classes {known}, but the config says {list(self.class_names)}: "
                    "mend dataset.class_names"
                )
            texts += rows[text]
            labels += rows[label]
            if groups is not None:
                where = f"split {split!r} of {self.hub_id}"
                column = find_column(self.group, rows.column_names, where, "dataset.group")
                groups += group_names(rows[column], column, where)
        strange = next((row for row, text in enumerate(texts) if not isinstance(text, str | None)), None)
        if strange is not None:
            raise UserError(
                f"row {strange + 1} of {self.hub_id} has {names.described(texts[strange])} in column "
                f"{self.text!r}, which must hold text: mend dataset.text"
            )
        indices = range(len(self.class_names))
        wrong = [row for row, label in enumerate(labels) if not isinstance(label, int) or label not in indices]
        if wrong:
            raise UserError(
                f"row {wrong[0] + 1} of {self.hub_id} has the label {labels[wrong[0]]!r}, which is no index of "
                f"dataset.class_names: pool labelled splits only (dataset.splits={self.splits})"
            )
        return Rows([text or "" for text in texts], labels, self.class_names, groups)

    def _load_dataset(self) -> Any:
        import datasets
        from datasets.exceptions import DatasetsError

        mirror = self.mirror
        # A mirror needs no hub. If the hub does not answer, read its cache at once instead of waiting for retries.
        reachable = mirror is not None or self._hub_answers
        try:
            with _hub_left_alone(mirror is not None or not reachable):
                if mirror:
                    return datasets.load_dataset(str(mirror), self.config)
                return datasets.load_dataset(self.hub_id, self.config, revision=self.revision)
        except (OSError, ValueError, RuntimeError, DatasetsError) as error:
            reason = " ".join(str(error).split())
            if mirror:
                raise UserError(
                    f"{mirror} cannot be loaded ({reason}): mend this copy, or unset SYNAUG_DATA to use the hub"
                ) from error
            if reachable and not isinstance(error, ConnectionError):
                raise UserError(
                    f"the hub's {self.hub_id} cannot be loaded ({reason}): check dataset.hub_id, dataset.config and "
                    "dataset.revision"
                ) from error
            root = os.environ.get("SYNAUG_DATA")
            raise UserError(
                f"the hub is out of reach and {self.hub_id} is not in its cache: go online, or set SYNAUG_DATA to a "
                f"folder that holds {self.hub_id}" + (f" ({root} does not)" if root else "")
            ) from error


@contextmanager
def _hub_left_alone(wanted: bool) -> Iterator[None]:
    """Have ``datasets`` ask the hub nothing meanwhile, if so wanted, and read its cache at once.

    Its flag is not public: where it is gone, the hub is asked several times in vain, and then the cache is read.
    """
    from datasets import config

    before = getattr(config, OFFLINE_FLAG, None)
    if not wanted or before is None:
        yield
        return
    setattr(config, OFFLINE_FLAG, True)
    try:
        yield
    finally:
        setattr(config, OFFLINE_FLAG, before)
