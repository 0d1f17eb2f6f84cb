"""Demucs models of some ten thousand random weights, in the same files as the published ones.

Networks, files and records are demucs' and ours; only the sizes are small. Everything is the same each time.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from services.separator.adapters.installed_models import RECORD
from services.separator.core.models import DEMUCS, ModelEntry, ModelFile, record_of
from stemhouse.audio import AudioFormat
from stemhouse.vocab import BASS, DRUMS, GUITAR, OTHER, PIANO, VOCALS, in_listing_order

SOURCES = (DRUMS, BASS, OTHER, VOCALS)
"""In the order of the published checkpoints."""

CD_STEREO = AudioFormat(44_100, 2)

SIX_SOURCES = (*SOURCES, GUITAR, PIANO)

FileKind = Literal["safetensors", "th"]

_LAYER_SCALE = 0.3  # as new it is a thousandth, and what the branches compute would be lost in rounding


def tiny_htdemucs(
    sources: Sequence[str] = SOURCES,
    seed: int = 1,
    *,
    audio_format: AudioFormat = CD_STEREO,
    segment: Fraction = Fraction(1),
) -> Any:
    """A demucs.htdemucs.HTDemucs: the published architecture with four channels and one layer of its transformer."""
    from demucs.htdemucs import HTDemucs  # noqa: PLC0415 - tests that only need a file's name stay light

    arguments = {
        "sources": list(sources),
        "audio_channels": audio_format.channel_count,
        "channels": 4,
        "depth": 4,
        "t_layers": 1,
        "t_heads": 2,
        "t_hidden_scale": 1.0,
        "dconv_depth": 1,
        "dconv_comp": 4,
        "norm_groups": 1,
        "samplerate": audio_format.sample_rate_hz,
        "segment": segment,
    }
    return seeded(HTDemucs, arguments, seed)


def tiny_hdemucs(sources: Sequence[str] = SOURCES, seed: int = 1, segment_s: int = 1, channel_count: int = 2) -> Any:
    """A demucs.hdemucs.HDemucs, whose last segment is as short as what is left of the track."""
    from demucs.hdemucs import HDemucs  # noqa: PLC0415 - likewise

    sizes = {"channels": 4, "dconv_depth": 1, "dconv_comp": 2, "norm_groups": 1, "dconv_attn": 5, "dconv_lstm": 5}
    arguments = {"sources": list(sources), "audio_channels": channel_count, "segment": segment_s, **sizes}
    return seeded(HDemucs, arguments, seed)


def tiny_demucs(sources: Sequence[str] = SOURCES, seed: int = 1, segment_s: int = 1) -> Any:
    """A demucs.demucs.Demucs, which hears a little more than the segment."""
    from demucs.demucs import Demucs  # noqa: PLC0415 - likewise

    sizes = {"channels": 4, "dconv_depth": 1, "norm_groups": 1, "dconv_attn": 7, "dconv_lstm": 7}
    return seeded(Demucs, {"sources": list(sources), "segment": segment_s, **sizes}, seed)


def seeded(network: Any, arguments: dict[str, Any], seed: int) -> Any:
    """A network of random weights, ready for use; PyTorch's own generator stays as it was."""
    import torch  # noqa: PLC0415 - likewise

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = network(**arguments).eval()
        for name, parameter in model.named_parameters():
            if name.endswith(".scale"):
                parameter.fill_(_LAYER_SCALE)
            parameter.copy_(parameter.half())  # as it will come back from a file
    return model


def bleeding(model: Any, gain: float = 8.0) -> Any:
    """The same HTDemucs, `gain` times as loud: what belongs to other stems is in all of them, at their level."""
    import torch  # noqa: PLC0415 - likewise

    with torch.no_grad():
        for decoder in (model.decoder, model.tdecoder):
            decoder[-1].conv_tr.weight.mul_(gain)
    return model


def save_safetensors(model: Any, path: Path) -> None:
    """As demucs' own repositories have it: half precision, class and arguments as JSON in the metadata."""
    from safetensors.torch import save  # noqa: PLC0415 - likewise

    arguments, keywords = model._init_args_kwargs
    metadata = {
        "klass": f"{type(model).__module__}.{type(model).__qualname__}",
        "args": json.dumps(arguments, default=_fraction_as_json),
        "kwargs": json.dumps(keywords, default=_fraction_as_json),
    }
    path.write_bytes(_in_order(save(_half_state(model), metadata)))


