"""Maps of real and synthetic rows of one split of each scenario: ``synaug maps multirun/mine``.

What is drawn, and how, is `synaug.command.drawn_rows`'s. The next report of the folder shows the maps
(``synaug report multirun/mine``).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from synaug.command.arguments import Arguments
from synaug.command.explain_rows import reported, where_from
from synaug.files.escaping import make_console_safe

DEFAULT_KINDS, DEFAULT_MOST = "umap,pca", 1000


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    command_line = argparse.ArgumentParser(
        prog="synaug maps",
        description="Draw real and synthetic rows of one split of each scenario; the next report shows them.",
    )
    command_line.add_argument("folder", type=Path, metavar="FOLDER", help="of an experiment, multirun/mine")
    command_line.add_argument(
        "settings", nargs="*", metavar="KEY=VALUE", help="where files are: dataset.path=…, cache_dir=…; or threads=…"
    )
    command_line.add_argument("--scenario", metavar="TEXT", help="only scenarios whose name contains it")
    command_line.add_argument(
        "--seed", type=int, metavar="S", help="of the split; if not given, the lowest that all methods have"
    )
    command_line.add_argument("--fold", type=int, default=0, metavar="F", help="of the split (%(default)s)")
    command_line.add_argument(
        "--kind", default=DEFAULT_KINDS, metavar="A,B", help="projections, from umap, pca and tsne (%(default)s)"
    )
    command_line.add_argument(
        "--most",
        type=int,
        default=DEFAULT_MOST,
        metavar="N",
        help="draw at most N real rows, and at most N rows of each method; small classes are drawn whole, and parents "
        "of drawn rows come first (%(default)s)",
    )
    command_line.add_argument(
        "--texts", action="store_true", help="put the texts of real rows into the file and onto the page, too"
    )
    where_from(command_line)
    return command_line


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    make_console_safe()
    asked = parser().parse_intermixed_args(sys.argv[1:] if words is None else words)

    def work() -> None:
        from synaug.command.drawn_rows import draw

        draw(asked)

    return reported(work, Arguments(tuple(asked.settings), config_dir=asked.config_dir))
