"""Texts to embeddings by sentence-transformers: a model's own modules (pooling, dense, normalise) and prompts."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaug import settings
from synaug.accelerator import in_halves
from synaug.encoder.devices import memory_for_one_text, placed
from synaug.encoder.library import LibraryEncoder
from synaug.encoder.model_files import MODEL_FILES, ModelFiles
from synaug.encoder.transformer import transformers_quiet
from synaug.errors import UserError
from synaug.files import sources
from synaug.files.digest import files_sha256
from synaug.settings import did_you_mean

if TYPE_CHECKING:
    import torch

TARGET = "synaug.encoder.SentenceTransformerEncoder"
PACKAGE, EXTRA = "sentence_transformers", "sentence-transformers"
OWN_MODULES = f"{PACKAGE}."
ROUTERS = ("router_config.json", "config.json")  # of a router, which has modules in folders of its own
SETTINGS = "config_sentence_transformers.json"  # of a model; its prompts, among others


class SentenceTransformerFiles(ModelFiles):
    """The files of a model of sentence-transformers: those of its modules, each in a folder of its own."""

    library = "sentence-transformers"
    option = "sentence_transformers"
    first_file = "modules.json"

    def digests(self) -> dict[str, str]:
        """Digest of all files that its modules may read."""
        self._require_files()
        return {"files_sha256": files_sha256(self._decisive(), self.folder)}

    @property
    def prompts(self) -> Mapping[str, str]:
        """The model's prompts by name."""
        path = self.folder / SETTINGS
        return dict(_json(path).get("prompts") or {}) if path.is_file() else {}

    def _require_files(self) -> None:
        path = self.folder / self.first_file
        if not path.is_file():
            raise UserError(
                f"{self.folder} holds no {self.first_file}: give the folder of a sentence-transformers model, or read "
                "a transformers model with encoder=huggingface"
            )
        modules = _json(path)
        if not isinstance(modules, list) or not all(isinstance(each, dict) for each in modules):
            raise UserError(f"{path} is no list of modules: save the model again with its save_pretrained")
        for module in modules:
            _refuse_foreign(path, module.get("type"))
            if not _stays_inside(str(module.get("path", ""))):
                raise UserError(f"{path} leads out of its folder ({module['path']}): use a model that is whole")
        for each in sorted(each for each in self._decisive() if each.name.endswith("config.json")):
            for named in _classes_named(_json(each)):
                _refuse_foreign(each, named)
        for folder in self._folders():
            if any(folder.glob("*.bin")) and not any(folder.glob("*.safetensors")):
                raise UserError(
                    f"{folder} holds no *.safetensors, and other weights may run code when loaded: convert them (the "
                    "library's save_pretrained writes safetensors)"
                )

    def _folders(self) -> list[Path]:
        """The model's folder, those of its modules, and those of the modules that a router among them has."""
        modules = _json(self.folder / self.first_file)
        found = {self.folder, *(self.folder / str(module.get("path", "")) for module in modules)}
        for path in [folder / name for folder in found for name in ROUTERS]:
            content = _json(path) if path.is_file() else {}
            if isinstance(content, dict) and "structure" in content and isinstance(content.get("types"), dict):
                found |= {path.parent / name for name in content["types"] if _stays_inside(name)}
        return sorted(found)

    def _decisive(self) -> set[Path]:
        inside = (folder.rglob if folder != self.folder else folder.glob for folder in self._folders())
        return {path for each in inside for path in chain(*map(each, MODEL_FILES)) if path.is_file()}


