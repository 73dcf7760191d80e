"""What ``synaug embed`` does (`synaug.command.embed`): each job encodes the texts that the cache lacks."""

import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf

from synaug import record
from synaug.command import app
from synaug.command.check.parts import check_parts
from synaug.command.check.settings import check_settings
from synaug.files import escaping
from synaug.sweep import status

if TYPE_CHECKING:
    from synaug.embeddings.cache import EmbeddingCache

SCRATCH = "SYNAUG_EMBED_FOLDER"  # names the folder of Hydra's own files, whatever process a job runs in
# What Hydra wants a folder for goes when the command has ended well, and no run's folder is made.
OVERRIDES = (
    "report=false",
    "hydra.output_subdir=null",
    "hydra.run.dir='${synaug.embed_folder:${cache_dir}}'",
    "hydra.sweep.dir='${synaug.embed_folder:${cache_dir}}'",
    "hydra.sweep.subdir='${hydra:runtime.choices.dataset}-${hydra:runtime.choices.encoder}-${hydra:job.num}'",
)
_folders: set[Path] = set()


def scratch_folder(cache_dir: str | None) -> str:
    """Where this command and its jobs leave files for a while: beside the cache, which machines share."""
    from synaug.embeddings.cache import cache_folder

    folder = cache_folder(cache_dir).absolute() / os.environ[SCRATCH]
    _folders.add(folder)
    return str(folder)


OmegaConf.register_new_resolver("synaug.embed_folder", scratch_folder, replace=True)


def fill(config: DictConfig) -> status.Ended:
    """One job: encode the texts that the cache lacks, and say so in a line; how it ended, as
    `synaug.command.job.task` does.
    """
    check_parts(config, check_settings(config))
    from synaug.embeddings.cache import EmbeddingCache, cache_folder
    from synaug.encoder.workers import torch_threads
    from synaug.pipeline import load

    loaded = load(config)
    cache = EmbeddingCache(loaded.encoder, cache_folder(config.cache_dir))
    with torch_threads(config.threads):
        embeddings = cache.embeddings_of(loaded.texts, progress_bar=config.trainer.enable_progress_bar)
    n_rows, width = embeddings.shape
    said = summary(n_rows, cache)
    if loaded.texts.vectors is not None:
        said = f"nothing to embed, as all {n_rows:,} rows have vectors of their own ({width:,} numbers each)"
    escaping.say(f"{loaded.texts.title}: {said}\n")
    return status.Ended(status.DONE)


def summary(n_texts: int, cache: "EmbeddingCache") -> str:
    """``9,000 texts, 512 of them encoded here in 12.1 s (5,210 tokens/s, 118 GFLOP/s), all in FOLDER``."""
    done = cache.encoded
    rates = []
    if done.seconds and done.tokens is not None:
        rates.append(f"{done.tokens / done.seconds:,.0f} tokens/s")
    if done.seconds and done.flops is not None:
        rates.append(f"{done.flops / done.seconds / 1e9:,.0f} GFLOP/s")
    how = f" in {done.seconds:.1f} s" if done.texts else ""
    rate = f" ({', '.join(rates)})" if rates else ""
    return f"{n_texts:,} texts, {done.texts:,} of them encoded here{how}{rate}, all in {cache.folder}"


def perform(words: Sequence[str]) -> int:
    """Run a command line, and return 0; exit with 1 where a job failed, whose log then stays beside the cache."""
    os.environ[SCRATCH] = f".embed-{platform.node()}-{os.getpid()}"
    try:
        return app.main(words, fill, first=OVERRIDES)
    finally:
        for folder in _folders:
            if not any(folder.rglob(record.FAILURE)):
                shutil.rmtree(folder, ignore_errors=True)
        _folders.clear()
        del os.environ[SCRATCH]
