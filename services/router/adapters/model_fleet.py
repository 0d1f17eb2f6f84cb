"""Models of several separators: each call goes to all of them, one after the other.

Separators may have a folder of models each, or share a volume: then the second finds installed what the first has
fetched.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from services.router.adapters.separator_stubs import Separator
from stemhouse.audio import SourceRef
from stemhouse.errors import Cancelled
from stemhouse.models import Model, ModelState, PullProgress
from stemhouse.platform.status import rpc_errors
from stemhouse.v1 import models_pb2, separator_pb2 as pb
from stemhouse.wire.audio import source_ref_to_proto
from stemhouse.wire.models import model_from_proto, pull_progress_from_proto

_ASK_TIMEOUT_S = 10.0
_PULL_TIMEOUT_S = 24 * 3600.0
"""Some hundred megabytes on a slow line; a peer that is gone is told by the channel's keepalive."""
_READ_TIMEOUT_S = 3600.0
"""To read all models from end to end, or to load one behind a track that is being separated."""

_WORST_FIRST = (ModelState.DAMAGED, ModelState.AVAILABLE, ModelState.INSTALLED)


class ModelFleet:
    """See the Models port."""

    def __init__(self, separators: Sequence[Separator]) -> None:
        """Keep the channels."""
        self._separators = separators

    def models(self) -> list[Model]:
        """See Models.models."""
        request = pb.ListLocalModelsRequest()
        with rpc_errors():
            return self._merged(
                {
                    one.address: one.stub.ListLocalModels(request, timeout=_ASK_TIMEOUT_S).models
                    for one in self._separators
                }
            )

    def pull(self, name: str, is_wanted: Callable[[], bool]) -> Iterator[PullProgress | Model]:
        """See Models.pull."""
        installed = {}
        for separator in self._separators:
            for event in _pull(separator, name, is_wanted):
                if event.HasField("model"):
                    installed[separator.address] = [event.model]
                else:
                    yield pull_progress_from_proto(event.progress)
        yield from self._merged(installed)

    def verify(self, names: Sequence[str]) -> list[Model]:
        """See Models.verify."""
        request = pb.VerifyLocalModelsRequest(names=names)
        with rpc_errors():
            return self._merged(
                {
                    one.address: one.stub.VerifyLocalModels(request, timeout=_READ_TIMEOUT_S).models
                    for one in self._separators
                }
            )

    def add(self, name: str, files: Sequence[SourceRef], licence_note: str) -> Model:
        """See Models.add."""
        request = pb.AddLocalModelRequest(name=name, files=map(source_ref_to_proto, files), licence_note=licence_note)
        with rpc_errors():
            added = {
                one.address: [one.stub.AddLocalModel(request, timeout=_READ_TIMEOUT_S).model]
                for one in self._separators
            }
        return self._merged(added)[0]

    def _merged(self, found: Mapping[str, Sequence[models_pb2.Model]]) -> list[Model]:
        """Each model once, in the worst of its states; a problem names its separator where there are several."""
        merged: dict[str, Model] = {}
        for address, messages in found.items():
            for message in messages:
                model = model_from_proto(message)
                if model.problem and len(self._separators) > 1:
                    model = replace(model, problem=f"{address}: {model.problem}")
                merged[model.name] = _worse(merged.get(model.name, model), model)
        return list(merged.values())


def _worse(one: Model, other: Model) -> Model:
    return min(one, other, key=lambda model: _WORST_FIRST.index(model.state))


def _pull(separator: Separator, name: str, is_wanted: Callable[[], bool]) -> Iterator[pb.PullLocalModelResponse]:
    """The events of one separator, which come every few seconds, so that a caller who left is noticed."""
    with rpc_errors():
        events = separator.stub.PullLocalModel(pb.PullLocalModelRequest(name=name), timeout=_PULL_TIMEOUT_S)
        try:
            for event in events:
                if not is_wanted():
                    message = "the caller left"
                    raise Cancelled(message)
                yield event
        finally:
            events.cancel()
