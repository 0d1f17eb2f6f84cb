"""What numba compiles of librosa, once for an installation: half a minute for which nobody should wait."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Thread

_LIBRARY = "librosa"
_MODULES = ("feature", "core.pitch", "core.constantq", "beat")
"""What analyses call. Its functions are compiled when they are imported; the last one's file says that all are done."""
_TRACE = "__pycache__/beat.*.nbi"


def compile_beside(folder: Path | None = None, import_named: Callable[[str], object] = import_module) -> Thread | None:
    """Compile in a thread of its own what has never been compiled; None if there is nothing to do.

    An analysis that comes meanwhile waits for the rest of it. `folder` is where librosa is installed; where that cannot
    be written to, numba keeps what it has compiled elsewhere, and librosa is just imported, which takes 4 s.
    """
    if any((folder or _installed()).glob(_TRACE)):
        return None
    thread = Thread(target=_import_all, args=(import_named,), daemon=True)
    thread.start()
    return thread


def _import_all(import_named: Callable[[str], object]) -> None:
    for module in _MODULES:
        import_named(f"{_LIBRARY}.{module}")


def _installed() -> Path:
    spec = find_spec(_LIBRARY)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(_LIBRARY)
    return Path(spec.origin).parent
