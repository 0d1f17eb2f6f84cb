"""Lists of files for DJs."""

from stemhouse.client.dj_lists import StemLists
from stemhouse.dj import FoundTrack, KnownTrack, Playlist


def found(*crates: str, places: tuple[int, ...] = ()) -> FoundTrack:
    """A track of crates."""
    return FoundTrack("/a", KnownTrack(), crates, "", places)


def test_files_in_a_crate_are_in_its_order() -> None:
    """Whatever the order in which they lie on the disk; crates come by their names, after the lists of stems."""
    lists = StemLists()
    tracks = [found("Set", "A/B", places=(2, 0)), found("Set", places=(0,)), None, found("Set", places=(1,))]
    for place, track in enumerate(tracks):
        lists.add(2 * place, "acapella", track)
        lists.add(2 * place + 1, "instrumental", track)
    assert lists.playlists() == (
        Playlist(("Stemhouse", "Acapella"), (0, 2, 4, 6)),
        Playlist(("Stemhouse", "Instrumental"), (1, 3, 5, 7)),
        Playlist(("Stemhouse", "A", "B", "Acapella"), (0,)),
        Playlist(("Stemhouse", "A", "B", "Instrumental"), (1,)),
        Playlist(("Stemhouse", "Set", "Acapella"), (2, 6, 0)),
        Playlist(("Stemhouse", "Set", "Instrumental"), (3, 7, 1)),
    )


def test_places_that_nobody_tells_leave_files_as_they_come() -> None:
    """As an older library service does."""
    lists = StemLists()
    for place in range(3):
        lists.add(place, "vocals", found("Set"))
    assert lists.playlists()[-1] == Playlist(("Stemhouse", "Set", "Vocals"), (0, 1, 2))