def save_pickle(model: Any, folder: Path, signature: str) -> Path:
    """As demucs saves what it has trained: {signature}-{first digits of the SHA-256}.th; gives the path."""
    from demucs.states import save_with_checksum  # noqa: PLC0415 - likewise

    arguments, keywords = model._init_args_kwargs
    package = {"klass": type(model), "args": arguments, "kwargs": keywords, "state": _half_state(model)}
    save_with_checksum({**package, "training_args": {"epochs": 1, "optim": {"lr": 3e-4}}}, folder / f"{signature}.th")
    return next(folder.glob(f"{signature}-*.th"))


def install(
    models_dir: Path,
    models: Iterable[Any],
    *,
    name: str = "tiny",
    kind: FileKind = "safetensors",
    weights: tuple[tuple[float, ...], ...] | None = None,
    segment_s: float | None = None,
) -> ModelEntry:
    """Put a bag of `models` into `models_dir`, with its record, and describe it."""
    bag = list(models)
    folder = models_dir / name
    folder.mkdir(parents=True)
    paths = [_saved(model, folder, f"{number:08x}", kind) for number, model in enumerate(bag)]
    entry = ModelEntry(
        name=name,
        engine=DEMUCS,
        stems=in_listing_order(bag[0].sources),
        audio_format=AudioFormat(bag[0].samplerate, bag[0].audio_channels),
        files=tuple(described(path) for path in paths),
        licence_note="Random numbers, free for any use.",
        origin="made on the spot",
        weights=weights,
        segment_s=segment_s,
    )
    (folder / RECORD).write_bytes(record_of(entry))
    return entry


def install_tiny(
    models_dir: Path, name: str = "tiny", *, six: bool = False, kind: FileKind = "safetensors"
) -> ModelEntry:
    """Put one tiny HTDemucs of four or six stems into `models_dir`, and describe it."""
    return install(models_dir, [tiny_htdemucs(SIX_SOURCES if six else SOURCES)], name=name, kind=kind)


def install_tiny_bag(models_dir: Path, name: str = "tinybag", kind: FileKind = "safetensors") -> ModelEntry:
    """Put a bag of two into `models_dir`: drums and vocals of the one, a weighted mean of both for bass and other."""
    weights = ((1.0, 0.5, 0.25, 0.0), (0.0, 0.5, 1.0, 1.0))
    return install(models_dir, [tiny_htdemucs(seed=1), tiny_htdemucs(seed=2)], name=name, kind=kind, weights=weights)


def install_tiny_tuned(models_dir: Path, name: str = "tinytuned") -> ModelEntry:
    """Put a bag of four into `models_dir`, each of them for one source alone, as htdemucs_ft is."""
    weights = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))
    return install(models_dir, [tiny_htdemucs(seed=seed) for seed in range(4)], name=name, weights=weights)


def described(path: Path) -> ModelFile:
    """The file as a catalogue would have it."""
    content = path.read_bytes()
    return ModelFile(path.name, hashlib.sha256(content).hexdigest(), len(content))


def _saved(model: Any, folder: Path, signature: str, kind: FileKind) -> Path:
    if kind == "th":
        return save_pickle(model, folder, signature)
    path = folder / f"{signature}.safetensors"
    save_safetensors(model, path)
    return path


def _in_order(content: bytes) -> bytes:
    """The same safetensors with its metadata in order: safetensors writes them in another one each time."""
    head_bytes = int.from_bytes(content[:8], "little")
    head = json.dumps(json.loads(content[8 : 8 + head_bytes]), sort_keys=True).encode()
    padded = head.ljust(-(-len(head) // 8) * 8)
    return len(padded).to_bytes(8, "little") + padded + content[8 + head_bytes :]


def _half_state(model: Any) -> dict[str, Any]:
    return {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}


def _fraction_as_json(value: Any) -> dict[str, Any]:
    if not isinstance(value, Fraction):
        raise TypeError(value)
    return {"_type": "fraction", "numerator": value.numerator, "denominator": value.denominator}
