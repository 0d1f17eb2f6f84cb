"""Scratch folders: each process clears what the dead have left, and nothing of the living."""

from pathlib import Path

from services.separator.adapters.scratch import ScratchRoot


def test_folder_of_a_task_is_gone_afterwards(tmp_path: Path) -> None:
    """And the root is empty once the process has left."""
    root = tmp_path / "root"
    scratch = ScratchRoot(root)
    with scratch.folder() as folder:
        (folder / "file").write_bytes(b"x")
    assert not folder.exists()
    scratch.close()
    assert list(root.iterdir()) == []


def test_living_neighbour_is_left_alone(tmp_path: Path) -> None:
    """Its lock is held."""
    neighbour = ScratchRoot(tmp_path)
    with neighbour.folder() as folder:
        ScratchRoot(tmp_path).close()
        assert folder.exists()
    neighbour.close()


def test_other_folders_in_the_root_are_left_alone(tmp_path: Path) -> None:
    """Somebody may have chosen a folder that is not empty."""
    (tmp_path / "music").mkdir()
    ScratchRoot(tmp_path).close()
    assert (tmp_path / "music").exists()
