"""Separation of one track: canonical PCM through an engine into an immutable result, in bounded memory.

All sums are on the integer grid of the stored mix, so with `sum_to_mix` the stems add up to it exactly; only a set
whose stems exceed 24 bits is lowered by one common power of two, which costs up to half a grid step per stem.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from services.separator.core.encoding import EncodedStems, encode_stems
from services.separator.core.gpu import CPU, DeviceLease
from services.separator.core.ports import AudioDesk, Engine, EngineSpec, TaskControl
from services.separator.core.results import SeparateTask, find_result, manifest_from_stem_set
from services.separator.core.takes import Takes, take_stems
from stemhouse.audio import AudioRef, StemRef, StemSet
from stemhouse.errors import InternalFault, InvalidRequest
from stemhouse.vocab import OTHER

_ENGINE_SHARE = 0.95
"""Of the progress; the rest is encoding."""


@dataclass(frozen=True)
class Bench:
    """What a separation works with; `clock` is monotonic, in seconds; `versions` are those of the packages used.

    `cloud_minutes` are those that it takes of an account. Engines that take segments together take as many as `lease`
    says.
    """

    desk: AudioDesk
    control: TaskControl
    clock: Callable[[], float]
    versions: Mapping[str, str]
    cloud_minutes: float = 0.0
    lease: DeviceLease = field(default_factory=lambda: DeviceLease(CPU, 1))


def separate_track(task: SeparateTask, engine: Engine, bench: Bench) -> StemSet:
    """Separate, store and describe a track; a stored result is given back unless the task says `force`.

    `engine` works at the audio's own rate and channels. Nothing of the result is visible before its manifest, which
    is written last. Raises InvalidRequest if the engine has no stem for the rest of the mix, InternalFault for an
    engine that breaks its contract, Cancelled, NotFound, StorageUnavailable.
    """
    stored = None if task.force else find_result(bench.desk.store, task)
    if stored:
        return stored
    _require_rest_stem(task, engine.spec)
    mixture = bench.desk.open_pcm(task.audio.object_key, task.audio.format)
    started_s = bench.clock()
    takes, frame_count = take_stems(task, engine, mixture, bench.desk, _part(bench.control, 0.0, _ENGINE_SHARE))
    processing_s, batch_segments = bench.clock() - started_s, bench.lease.batch_segments
    _require_frames(task.audio, frame_count, engine.spec)
    encoded = encode_stems(takes, mixture, task.audio, bench.desk, _part(bench.control, _ENGINE_SHARE, 1.0))
    stem_set = _described(task, engine.spec, takes, encoded)
    made = replace(
        stem_set,
        processing_s=processing_s,
        versions=dict(bench.versions),
        cloud_minutes=bench.cloud_minutes,
        batch_segments=batch_segments,
    )
    return _publish(task, made, encoded, bench)


def _require_rest_stem(task: SeparateTask, spec: EngineSpec) -> None:
    if task.sum_to_mix and OTHER not in spec.stems:
        message = f"{spec.name} gives no stem {OTHER!r} to hold the rest of the mix: ask with sum_to_mix = false"
        raise InvalidRequest(message, {"sum_to_mix": message})


def _require_frames(audio: AudioRef, frame_count: int, spec: EngineSpec) -> None:
    if frame_count != audio.frame_count:
        message = f"{spec.engine_id} gave {frame_count} frames for {audio.object_key}, which has {audio.frame_count}"
        raise InternalFault(message, {"engine_id": spec.engine_id})


def _part(control: TaskControl, begin: float, end: float) -> TaskControl:
    return replace(control, report=lambda share: control.report(begin + (end - begin) * share))


def _described(task: SeparateTask, spec: EngineSpec, takes: Takes, encoded: EncodedStems) -> StemSet:
    gain = task.audio.gain
    return StemSet(
        audio=task.audio,
        engine=spec.name,
        model=spec.model,
        engine_id=task.result_engine_id,
        stems=tuple(StemRef(stem, task.stem_key(stem), takes.ranges[stem].peak(gain)) for stem in spec.stems),
        gain=gain * encoded.gain,
        null_depth_db=encoded.null_depth_db,
        instrumental_peak=takes.instrumental.peak(gain),
        sums_to_mix=task.sum_to_mix,
        processing_s=0.0,
        device=spec.device,
        vocal_share=takes.vocal_share(),
    )


def _publish(task: SeparateTask, stem_set: StemSet, encoded: EncodedStems, bench: Bench) -> StemSet:
    """Stems first, then the manifest. If another process was faster its manifest stays: the samples are the same.

    A forced result is none from its first new stem until its last: a kill between them leaves no mixture of both.
    """
    if task.force:
        bench.desk.store.delete(task.manifest_key)
    sizes_bytes = {stem: flac.upload(task.stem_key(stem)) for stem, flac in encoded.flacs.items()}
    stems = tuple(replace(stem, size_bytes=sizes_bytes[stem.name]) for stem in stem_set.stems)
    stored = replace(stem_set, stems=stems)
    if bench.desk.store.put_if_absent(task.manifest_key, manifest_from_stem_set(stored)):
        return stored
    return find_result(bench.desk.store, task) or stored
