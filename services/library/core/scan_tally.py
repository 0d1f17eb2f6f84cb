"""What a scan has met so far."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate

from services.library.core.ports import FileStamp
from stemhouse.tracks import ScanProblem, ScanProgress

REPORT_PROBLEMS = 500
"""The most that one report tells; a message of gRPC holds 4 MB."""
_REPORT_CHARS, _TEXT_CHARS = 250_000, 5_000


@dataclass
class ScanTally:
    """Counts, and what was met; `seen` are paths of files that are there."""

    seen: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    added_count: int = 0
    updated_count: int = 0
    unchanged_count: int = 0
    removed_count: int = 0
    missing_count: int = 0
    crate_count: int = 0
    problems: list[ScanProblem] = field(default_factory=list)
    _blind_spots: list[str] = field(default_factory=list)

    def add_blind_spot(self, problem: ScanProblem) -> None:
        """Note a file or folder that could not be looked at: nothing is known to have vanished there."""
        self.problems.append(problem)
        self._blind_spots.append(problem.path)

    def vanished(self, known: Mapping[str, FileStamp], kept: Collection[str]) -> list[str]:
        """Known paths that were not met and are not kept for another reason, in order."""
        missing = sorted(known.keys() - self.seen - set(kept))
        blind_spots = tuple(self._blind_spots)
        return [path for path in missing if not path.startswith(blind_spots)]

    def last_reports(self) -> Iterator[ScanProgress]:
        """As many as tell all problems; the last one is the outcome."""
        report = self.report()
        while self.problems:
            yield report
            report = self.report()
        yield replace(report, is_complete=True)

    def report(self) -> ScanProgress:
        """The counts so far; hands over as many problems as one report may tell."""
        return ScanProgress(
            found_count=len(self.seen),
            added_count=self.added_count,
            updated_count=self.updated_count,
            unchanged_count=self.unchanged_count,
            removed_count=self.removed_count,
            missing_count=self.missing_count,
            own_count=len(self.own),
            crate_count=self.crate_count,
            problems=self._hand_over(),
        )

    def _hand_over(self) -> tuple[ScanProblem, ...]:
        waiting = [
            ScanProblem(problem.path[:_TEXT_CHARS], problem.reason[:_TEXT_CHARS])
            for problem in self.problems[:REPORT_PROBLEMS]
        ]
        sizes = accumulate(len(problem.path) + len(problem.reason) for problem in waiting)
        told = tuple(problem for problem, size in zip(waiting, sizes, strict=True) if size <= _REPORT_CHARS)
        del self.problems[: len(told)]
        return told
