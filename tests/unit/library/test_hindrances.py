"""What keeps a batch from going on."""

from services.library.core.hindrances import Duty, Hindrances


def test_pause_doubles_up_to_half_a_minute_and_begins_anew() -> None:
    """A success ends it."""
    hindrances = Hindrances()
    now_s, pauses_s = 100.0, []
    for _ in range(7):
        hindrances.note(Duty.QUEUE, "away", now_s)
        begun_s = now_s
        while not hindrances.may_try(Duty.QUEUE, now_s):
            now_s += 1.0
        pauses_s.append(now_s - begun_s)
    assert pauses_s == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    hindrances.clear(Duty.QUEUE)
    hindrances.note(Duty.QUEUE, "away", now_s)
    assert hindrances.may_try(Duty.QUEUE, now_s + 1.0)


def test_failures_within_a_pause_make_it_no_longer() -> None:
    """What was under way when the first one came fails, too."""
    hindrances = Hindrances()
    for _ in range(5):
        hindrances.note(Duty.DELIVER, "full", 0.5)
    assert hindrances.may_try(Duty.DELIVER, 1.5)


def test_each_cause_is_told_once() -> None:
    """Two duties may have met the same."""
    hindrances = Hindrances()
    assert not hindrances
    assert hindrances.text == ""
    hindrances.note(Duty.QUEUE, "away", 0.0)
    hindrances.note(Duty.PREPARE, "away", 0.0)
    hindrances.note(Duty.DELIVER, "full", 0.0)
    assert hindrances.text == "away; full"
    assert hindrances.holds(Duty.DELIVER)
    assert not hindrances.holds(Duty.RESCAN)
    assert hindrances.may_try(Duty.RESCAN, 0.0)
