"""When delivered files can be taken for what a batch would make."""

from services.library.core.batch_ports import Export, ExportKey
from services.library.core.ordering import OrderedFile
from services.library.core.ports import FileStamp
from stemhouse.batches import BatchItem, BatchLayout, BatchSpec, ItemState

_FEWEST_BYTES_PER_S = 16_000
"""Of audio at 128 kbit/s: what is reckoned with where the tags tell no length. Rather too much work than too little."""


def wish_of(spec: BatchSpec) -> str:
    """All of a spec that decides which files a track gets, and where, as one line.

    With layout `mirror` the place depends on the location, too.
    """
    delivery = spec.delivery
    parts = [
        spec.engine,
        spec.model,
        "sum" if spec.sum_to_mix else "raw",
        size_class_of(spec),
        spec.layout.value,
        spec.output_dir,
        spec.location if spec.layout is BatchLayout.MIRROR else "",
    ]
    return "|".join([*parts, *delivery.stems])


def size_class_of(spec: BatchSpec) -> str:
    """What deliveries have in common that are about equally large for each second of audio."""
    delivery = spec.delivery
    stems = ",".join(delivery.stems) or "all"
    return f"{delivery.file_format.value}-{delivery.sample_format.value}-{stems}"


def key_of_item(spec: BatchSpec, item: BatchItem) -> ExportKey:
    """Of an item, as its file was when it was taken."""
    return ExportKey(item.path, FileStamp(item.size_bytes, item.modified_ns), wish_of(spec), size_class_of(spec))


def key_of_file(spec: BatchSpec, file: OrderedFile) -> ExportKey:
    """Of a file, as it was scanned."""
    return ExportKey(file.path, FileStamp(file.size_bytes, file.modified_ns), wish_of(spec), size_class_of(spec))


def item_of(file: OrderedFile, export: Export | None = None) -> BatchItem:
    """A file as an item of a batch: with the files that are there already it is SKIPPED, else it waits."""
    return BatchItem(
        place=file.place,
        path=file.path,
        reasons=file.reasons,
        state=ItemState.SKIPPED if export else ItemState.WAITING,
        size_bytes=file.size_bytes,
        modified_ns=file.modified_ns,
        audio_s=file.duration_s or file.size_bytes / _FEWEST_BYTES_PER_S,
        folder=export.folder if export else "",
        file_sizes_bytes=export.file_sizes_bytes if export else {},
        damage=export.damage if export else "",
        tier=file.tier,
    )
