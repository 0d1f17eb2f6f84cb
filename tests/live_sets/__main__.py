"""What is wrong with Live sets, ours or those that Live has saved.

usage: python -m tests.live_sets PATH.als ...
Exits with 1 if something is wrong that holds whoever saves a set, with 2 for what is no set. Samples are looked for
where the folder of the set is that of a project.
"""

import sys
from pathlib import Path

from tests.live_sets.checker import judged
from tests.live_sets.reading import Unreadable
from tests.live_sets.samples import MARKER


def main(arguments: list[str]) -> int:
    """Judge each set; the exit code."""
    if not arguments:
        print(__doc__)
        return 2
    return max(_print_judgement(Path(argument)) for argument in arguments)


def _print_judgement(path: Path) -> int:
    is_project = (path.parent / MARKER).is_dir()
    try:
        judgement = judged(path.read_bytes(), path.parent if is_project else None)
    except (OSError, Unreadable) as error:
        print(f"{path}: {error}")
        return 2
    print(
        f"{path.name}, by {judgement.creator}{'' if is_project else f'; no {MARKER} beside it, samples not looked for'}"
    )
    _print_list("wrong", judgement.wrong)
    _print_list("not as we write it, which Live may do when it saves", judgement.different)
    return int(bool(judgement.wrong))


def _print_list(title: str, findings: tuple[str, ...]) -> None:
    """Each finding once, with how often."""
    print(f"  {title}: {len(findings) or 'nothing'}")
    for finding in dict.fromkeys(findings):
        count = findings.count(finding)
        print(f"    {finding}{f' ({count} times)' if count > 1 else ''}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
