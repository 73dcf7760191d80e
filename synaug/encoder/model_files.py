"""Where a pretrained model's files lie, and their digests: package, folder or hub; safetensors only."""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from synaug.errors import UserError
from synaug.files import sources
from synaug.files.digest import file_sha256, files_sha256, json_sha256

# As the hub itself has it: a name, or a user's or organisation's name before it.
HUB_ID = r"\w[\w.-]*(/\w[\w.-]*)?"
MODEL_FILES = ["*.safetensors", "*.json", "*.txt", "*.model"]
VOCABULARY_FILES = ["tokenizer.json", "vocab*", "*.model"]
TOKENIZER_FILES = [
    *VOCABULARY_FILES,
    "tokenizer_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
]


class ModelFiles:
    """The files of a model that an encoder reads; nothing is fetched before it is asked for.

    Parameters
    ----------
    model
        A hub id or a local folder.
    revision
        Commit of the hub's repository.
    package
        An installed package that carries the model, as ``package/folder``; read instead of the hub.
    sha256
        What ``model.safetensors`` must hash to, where that is pinned.
    """

    library = "transformers"  # whose models these are
    option = "huggingface"  # which reads any of them
    first_file = "config.json"  # by which one of them is known

    def __init__(
        self, model: str, revision: str | None = None, package: str | None = None, sha256: str | None = None
    ) -> None:
        self.model = model
        self.revision = revision
        self.package = package
        self.sha256 = sha256

    def source(self) -> str:
        """Name the model cheaply: its files' digest where they are local, else the pinned revision."""
        if self.package or Path(self.model).expanduser().is_dir():
            return f"sha256:{json_sha256(self.digests())}"
        return f"hub:{self.model}@{self.revision or 'main'}"

    @cached_property
    def folder(self) -> Path:
        """Where the model's files lie; fetched from the hub if need be.

        Raises
        ------
        UserError
            If the package that carries the model is not installed.
        UserError
            If a path was given and there is no such folder.
        UserError
            If the hub is out of reach and the model is not in its cache.
        UserError
            If the hub has no such model.
        """
        if self.package:
            name, _, inside = self.package.partition("/")
            return sources.package_path(name, inside, extra="demo")
        local = Path(self.model).expanduser()
        if local.is_dir():
            return local
        if not re.fullmatch(HUB_ID, self.model):
            raise UserError(f"encoder.model={self.model} is not a folder: give one, or a hub id")
        return self._snapshot()

    @property
    def is_local(self) -> bool:
        """Whether the model's files are here, or should be: what cannot be a hub id is a path."""
        is_id = re.fullmatch(HUB_ID, self.model) is not None
        return bool(self.package) or not is_id or Path(self.model).expanduser().is_dir()

    def look(self) -> None:
        """Find out whether the model is there at all: nothing is fetched, and no weights are read.

        Raises
        ------
        UserError
            If there is no such folder or package, its files are not those of a model, or the hub would be needed
            and is out of reach.
        """
        if self.is_local:
            self._require_files()
        elif not self._is_cached() and not sources.hub_answers():
            raise UserError(self._out_of_reach())

    def _is_cached(self) -> bool:
        """Whether the hub's own cache has the model, in the revision that is asked for."""
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            return isinstance(try_to_load_from_cache(self.model, self.first_file, revision=self.revision), str)
        except HFValidationError:  # whoever loads it will say so
            return False

    def _require_files(self) -> None:
        if not (self.folder / self.first_file).is_file():
            raise UserError(f"{self.folder} holds no {self.first_file}: give the folder of a {self.library} model")
        if not any(self.folder.glob("*.safetensors")):
            raise UserError(
                f"{self.folder} holds no *.safetensors, and other weights may run code when loaded: "
                f"convert them (save_pretrained of {self.library} writes safetensors)"
            )

    def _out_of_reach(self) -> str:
        return (
            f"the hub is out of reach and {self.model} is not in its cache: connect, or use a local copy with "
            f"encoder={self.option} encoder.model=FOLDER, or encoder=minilm, which needs no network "
            "(data sets have their own mirror, SYNAUG_DATA)"
        )

    def _snapshot(self) -> Path:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        try:
            return Path(
                snapshot_download(
                    self.model,
                    revision=self.revision,
                    allow_patterns=MODEL_FILES,
                    local_files_only=not sources.hub_answers(),
                )
            )
        except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"encoder.model={self.model} is neither a folder nor a model of the hub ({reason}): correct it"
            ) from error
        except (LocalEntryNotFoundError, HfHubHTTPError) as error:
            raise UserError(self._out_of_reach()) from error

    @cached_property
    def weights_sha256(self) -> str:
        """Digest of the safetensors.

        Raises
        ------
        UserError
            If there are none, or they are not those that were pinned.
        """
        self._require_files()
        files = sorted(self.folder.glob("*.safetensors"))
        if self.sha256 is None:
            return files_sha256(files, self.folder)
        digests = {path.name: file_sha256(path) for path in files}
        if digests.get("model.safetensors") != self.sha256:
            raise UserError(
                f"{self.folder / 'model.safetensors'} has sha256 {digests.get('model.safetensors')}, but {self.sha256} "
                "was pinned: reinstall the package that carries it"
            )
        return self.sha256

    def digests(self) -> dict[str, str]:
        """Digests of the files that decide the numbers."""
        self._require_files()
        return {
            "weights_sha256": self.weights_sha256,
            "config_sha256": file_sha256(self.folder / "config.json"),
            "tokenizer_sha256": files_sha256(self.like(TOKENIZER_FILES), self.folder),
        }

    def like(self, patterns: Sequence[str]) -> set[Path]:
        """Files whose names match one of the patterns."""
        return {path for pattern in patterns for path in self.folder.glob(pattern)}
