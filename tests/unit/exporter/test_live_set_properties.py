"""Sets of any songs: odd names, fast and slow, short and long, steady and drifting, with and without parts."""

from hypothesis import HealthCheck, given, settings, strategies as st

from services.exporter.core.ableton.exporter import AbletonProjectExporter
from services.exporter.core.ableton.model import LiveSet
from services.exporter.core.ableton.profiles import LIVE_10, LIVE_11, LiveProfile
from tests.live_sets.checker import findings
from tests.live_sets.models import live_sets, own_bpm


@settings(max_examples=25, derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(live_sets(most_songs=2, most_markers=20), st.sampled_from([LIVE_10, LIVE_11]))
def test_sets_of_any_songs_are_right(live_set: LiveSet, profile: LiveProfile) -> None:
    """`make bench-live-sets` tries 500, and larger ones."""
    als_bytes = AbletonProjectExporter().build(live_set, profile)
    assert findings(als_bytes, profile, own_bpm=own_bpm(live_set)) == []
