"""A data set of the Hugging Face hub, of a mirror of it, or of the package that stands in offline."""

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from synaug.dataset.package import PackageDataset
from synaug.dataset.texts import TextSource, require_column
from synaug.digest import files_sha256

log = logging.getLogger(__name__)

HUB_TIMEOUT_SECONDS = 10


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
        self.hub_id = hub_id
        self.config = config
        self.revision = revision
        self.splits = list(splits)
        self.text = text
        self.label = label
        self.class_names = tuple(class_names)
        self.offline = offline

    @property
    def mirror(self) -> Path | None:
        """The mirror's copy, where there is one."""
        root = os.environ.get("SYNAUG_DATA")
        folder = Path(root, self.hub_id) if root else None
        return folder if folder and folder.is_dir() else None

    def source(self) -> str:
        """The mirror's digest, the pinned revision, or the package's digest."""
        if self.mirror:
            files = [path for path in self.mirror.rglob("*.parquet") if path.is_file()]
            return f"mirror:{self.hub_id}:sha256:{files_sha256(files, self.mirror)}"
        if self.offline and not hub_answers():
            return self.offline.source()
        return f"hub:{self.hub_id}@{self.revision or 'main'}"

    def read(self) -> tuple[list[str], list[int], tuple[str, ...]]:
        """Pool the splits.

        Raises
        ------
        ConnectionError
            If the hub is out of reach and neither a mirror nor a package holds the data.
        ValueError
            If a column is absent, a label is missing or the class names are not the expected ones.
        """
        if not self.mirror and self.offline and not hub_answers():
            log.warning(
                "the hub is out of reach: %s comes from the package %s, whose %s rows are a part of the whole",
                self.name,
                self.offline.package,
                self.offline.origin,
            )
            return self.offline.read()
        loaded = self._load_dataset()
        absent = [split for split in self.splits if split not in loaded]
        if absent:
            raise ValueError(f"{self.hub_id} has no split {absent[0]!r}, only {sorted(loaded)}: mend dataset.splits")
        texts: list[str] = []
        labels: list[int] = []
        for split in self.splits:
            rows = loaded[split]
            for column in (self.text, self.label):
                require_column(column, rows.column_names, f"split {split!r} of {self.hub_id}")
            names = getattr(rows.features[self.label], "names", None)
            if names is not None and tuple(names) != self.class_names:
                raise ValueError(f"{self.hub_id} names its classes {names}, but the config says {self.class_names}")
            texts += rows[self.text]
            labels += rows[self.label]
        wrong = [row for row, label in enumerate(labels) if label is None or not 0 <= label < len(self.class_names)]
        if wrong:
            raise ValueError(
                f"row {wrong[0] + 1} of {self.hub_id} has the label {labels[wrong[0]]}, which names no class: "
                f"pool labelled splits only (dataset.splits={self.splits})"
            )
        return texts, labels, self.class_names

    def _load_dataset(self) -> Any:
        import datasets

        if self.mirror:
            return datasets.load_dataset(str(self.mirror), self.config)
        offline = datasets.config.HF_HUB_OFFLINE
        # Without an answer from the hub only a copy in its own cache is left; do not wait for retries.
        datasets.config.HF_HUB_OFFLINE = offline or not hub_answers()
        try:
            return datasets.load_dataset(self.hub_id, self.config, revision=self.revision)
        except (ConnectionError, FileNotFoundError) as error:
            raise ConnectionError(
                f"the hub is out of reach and {self.hub_id} is not in its cache: connect, or set SYNAUG_DATA to a "
                f"folder that holds {self.hub_id}"
            ) from error
        finally:
            datasets.config.HF_HUB_OFFLINE = offline


@lru_cache(maxsize=1)
def hub_answers() -> bool:
    """Whether the Hugging Face hub can be reached; asked once a process."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        urllib.request.urlopen(endpoint, timeout=HUB_TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
