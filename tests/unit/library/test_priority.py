"""The order of work: each key by itself, their order, and the reasons."""

import pytest

from services.library.core.ports import Candidate, VocalShare
from services.library.core.priority import SUNG_SHARE, CratePlaces, Vocals, crate_places, in_order, vocals_of

NO_CRATES = CratePlaces((), {})


def candidate(path: str, title: str = "", genre: str = "", bpm: float = 0.0, share: float | None = None) -> Candidate:
    """A track of a minute."""
    return Candidate(path, 1000, 5, 60.0, title, genre, bpm, share)


def order(*candidates: Candidate, crates: CratePlaces = NO_CRATES) -> list[str]:
    """Paths in the order of work."""
    return [file.path for file in in_order(candidates, crates)]


def test_each_key_decides_only_between_equals_of_those_before() -> None:
    """Worst first: the order turns all of them round, and tells why."""
    names = ["Late", "Friday"]
    crates = crate_places(names, [("/late", 0, 0), ("/friday2", 0, 1), ("/friday2", 1, 0), ("/friday", 1, 1)], [1])
    files = in_order(
        [
            candidate("/z"),
            candidate("/y"),
            candidate("/dub", title="Night (Dub)"),
            candidate("/late"),
            candidate("/sung", title="Night (Vocal Mix)"),
            candidate("/fast", title="Night (Dub)", bpm=120.5),
            candidate("/house", title="Night (Dub)", genre="Tech-HOUSE"),
            candidate("/friday"),
            candidate("/friday2", title="Instrumental"),
        ],
        crates,
    )
    assert [(file.path, file.reasons) for file in files] == [
        ("/friday2", ('crate "Friday"', 'no vocals: "instrumental" in the title', 'crate "Late"')),
        ("/friday", ('crate "Friday"',)),
        ("/house", ("genre Tech-HOUSE", 'no vocals: "dub" in the title')),
        ("/fast", ("120.5 BPM", 'no vocals: "dub" in the title')),
        ("/sung", ('vocals: "vocal mix" in the title',)),
        ("/late", ('crate "Late"',)),
        ("/y", ()),
        ("/z", ()),
        ("/dub", ('no vocals: "dub" in the title',)),
    ]
    assert [file.place for file in files] == list(range(1, 10))
    assert (files[0].size_bytes, files[0].modified_ns, files[0].duration_s) == (1000, 5, 60.0)


def test_order_does_not_depend_on_how_tracks_come() -> None:
    """Nor on hash seeds: the path decides at last."""
    candidates = [candidate(f"/{name}", bpm=bpm) for name in "cab" for bpm in (121.0,)]
    assert order(*candidates) == order(*reversed(candidates)) == ["/a", "/b", "/c"]


def test_crates_that_were_asked_for_come_in_the_order_of_the_wish() -> None:
    """Which need not be that of the library; in each, the tracks as they are in it."""
    places = [("/1", 0, 0), ("/2", 0, 1), ("/3", 1, 0), ("/1", 1, 1)]
    candidates = [candidate(path) for path in ("/1", "/2", "/3", "/4")]
    assert order(*candidates, crates=crate_places(["A", "B"], places, [1, 0])) == ["/3", "/1", "/2", "/4"]
    assert order(*candidates, crates=crate_places(["A", "B"], places, [0, 1])) == ["/1", "/2", "/3", "/4"]


@pytest.mark.parametrize(("bpm", "is_first"), [(120.0, False), (120.01, True), (0.0, False)])
def test_tempo_counts_above_120(bpm: float, is_first: bool) -> None:  # noqa: FBT001  # a case
    """120 itself does not."""
    assert (order(candidate("/a"), candidate("/b", bpm=bpm))[0] == "/b") is is_first


@pytest.mark.parametrize(
    ("title", "vocals"),
    [
        ("Night (Acapella)", Vocals.YES),
        ("Night (A Cappella)", Vocals.YES),
        ("NIGHT (VOCAL MIX)", Vocals.YES),
        ("Night feat. Someone", Vocals.YES),
        ("Night (ft. Someone)", Vocals.YES),
        ("Night ft Someone", Vocals.YES),
        ("Night (Vocal)", Vocals.YES),
        ("Night (Vocal Dub)", Vocals.YES),
        ("Night (feat. Someone) [Instrumental]", Vocals.NO),
        ("Night feat. Someone (Dub)", Vocals.NO),
        ("Night (Dub)", Vocals.NO),
        ("Bonus Beats", Vocals.NO),
        ("Dublin", Vocals.UNKNOWN),
        ("Heartbeats", Vocals.UNKNOWN),
        ("Aircraft. Left", Vocals.UNKNOWN),
        ("Defeat", Vocals.UNKNOWN),
        ("Night", Vocals.UNKNOWN),
    ],
)
def test_words_tell_of_vocals(title: str, vocals: Vocals) -> None:
    """Whole words, in any case, in title and genre alike; those of a version outweigh a guest's name."""
    assert vocals_of(title, "", None)[0] is vocals
    assert vocals_of("", title, None)[0] is vocals


def test_what_was_heard_outweighs_words() -> None:
    """Either way, and the reason tells how it is known."""
    hardly, much = VocalShare(SUNG_SHARE - 0.01, is_probed=True), VocalShare(0.42, is_probed=True)
    assert vocals_of("Acapella", "", hardly) == (Vocals.NO, "no vocals (probed)")
    assert vocals_of("Instrumental", "", much) == (Vocals.YES, "vocals: 42% of it (probed)")
    separated = VocalShare(SUNG_SHARE, is_probed=False)
    assert vocals_of("Instrumental", "", separated) == (Vocals.YES, "vocals: 20% of it (earlier result)")


def test_tiers_are_of_tracks_that_an_answer_could_move() -> None:
    """By the keys before vocals; what is known, or has its place by a crate that was asked for, has none."""
    files = in_order(
        [
            candidate("/plain"),
            candidate("/plain2"),
            candidate("/fast", bpm=121.0),
            candidate("/house", genre="House"),
            candidate("/both", genre="House", bpm=121.0),
            candidate("/crate", genre="House", bpm=121.0),
            candidate("/dub", title="Dub"),
            candidate("/heard", share=0.0),
        ],
        crate_places(["Friday"], [("/crate", 0, 0)], [0]),
    )
    tiers = {file.path: file.tier for file in files}
    assert {path for path, tier in tiers.items() if not tier} == {"/crate", "/dub", "/heard"}
    assert [tiers[path] for path in ("/both", "/house", "/fast", "/plain", "/plain2")] == [1, 2, 3, 4, 4]


def test_genre_dubstep_is_no_dub() -> None:
    """And dub as a genre is one."""
    assert vocals_of("", "Dubstep", None) == (Vocals.UNKNOWN, "")
    assert vocals_of("", "Dub", None) == (Vocals.NO, 'no vocals: "dub" in the genre')