class SentenceTransformerEncoder(LibraryEncoder):
    """A model of sentence-transformers [1]_, by that library. Nothing is loaded before the first text.

    Embeddings are the library's own `encode`'s, but for the last digits: those depend on which texts share a batch.

    Parameters
    ----------
    model, revision
        A hub id and a commit, or a local folder; see `synaug.encoder.model_files.ModelFiles`.
    prompt_name
        Which of the model's prompts goes before each text; None: the model's default, if it has one.
    prompt
        A prompt of your own instead; an empty one is none at all.
    max_length
        Tokens of a text that are read, special tokens included; None: as many as the model is set to.
    normalize
        Scale each embedding to Euclidean length 1, also where the model does not.
    batch_size
        Texts in a batch.
    device
        One, or a list with a copy of the model on each; None for all GPUs, or the best there is.

    References
    ----------
    .. [1] Reimers and Gurevych, "Sentence-BERT: sentence embeddings using Siamese BERT-networks", EMNLP 2019.
    """

    package, extra = PACKAGE, EXTRA
    files: SentenceTransformerFiles

    def __init__(
        self,
        *,
        model: str,
        revision: str | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        max_length: int | None = None,
        normalize: bool = False,
        batch_size: int = 32,
        device: str | Sequence[str] | None = None,
    ) -> None:
        given = {
            "model": model,
            "revision": revision,
            "prompt_name": prompt_name,
            "prompt": prompt,
            "max_length": max_length,
            "normalize": normalize,
            "batch_size": batch_size,
            "device": device,
        }
        settings.require("encoder", settings.OF_A_TARGET[TARGET], given)
        if prompt_name is not None and prompt is not None:
            raise UserError(
                f"encoder.prompt_name={prompt_name} and encoder.prompt={prompt} are two prompts: leave one of them out"
            )
        self.model = model
        self.files = SentenceTransformerFiles(model, revision)
        self.prompt_name = prompt_name
        self.prompt = prompt
        self.max_length = max_length
        self.normalize = normalize
        self.batch_size = batch_size
        self._models: list[Any] = []
        self.device = device

    def look(self) -> None:
        """Find out cheaply whether library, model and prompt are there.

        Raises
        ------
        UserError
            If they are not.
        """
        super().look()
        if self.files.is_local:
            self._require_prompt()

    def identity(self) -> dict[str, Any]:
        """What decides the numbers: the model's files, the settings, and the library's release.

        Raises
        ------
        UserError
            If the library is not installed.
        """
        return self._identity(
            prompt_name=self.prompt_name, prompt=self.prompt, max_length=self.max_length, normalize=self.normalize
        )

    def _require_prompt(self) -> None:
        prompts = self.files.prompts
        if self.prompt_name is not None and self.prompt_name not in prompts:
            near = did_you_mean(self.prompt_name, prompts, "") or (
                f": choose among {', '.join(prompts)}" if prompts else ": leave it out, as the model has none"
            )
            raise UserError(f"encoder.prompt_name={self.prompt_name} is no prompt of {self.model}{near}")

    @cached_property
    def _loaded(self) -> "tuple[Any, list[torch.device]]":
        sources.require_package(PACKAGE, extra=EXTRA)
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer

        self.files.digests()  # fails here, in one sentence, where files are missing or no safetensors
        self._require_prompt()
        try:
            model = SentenceTransformer(
                str(self.files.folder),
                device="cpu",
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
            raise self._unloadable(error) from error
        if self.max_length is not None:
            longest = model.max_seq_length
            if longest is not None and self.max_length > longest:
                raise UserError(
                    f"encoder.max_length={self.max_length} is more than the {longest} tokens {self.model} reads: "
                    "lower it"
                )
            model.max_seq_length = self.max_length
        devices = placed(model, self.device)
        return model.eval(), devices

    def _at_work(self, most: int) -> list[Any]:
        """The model on each device; on one CPU, for each of torch's threads one that shares all weights with it.

        A tokenizer cannot be used by two threads at a time, so each has its own. There are no more than `most`.
        """
        import torch

        model, devices = self._loaded
        if not self._models:
            self._models = [model, *(copy.deepcopy(model).to(device) for device in devices[1:])]
        if len(devices) == 1 and devices[0].type == "cpu":
            weights = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
            lacking = min(most, torch.get_num_threads()) - len(self._models)
            self._models += [copy.deepcopy(model, dict(weights)) for _ in range(lacking)]
            return self._models[: min(most, torch.get_num_threads())]
        return self._models[:most]

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], object] = lambda done: None
    ) -> NDArray[np.float32]:
        """Make vectors of texts in batches of like length, as many at a time as there are cores or GPUs.

        The batches, and so the numbers, are the same however many are worked on at a time.

        Parameters
        ----------
        texts
            `n` texts; equal ones are encoded once.
        progress
            Called after each batch, in the caller's thread, with the characters done in it.

        Returns
        -------
        ndarray
            float32 `[n, d]`, in the order of `texts`.
        """
        with transformers_quiet():
            return self._encode(texts, progress)

    def _encode(self, texts: Sequence[str], progress: Callable[[int], object]) -> NDArray[np.float32]:
        from synaug.encoder.workers import share_out

        distinct = list(dict.fromkeys(texts)) or [""]  # of no texts, the width is asked for
        order = sorted(range(len(distinct)), key=lambda row: (-len(distinct[row]), row))
        batches = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]

        def read(model: Any, batch: list[int]) -> NDArray[np.float32]:
            rows = model.encode(
                [distinct[row] for row in batch],
                prompt_name=self.prompt_name,
                prompt=self.prompt,
                batch_size=len(batch),
                normalize_embeddings=self.normalize,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
            return np.asarray(rows, dtype=np.float32)

        def embed(model: Any, batch: list[int]) -> NDArray[np.float32]:
            with memory_for_one_text(model.device, "encoder.max_length"):
                return np.concatenate(in_halves(lambda rows: read(model, rows), batch))

        blocks, done = [], []
        for batch, block in share_out(embed, batches, self._at_work(len(batches))):
            blocks.append(block)
            done += batch
            progress(sum(len(distinct[row]) for row in batch))
        row_of = {distinct[row]: place for place, row in enumerate(done)}
        embeddings: NDArray[np.float32] = np.concatenate(blocks)[[row_of[text] for text in texts]]
        return embeddings


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read as JSON ({error}): save the model again") from error


def _refuse_foreign(path: Path, named: object) -> None:
    if not str(named).startswith(OWN_MODULES):
        raise UserError(
            f"{path} names {named}, code that is not sentence-transformers' own and is never run: use a model of its "
            "own modules"
        )


def _classes_named(content: Any) -> list[Any]:
    """Classes that a module's config names, which the library loads: not every release asks whose they are."""
    if not isinstance(content, dict):
        return []
    types = content.get("types") if "structure" in content else None  # of a router's own modules
    tokenizer = content.get("tokenizer_class")  # of word embeddings; those of transformers are names without a dot
    found = [] if not types else list(types.values()) if isinstance(types, dict) else [types]
    return [*found, *([tokenizer] if isinstance(tokenizer, str) and "." in tokenizer else [])]


def _stays_inside(path: str) -> bool:
    parts = PurePosixPath(path.replace("\\", "/"))
    return not parts.is_absolute() and ".." not in parts.parts and ":" not in path
