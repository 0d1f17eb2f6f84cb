"""What documents say of the tests is true."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_tests_that_the_threat_model_names_are_there() -> None:
    """An answer to a threat is worth what shows it."""
    named = re.findall(
        r"`((?:unit|contract|integration|e2e|deploy)/[\w/]+)`", (ROOT / "docs/threat-model.md").read_text()
    )
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "tests" / f"{name}.py").exists()] == []
