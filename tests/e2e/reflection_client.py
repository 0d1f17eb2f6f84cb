"""A client that knows an address and nothing else: no stubs, no Stemhouse package; all by server reflection.

usage: python reflection_client.py ROUTER_ADDRESS FILE
Prints the finished job as JSON.
"""

import hashlib
import sys
import uuid
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

_DEADLINE_S = 120
_CHUNK_BYTES = 1 << 20


class Service:
    """Calls the methods of one service as its reflected descriptors describe them."""

    def __init__(self, channel: grpc.Channel, name: str) -> None:
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        self._channel = channel
        self._descriptor = pool.FindServiceByName(name)

    def message(self, method: str, **fields: Any) -> Any:
        """A request of the method."""
        return message_factory.GetMessageClass(self._descriptor.methods_by_name[method].input_type)(**fields)

    def call(self, method: str, request: Any) -> Any:
        """Call it, whatever its kind of streaming."""
        descriptor = self._descriptor.methods_by_name[method]
        answer = message_factory.GetMessageClass(descriptor.output_type)
        kind = ("stream" if descriptor.client_streaming else "unary") + (
            "_stream" if descriptor.server_streaming else "_unary"
        )
        path = f"/{self._descriptor.full_name}/{method}"
        invoke = getattr(self._channel, kind)(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return invoke(request, timeout=_DEADLINE_S)


def main(address: str, file: Path) -> None:
    """Upload, submit, watch, print."""
    content = file.read_bytes()
    with grpc.insecure_channel(address) as channel:
        router = Service(channel, "stemhouse.v1.RouterService")
        chunks = (content[start : start + _CHUNK_BYTES] for start in range(0, len(content), _CHUNK_BYTES))
        parts: list[dict[str, Any]] = [{"file_name": file.name}, *({"chunk": chunk} for chunk in chunks)]
        source = router.call("UploadTrack", (router.message("UploadTrack", **part) for part in parts)).source
        assert source.sha256 == hashlib.sha256(content).hexdigest()
        submit = router.message("SubmitSeparation", request_id=uuid.uuid4().hex)
        submit.request.source.CopyFrom(source)
        submit.request.engine = "auto"
        job = router.call("SubmitSeparation", submit).job
        for update in router.call("WatchJob", router.message("WatchJob", job_id=job.job_id)):
            job = update.job
    assert "stemhouse" not in sys.modules
    print(json_format.MessageToJson(job))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
