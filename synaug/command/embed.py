"""Fill the cache of embeddings and stop: ``synaug embed dataset=ag_news encoder=minilm``.

The config is that of ``synaug run``, also with ``--multirun dataset=a,b``. Any number of processes,
on all machines that share the cache, may be given the same command: they share the texts out.
"""

import sys
from collections.abc import Sequence

from synaug.command import arguments
from synaug.files.escaping import make_console_safe

HELP = """\
synaug embed: fill the cache of embeddings and stop; runs then find all vectors there.

  synaug embed dataset=ag_news encoder=minilm
  synaug embed --multirun dataset=ag_news,trec encoder=minilm,bert_base
  synaug embed dataset=files dataset.path=mine.csv dataset.text=body dataset.label=topic

dataset=..., encoder=...   as for a run, with all of their settings (synaug run --help lists them)
cache_dir=FOLDER           where the cache is, if not in your own cache folder
threads=N                  torch's threads
hydra/launcher=...         with --multirun: processes or machines that share the work

What the cache has already is not encoded again. You may give the same command to several processes,
on all machines that share the cache: they share the work."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code; exit with 1 where a job failed, whose log then stays."""
    given = list(sys.argv[1:] if words is None else words)
    if arguments.parsed(given).help:
        make_console_safe()
        sys.stdout.write(f"{HELP}\n")
        return 0
    from synaug.command import fill_cache

    return fill_cache.perform(given)
