"""Models of UVR as they are added: the weights, and the file of parameters that says what they are."""

from collections.abc import Sequence

from services.separator.core.models import ModelFile
from services.separator.core.uvr_parameters import LARGEST_PARAMETERS_BYTES

ONNX_SUFFIX = ".onnx"
WEIGHTS_SUFFIXES = (ONNX_SUFFIX, ".ckpt")
PARAMETERS_SUFFIXES = (".yaml", ".yml", ".json")
_VR_SUFFIX = ".pth"


def is_uvr_upload(names: Sequence[str]) -> bool:
    """Whether one of the files could only be of a model of UVR."""
    return any(name.endswith((*WEIGHTS_SUFFIXES, _VR_SUFFIX)) for name in names)


def weights_and_parameters(files: Sequence[ModelFile]) -> tuple[ModelFile, ModelFile]:
    """Which file is which; raises ValueError for anything but one of each."""
    weights = [file for file in files if file.name.endswith(WEIGHTS_SUFFIXES)]
    parameters = [file for file in files if file.name.endswith(PARAMETERS_SUFFIXES)]
    if any(file.name.endswith(_VR_SUFFIX) for file in files):
        raise ValueError("models of the kind VR (.pth) are not taken, only MDX (.onnx), MDX23C and RoFormers (.ckpt)")
    if len(weights) != 1 or len(parameters) != 1 or len(files) != 2:  # noqa: PLR2004 - one of each
        kinds = f"one {' or '.join(WEIGHTS_SUFFIXES)} and one {' or '.join(PARAMETERS_SUFFIXES)} with its parameters"
        raise ValueError(f"a model of UVR is {kinds}, not {', '.join(file.name for file in files)}")
    if parameters[0].size_bytes > LARGEST_PARAMETERS_BYTES:
        raise ValueError(f"{parameters[0].name} has {parameters[0].size_bytes} bytes, too many for parameters")
    return weights[0], parameters[0]
