"""What each method takes: the scope that a token must have."""

from collections.abc import Mapping
from enum import StrEnum


class Scope(StrEnum):
    """Scopes hold by themselves: none brings another one."""

    READ = "read"
    """Looks at what there is, and takes stems along; costs nothing."""
    SEPARATE = "separate"
    """Sends audio, and has work done on it."""
    LIBRARY = "library"
    """Reads and writes folders of the library service's machine."""
    ADMIN = "admin"
    """Removes, spends, installs; and all of a separator, which only the router calls."""


_METHODS: Mapping[str, Mapping[Scope, str]] = {
    "RouterService": {
        Scope.READ: (
            "FindSource PlanSeparation GetJob ListJobs WatchJob CacheStats DescribeCloud ListEngines ListModels"
        ),
        Scope.SEPARATE: "UploadTrack SubmitSeparation CancelJob ReleaseResult DetectVocals",
        Scope.ADMIN: "ClearCache AllowCloud SettleCloud PullModel VerifyModels AddModel",
    },
    "ExporterService": {
        Scope.READ: "Deliver FindStems ExportPlaylists",
        Scope.SEPARATE: (
            "UploadStem AnalyzeTrack ExportAbleton StretchStems CreateVocalChops OrganizeStems ExportStemFile"
        ),
    },
    "LibraryService": {
        Scope.READ: "ListTracks ListCrates FindTracks GetBatch WatchBatch ListBatches ListBatchItems",
        Scope.LIBRARY: "ScanLibrary ProbeTracks PlanBatch StartBatch PauseBatch ResumeBatch RetryBatch CancelBatch",
    },
    "SeparatorService": {
        Scope.ADMIN: (
            "IngestTrack Separate CallOffOrder AssessStems ProbeVocals ListLocalEngines ListLocalModels PullLocalModel "
            "VerifyLocalModels AddLocalModel"
        ),
    },
}

SCOPES: Mapping[str, Scope] = {
    f"/stemhouse.v1.{service}/{method}": scope
    for service, scopes in _METHODS.items()
    for scope, methods in scopes.items()
    for method in methods.split()
}
"""By the full name of a method; a test enumerates them. What is not here is ADMIN's."""


def scope_of(method: str) -> Scope:
    """That which a method takes; `method` is /package.Service/Method."""
    return SCOPES.get(method, Scope.ADMIN)
