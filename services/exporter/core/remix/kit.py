"""What lies beside the files of chops: an index for people and programs, and a kit for samplers."""

from collections.abc import Sequence

from services.exporter.core.remix.chops import Chop


def index_json(chops: Sequence[Chop], file_ending: str) -> str:
    """`chops.json`."""
    raise NotImplementedError


def index_csv(chops: Sequence[Chop], file_ending: str) -> str:
    """`chops.csv`."""
    raise NotImplementedError


def sfz_kit(chops: Sequence[Chop], file_ending: str) -> str:
    """`chops.sfz`."""
    raise NotImplementedError
