"""What is compiled once is compiled before somebody waits for it."""

from pathlib import Path

from services.exporter.adapters.compiled_analysis import compile_beside


def test_is_compiled_once(tmp_path: Path) -> None:
    """Beside all else, and not again where numba has left what it made."""
    imported: list[str] = []
    thread = compile_beside(tmp_path, imported.append)
    assert thread is not None
    thread.join()
    assert imported[-1] == "librosa.beat"
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "beat.__trim_beats-609.py311.nbi").touch()
    assert compile_beside(tmp_path, imported.append) is None
