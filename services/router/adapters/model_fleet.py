"""Models of several separators: each call goes to all of them, one after the other.

Separators may have a folder of models each, or share a volume: then the second finds installed what the first has
fetched.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import grpc

from services.router.adapters.separator_stubs import Separator
from services.router.core.ports import Addition, Cancellation
from stemhouse.errors import Cancelled, InvalidRequest, Unavailable
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
        found = {}
        for one in self._separators:
            with _answering(one):
                found[one.address] = one.stub.ListLocalModels(request, timeout=_ASK_TIMEOUT_S).models
        return self._merged(found)

    def pull(self, name: str, cancellation: Cancellation) -> Iterator[PullProgress | Model]:
        """See Models.pull. The progress is that of all separators together, so that it never goes back."""
        installed = {}
        for separator in self._separators:
            for event in _pull(separator, name, cancellation):
                if event.HasField("model"):
                    installed[separator.address] = [event.model]
                else:
                    yield self._overall(pull_progress_from_proto(event.progress), len(installed))
        yield from self._merged(installed)

    def verify(self, names: Sequence[str], cancellation: Cancellation) -> list[Model]:
        """See Models.verify."""
        request = pb.VerifyLocalModelsRequest(names=names)
        answers = self._ask_all(lambda stub: stub.VerifyLocalModels, request, cancellation)
        return self._merged({address: answer.models for address, answer in answers.items()})

    def add(self, addition: Addition, cancellation: Cancellation) -> Model:
        """See Models.add."""
        request = pb.AddLocalModelRequest(
            name=addition.name,
            files=map(source_ref_to_proto, addition.files),
            licence_note=addition.licence_note,
        )
        answers = self._ask_all(lambda stub: stub.AddLocalModel, request, cancellation)
        return self._merged({address: [answer.model] for address, answer in answers.items()})[0]

    def _ask_all(self, method_of: Callable[[Any], Any], request: Any, cancellation: Cancellation) -> dict[str, Any]:
        """The answers by address; `method_of` names the method of a stub."""
        answers = {}
        for one in self._separators:
            with _answering(one):
                call = method_of(one.stub).future(request, timeout=_READ_TIMEOUT_S)
                cancellation.on_request(call.cancel)
                answers[one.address] = call.result()
        return answers

    def _overall(self, progress: PullProgress, finished_count: int) -> PullProgress:
        before_bytes = finished_count * progress.total_bytes
        return replace(progress, done_bytes=(before_bytes + progress.done_bytes) // len(self._separators))

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


def _pull(separator: Separator, name: str, cancellation: Cancellation) -> Iterator[pb.PullLocalModelResponse]:
    with _answering(separator):
        events = separator.stub.PullLocalModel(pb.PullLocalModelRequest(name=name), timeout=_PULL_TIMEOUT_S)
        cancellation.on_request(events.cancel)
        try:
            yield from events
        finally:
            events.cancel()


@contextmanager
def _answering(separator: Separator) -> Iterator[None]:
    """Turn a failed call inside the block into a StemhouseError; Unavailable if the separator knows no such call."""
    try:
        with rpc_errors():
            yield
    except grpc.FutureCancelledError as error:
        message = "the caller left"
        raise Cancelled(message) from error
    except InvalidRequest as error:
        if _is_unimplemented(error.__cause__):
            message = f"the separator at {separator.address} is of a version that knows nothing of models: update it"
            raise Unavailable(message, {"address": separator.address}) from error
        raise


def _is_unimplemented(cause: Any) -> bool:
    return isinstance(cause, grpc.Call) and cause.code() is grpc.StatusCode.UNIMPLEMENTED
