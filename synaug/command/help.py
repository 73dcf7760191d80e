"""What ``synaug run --help`` prints."""

import re
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path

from synaug.settings import conf_dir

# What an augmenter makes rows from, as the second line of its file says; in this order.
FAMILIES = (
    "nothing",
    "repetition and removal",
    "interpolation",
    "towards other classes",
    "fitted distributions",
    "generative models",
    "from elsewhere",
)
WITHOUT_FAMILY = "other"
NAME_WIDTH = 17


def help_text(config_dir: str | None = None) -> str:
    """What ``synaug run --help`` prints: each group, its options, and the first comment line of each option's file.

    Augmenters stand by family, which a line ``# family: ...`` of their file names.

    Parameters
    ----------
    config_dir
        The user's ``--config-dir``, whose options are listed, too.
    """
    lines = [
        "synaug: do synthetic minority embeddings help, which method, and does it beat the best without synthesis?",
        "",
        "  synaug augmenter=adasyn dataset=ag_news",
        "  synaug --multirun augmenter=none,smote,adasyn dataset=rotten_tomatoes,trec",
        "",
    ]
    roots = [conf_dir(), *([Path(config_dir)] if config_dir else [])]
    groups = {path.parent.relative_to(root).as_posix() for root in roots for path in root.glob("**/*.yaml")} - {"."}
    for group in sorted(groups):
        lines.append(f"{group}=")
        options = {path.stem: path for root in roots for path in root.glob(f"{group}/*.yaml")}
        lines += [*(_by_family(options) if group == "augmenter" else _listed(options)), ""]
    lines.append("Settings (group.key=value changes one of an option; --cfg job shows them all):")
    for line in (conf_dir() / "config.yaml").read_text(encoding="utf-8").splitlines():
        setting = re.match(r"(\w+): *(\S.*?) +# (.*)", line)
        if setting:
            lines.append("  {:<36}{}".format(f"{setting[1]}={setting[2]}", setting[3]))
    lines += [
        "",
        "Configs of your own: --config-dir FOLDER. Hydra's own flags: --hydra-help. Other commands: synaug --help.",
    ]
    return "\n".join(lines)


def _listed(options: Mapping[str, Path], indent: str = "  ") -> list[str]:
    return [f"{indent}{name:<{NAME_WIDTH}} {_first_comment(path)}" for name, path in sorted(options.items())]


def _by_family(options: Mapping[str, Path]) -> list[str]:
    """Options under the name of their family: ours, then those that users have given a name, then those without."""
    families: dict[str, dict[str, Path]] = {name: {} for name in FAMILIES}
    for name, path in sorted(options.items(), key=lambda option: family(option[1])):
        families.setdefault(family(path), {})[name] = path
    families[WITHOUT_FAMILY] = families.pop(WITHOUT_FAMILY, {})
    lines = []
    for name, members in families.items():
        if members:
            lines += [f"  {name}:", *_listed(members, "    ")]
    return lines


def family(path: Path) -> str:
    """What a line ``# family: ...`` among the comments that an augmenter's file begins with says; else "other"."""
    if _problem_of(path) is not None:
        return WITHOUT_FAMILY
    for line in takewhile(lambda line: line.startswith("#"), path.read_text(encoding="utf-8").splitlines()):
        said = re.match(r"#\s*family:\s*(\S.*?)\s*$", line)
        if said:
            return said[1]
    return WITHOUT_FAMILY


def _problem_of(path: Path) -> str | None:
    """What is wrong with a file of the user's; those that synaug brings are right, and need no YAML to be imported."""
    if path.is_relative_to(conf_dir()):
        return None
    from synaug.command import user_configs

    return user_configs.problem_of(path)


def _first_comment(path: Path) -> str:
    if (problem := _problem_of(path)) is not None:
        return f"(cannot be used: {problem})"
    with path.open(encoding="utf-8") as file:
        lines = (line for line in file if not line.startswith("# @"))  # Hydra's own header
        return next(lines, "").removeprefix("#").strip()
