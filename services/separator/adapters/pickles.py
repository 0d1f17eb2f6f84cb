"""What a pickle of PyTorch would make, told from its codes before any of them is carried out.

PyTorch's restricted loader also makes what no checkpoint needs, and what a few bytes can make arbitrarily large, such
as bytearrays of any length. Here only the names in use are let through.
"""

import encodings
import encodings.aliases
import io
import pickletools
import zipfile
from collections.abc import Collection, Iterator
from typing import Any

import torch

_ENCODE = "_codecs.encode"
"""How bytes are written, in older pickles: as text, and the name of a codec."""

_NAMES_OF_PYTORCH = {
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    *(f"torch.{kind}Storage" for kind in ("Float", "Half", "BFloat16", "Double")),
    *(f"torch.{kind}Storage" for kind in ("Long", "Int", "Short", "Char", "Byte", "Bool")),
}
_CODECS_OF_BYTES = {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"}
"""Their results can be encoded again, and so doubled over and over."""
_MOST_ENCODED = 10_000_000
"""Characters, if each call encoded the longest text; a training's record has some thousand calls of short texts."""


def require_stored(content: bytes) -> None:
    """Raises ValueError for a zip file that is packed, or cut, or none.

    PyTorch never packs what it saves; a file that does could fill all memory.
    """
    try:
        members = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
        raise ValueError("it is cut, or no file that PyTorch has saved") from error
    is_stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    if not is_stored or sum(member.file_size for member in members) > len(content):
        raise ValueError("it is packed: unpacked it would be larger than the file")


def require_names(content: bytes, more_names: Collection[str]) -> None:
    """Raises ValueError for a zip file of PyTorch with other names than those of tensors and `more_names`.

    And for one that makes endless bytes. What PyTorch's reader of zip files raises is passed on.
    """
    names = _NAMES_OF_PYTORCH | set(more_names) | {_ENCODE}
    reader = torch._C.PyTorchFileReader(io.BytesIO(content))  # noqa: SLF001 - others may find another data.pkl
    _require_names_of(reader.get_record("data.pkl"), names)


def _require_names_of(pickled: bytes, names: Collection[str]) -> None:
    does_encode, has_codec_of_bytes, call_count, longest = False, False, 0, 0
    for code, value in _codes(pickled):
        if code in {"GLOBAL", "STACK_GLOBAL", "INST"}:
            name = str(value).replace(" ", ".", 1)
            if name not in names:
                raise ValueError(f"it names {name[:100]}, which no checkpoint needs")
            does_encode |= name == _ENCODE
        elif code == "REDUCE":
            call_count += 1
        elif isinstance(value, (str, bytes)):
            longest = max(longest, len(value))
            has_codec_of_bytes |= _is_codec_of_bytes(value)
    if does_encode and (has_codec_of_bytes or call_count * longest > _MOST_ENCODED):
        raise ValueError("it makes more bytes than a checkpoint needs")


def _codes(pickled: bytes) -> Iterator[tuple[str, Any]]:
    for code, value, _ in pickletools.genops(pickled):
        yield code.name, value


def _is_codec_of_bytes(text: str | bytes) -> bool:
    """Whether Python would find one of them under this name."""
    name = encodings.normalize_encoding(text[:30]).lower()
    found = encodings.aliases.aliases.get(name) or encodings.aliases.aliases.get(name.replace(".", "_")) or name
    return not _CODECS_OF_BYTES.isdisjoint({found, name})
