"""The plainest client, for the fake's own tests: one call, one connection, every reply held against its shape."""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import soundfile

from tests.fake_lalal.dsp import Audio
from tests.fake_lalal.server import FakeLalal
from tests.fake_lalal.shapes import check_reply
from tests.signals import song

SAMPLE_RATE_HZ = 16_000
FOUR_STEMS = {"stem_list": ["vocals", "drum", "bass"], "encoder_format": "wav"}
_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Answered:
    """A reply as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.content)


def audio_file(duration_s: float = 0.5, container: str = "WAV", subtype: str = "PCM_16") -> bytes:
    """A short song in stereo."""
    file = io.BytesIO()
    audio = song(int(duration_s * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    soundfile.write(file, audio.T, SAMPLE_RATE_HZ, format=container, subtype=subtype)
    return file.getvalue()


def read_audio(content: bytes) -> Audio:
    """float32 (channels, frames) of a file."""
    frames, _rate_hz = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    return np.ascontiguousarray(frames.T)


def fetch(
    url: str, method: str = "GET", body: bytes | Iterable[bytes] | None = None, headers: Mapping[str, str] | None = None
) -> Answered:
    """One request on a connection of its own."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=_TIMEOUT_S)
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, dict(headers or {}))
        reply = connection.getresponse()
        return Answered(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
    finally:
        connection.close()


@dataclass(frozen=True)
class Caller:
    """Calls of one fake. Replies that no fault spoils are checked unless `is_trusting`."""

    fake: FakeLalal
    is_trusting: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def post(self, route: str, body: Any = None) -> Answered:
        """A call with the right key; a dictionary goes as JSON, bytes as they are."""
        content = json.dumps(body).encode() if isinstance(body, dict | list) else body
        headers = {"X-License-Key": self.fake.key, **self.headers}
        reply = fetch(f"{self.fake.base_url}/{route}/", "POST", content, headers)
        if not self.is_trusting:
            check_reply(route, reply.status, reply.json)
        return reply

    def upload(self, content: bytes | None = None, name: str = "song.wav") -> str:
        """The id of a source."""
        disposed = {**self.headers, "Content-Disposition": f'attachment; filename="{name}"'}
        source_id: str = (
            Caller(self.fake, self.is_trusting, disposed).post("upload", content or audio_file()).json["id"]
        )
        return source_id

    def submit(self, source_id: str, presets: Any = None, key: str | None = None, kind: str = "multistem") -> Answered:
        """One submission; unless told, of four stems."""
        keyed = {"idempotency_key": key} if key else {}
        return self.post(f"split/{kind}", {"source_id": source_id, "presets": presets or FOUR_STEMS, **keyed})

    def check(self, task_id: str) -> Any:
        """The entry of one task."""
        return self.post("check", {"task_ids": [task_id]}).json["result"].get(task_id)

    def finish(
        self, presets: Any = None, kind: str = "multistem", content: bytes | None = None
    ) -> list[dict[str, Any]]:
        """Upload, submit and wait: the tracks."""
        task_id = self.submit(self.upload(content), presets, kind=kind).json["task_id"]
        self.fake.advance(1_000)
        tracks: list[dict[str, Any]] = self.check(task_id)["result"]["tracks"]
        return tracks
