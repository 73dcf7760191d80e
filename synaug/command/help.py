"""What ``--help`` prints."""

import re
from pathlib import Path

from synaug.command import user_configs
from synaug.settings import conf_dir


def help_text(config_dir: str | None = None) -> str:
    """What ``--help`` prints: each group, its options, and the first comment line of each option's file.

    Parameters
    ----------
    config_dir
        The user's ``--config-dir``, whose options are listed, too.
    """
    lines = [
        "synaug: do synthetic minority embeddings help, which method, and does it beat the best without synthesis?",
        "",
        "  python -m synaug augmenter=adasyn dataset=ag_news",
        "  python -m synaug --multirun augmenter=none,smote,adasyn dataset=rotten_tomatoes,trec",
        "",
    ]
    roots = [conf_dir(), *([Path(config_dir)] if config_dir else [])]
    groups = {path.parent.relative_to(root).as_posix() for root in roots for path in root.glob("**/*.yaml")} - {"."}
    for group in sorted(groups):
        lines.append(f"{group}=")
        options = {path.stem: path for root in roots for path in root.glob(f"{group}/*.yaml")}
        lines += [f"  {name:<17} {_first_comment(path)}" for name, path in sorted(options.items())]
        lines.append("")
    lines.append("Settings (group.key=value changes one of an option; --cfg job shows them all):")
    for line in (conf_dir() / "config.yaml").read_text(encoding="utf-8").splitlines():
        setting = re.match(r"(\w+): *(\S.*?) +# (.*)", line)
        if setting:
            lines.append("  {:<36}{}".format(f"{setting[1]}={setting[2]}", setting[3]))
    lines += ["", "Configs of your own: --config-dir FOLDER. Hydra's own flags: --hydra-help."]
    return "\n".join(lines)


def _first_comment(path: Path) -> str:
    if (problem := user_configs.problem_of(path)) is not None:
        return f"(cannot be used: {problem})"
    with path.open(encoding="utf-8") as file:
        lines = (line for line in file if not line.startswith("# @"))  # Hydra's own header
        return next(lines, "").removeprefix("#").strip()
