"""Texts of tags."""

import pytest

from services.library.core.tags import bpm_from_tag, text_from_tag


@pytest.mark.parametrize(
    ("raw", "bpm"),
    [("128", 128.0), (" 127.95 ", 127.95), ("127,5", 127.5), ("1e2", 100.0)]
    + [(raw, 0.0) for raw in ("", "0", "-120", "fast", "nan", "inf", "1e9", "1000", "120 BPM")],
)
def test_bpm_is_a_plausible_number_or_zero(raw: str, bpm: float) -> None:
    """What no turntable plays is no tempo."""
    assert bpm_from_tag(raw) == bpm


@pytest.mark.parametrize(
    ("raw", "text"),
    [("  Björk \x00", "Björk"), ("a\r\nb\tc", "a b c"), ("日本語 🎧", "日本語 🎧"), ("cut \ud83c", "cut ?"), ("", "")],
)
def test_text_is_one_line_that_utf8_can_hold(raw: str, text: str) -> None:
    """Line ends, NULs and half characters would break messages and folder names."""
    assert text_from_tag(raw) == text
