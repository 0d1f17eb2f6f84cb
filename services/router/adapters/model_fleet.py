"""Models of several separators: each call goes to all of them.

Separators may have a folder of models each, or share a volume: then the second finds installed what the first has
fetched. So they are read all at once, and changed one after the other.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import grpc

from services.router.adapters.merged_models import is_there, merged
from services.router.adapters.separator_stubs import Separator, SeparatorDirectory
from services.router.core.ports import Addition, Cancellation
from stemhouse.errors import Cancelled, InvalidRequest, StemhouseError, Unavailable
from stemhouse.models import Model, PullProgress
from stemhouse.platform.status import rpc_errors
from stemhouse.v1 import models_pb2, separator_pb2 as pb
from stemhouse.wire.audio import source_ref_to_proto
from stemhouse.wire.models import model_from_proto, pull_progress_from_proto

_ASK_TIMEOUT_S = 10.0
_PULL_TIMEOUT_S = 24 * 3600.0
"""Some hundred megabytes on a slow line; a peer that is gone is told by the channel's keepalive."""
READ_TIMEOUT_S = 3600.0
"""Of each separator: to read all models from end to end, or to load one behind a track that is being separated.

The deadlines of clients leave room for many separators, one after the other.
"""


class ModelFleet:
    """See the Models port."""

    def __init__(self, directory: SeparatorDirectory) -> None:
        """Keep who knows the separators."""
        self._directory = directory

    def models(self) -> list[Model]:
        """See Models.models."""
        return merged(_listed(self._present()))

    def pull(self, name: str, cancellation: Cancellation) -> Iterator[PullProgress | Model]:
        """See Models.pull. The progress is that of all separators together, so that it never goes back."""
        installed: dict[str, list[Model]] = {}
        separators = self._present()
        for separator in separators:
            cancellation.raise_if_requested()
            for event in _pull(separator, name, cancellation):
                if event.HasField("model"):
                    installed[separator.address] = _models([event.model])
                else:
                    progress = pull_progress_from_proto(event.progress)
                    yield _overall(progress, len(installed), len(separators))
        yield from merged(installed)

    def verify(self, names: Sequence[str], cancellation: Cancellation) -> list[Model]:
        """See Models.verify."""
        separators = self._present()
        shares = _shares(separators, names) if names else dict.fromkeys(separators, ())
        calls = [
            (one, one.stub.VerifyLocalModels.future(pb.VerifyLocalModelsRequest(names=share), timeout=READ_TIMEOUT_S))
            for one, share in shares.items()
        ]
        found = {one.address: _models(answer.models) for one, answer in _answers(calls, cancellation)}
        return merged({one.address: found.get(one.address, []) for one in separators})

    def add(self, addition: Addition, cancellation: Cancellation) -> Model:
        """See Models.add. An error tells which separators have installed the model all the same."""
        request = pb.AddLocalModelRequest(
            name=addition.name,
            files=map(source_ref_to_proto, addition.files),
            licence_note=addition.licence_note,
        )
        added: dict[str, list[Model]] = {}
        for one in self._present():
            with _telling_what_is_done(one.address, added):
                call = one.stub.AddLocalModel.future(request, timeout=READ_TIMEOUT_S)
                for _, answer in _answers([(one, call)], cancellation):
                    added[one.address] = _models([answer.model])
        return merged(added)[0]

    def _present(self) -> tuple[Separator, ...]:
        """Raises Unavailable if there is none."""
        known = self._directory.separators()
        if not known.present:
            message = f"there is no separator at {', '.join(known.silent_names)}"
            raise Unavailable(message)
        return known.present


def _shares(separators: Sequence[Separator], names: Sequence[str]) -> dict[Separator, Sequence[str]]:
    """Of the names, for each separator those that it has, or that nobody has: it will say what helps."""
    listed = _listed(separators)
    there = {address: {one.name for one in models if is_there(one)} for address, models in listed.items()}
    anywhere = set().union(*there.values())
    shares = {one: [name for name in names if name in there[one.address] or name not in anywhere] for one in separators}
    return {one: share for one, share in shares.items() if share}


def _listed(separators: Sequence[Separator]) -> dict[str, list[Model]]:
    request = pb.ListLocalModelsRequest()
    calls = [(one, one.stub.ListLocalModels.future(request, timeout=_ASK_TIMEOUT_S)) for one in separators]
    return {one.address: _models(answer.models) for one, answer in _answers(calls)}


def _overall(progress: PullProgress, finished_count: int, separator_count: int) -> PullProgress:
    before_bytes = finished_count * progress.total_bytes
    return replace(progress, done_bytes=(before_bytes + progress.done_bytes) // separator_count)


def _models(messages: Iterable[models_pb2.Model]) -> list[Model]:
    return list(map(model_from_proto, messages))


def _answers(
    calls: Sequence[tuple[Separator, Any]], cancellation: Cancellation | None = None
) -> Iterator[tuple[Separator, Any]]:
    """The answers to calls that are under way; when one fails, or the caller leaves, all are given up."""
    try:
        for _, call in calls:
            if cancellation:
                cancellation.on_request(call.cancel)
        for one, call in calls:
            with _answering(one):
                answer = call.result()
            if cancellation:
                cancellation.raise_if_requested()  # an answer may have been on its way already
            yield one, answer
    finally:
        for _, call in calls:
            call.cancel()


@contextmanager
def _telling_what_is_done(address: str, added: Mapping[str, object]) -> Iterator[None]:
    """An error inside the block says whose it is, and who has installed the model before, if anybody has."""
    try:
        yield
    except StemhouseError as error:
        if not added:
            raise
        message = f"{', '.join(added)} installed it, but {address} did not: {error.message}"
        raise type(error)(message, error.details) from error


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
