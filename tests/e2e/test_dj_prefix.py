"""Stems for DJ programs below a prefix of an object store: as in a folder, through the CLI, on a real SeaweedFS."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import soundfile
from pyrekordbox.rbxml import RekordboxXml

from stemhouse.local.home import HOME_VARIABLE
from stemhouse.local.record import read_record
from stemhouse.local.store import STORE, store_settings
from stemhouse.platform.object_stores import s3_client
from tests.e2e.conftest import Stack
from tests.e2e.test_production import RATE_HZ, loop, null_depth_db

pytestmark = pytest.mark.stack

BUCKET = "dj-prefix"
THERE = "/Volumes/USB & Ω"


class Bucket:
    """A bucket of the stack's own store, as somebody else sees it."""

    def __init__(self, stack: Stack) -> None:
        record = read_record(stack.home)
        assert record
        settings = store_settings(stack.home, record.children[STORE].address)
        self.variables = {
            "STEMHOUSE_MUSIC_STORE__ENDPOINT": settings.endpoint,
            "STEMHOUSE_MUSIC_STORE__CREDENTIALS_FILE": str(settings.credentials_file),
        }
        self.client = s3_client(settings)
        self._stack = stack

    def objects(self, prefix: str) -> dict[str, tuple[str | None, object]]:
        """Names below a prefix, with what changes whenever one is written."""
        found = self.client.list_objects(BUCKET, f"{prefix}/", recursive=True)
        return {str(one.object_name).removeprefix(f"{prefix}/"): (one.etag, one.last_modified) for one in found}

    def fetch(self, url: str, folder: Path) -> Path:
        """The bytes of an object."""
        key = url.removeprefix(f"s3://{BUCKET}/")
        target = folder / key
        self.client.fget_object(BUCKET, key, str(target))
        return target

    def export(self, stem_dir: Path, prefix: str) -> Mapping[str, Any]:
        """For rekordbox, without a fault."""
        answer = self._stack.cli(*command(stem_dir, prefix), **self.variables)
        assert answer.returncode == 0, answer.stderr
        told: dict[str, Any] = json.loads(answer.stdout)
        return {**told, "notes": answer.stderr}


def command(stem_dir: Path, prefix: str) -> list[str]:
    """What is asked of the CLI."""
    place = ("--output", f"s3://{BUCKET}/{prefix}", "--map", f"{THERE}=s3://{BUCKET}")
    return ["export-dj", str(stem_dir), "--target", "rekordbox", *place, "--json"]


@pytest.fixture(scope="module")
def bucket(stack: Stack) -> Bucket:
    """An empty one."""
    found = Bucket(stack)
    found.client.make_bucket(BUCKET)
    return found


@pytest.fixture(scope="module")
def stem_dir(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The delivered stems of a loop, which the stack may know already."""
    folder = tmp_path_factory.mktemp("prefix")
    soundfile.write(folder / "loop é.wav", loop(), RATE_HZ, "PCM_24")
    answer = stack.cli("separate", folder / "loop é.wav", "--engine", "starter", "--output", folder / "stems", "--json")
    assert answer.returncode == 0, answer.stderr
    return Path(json.loads(answer.stdout)["tracks"][0]["folder"])


def test_prefix_gets_what_a_folder_gets(bucket: Bucket, stem_dir: Path, tmp_path: Path) -> None:
    """Files that sum to the mix, and a collection that names them where the program finds them.

    A repeat of the command writes nothing, and what somebody has edited meanwhile stays.
    """
    told = bucket.export(stem_dir, "club/stems")
    *urls, _ = told["tracks"][0]["files"]
    files = [bucket.fetch(url, tmp_path) for url in urls]
    assert null_depth_db(files, loop()) <= -90.0
    collection = RekordboxXml(bucket.fetch(told["lists"][0], tmp_path))
    locations = [collection.get_track(place)["Location"].lstrip("/") for place in range(2)]
    assert locations == [url.replace(f"s3://{BUCKET}", THERE.lstrip("/")) for url in urls]
    assert f"{THERE}/club/stems" in " ".join(told["steps"])
    before = bucket.objects("club/stems")
    again = bucket.export(stem_dir, "club/stems")
    assert (again["tracks"][0]["is_reused"], again["lists_are_reused"]) == (True, True)
    assert bucket.objects("club/stems") == before
    time.sleep(1.1)  # an object store tells whole seconds
    key = urls[0].removeprefix(f"s3://{BUCKET}/")
    bucket.client.put_object(BUCKET, key, io.BytesIO(b"edited"), 6)
    edited = bucket.export(stem_dir, "club/stems")
    assert edited["tracks"][0]["edited"] == [urls[0]]
    assert bucket.fetch(urls[0], tmp_path).read_bytes() == b"edited"


def test_killed_export_leaves_nothing_behind(bucket: Bucket, stack: Stack, stem_dir: Path) -> None:
    """The next run removes what was begun: the same objects are there as if nobody had killed it."""
    bucket.export(stem_dir, "whole")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STEMHOUSE_")}
    running = subprocess.Popen(
        [sys.executable, "-m", "stemhouse.cli.main", *command(stem_dir, "killed")],
        env={**environment, HOME_VARIABLE: str(stack.home.root), **bucket.variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not bucket.objects("killed") and running.poll() is None:
        time.sleep(0.002)
    running.kill()
    running.wait(30)
    assert any("unfinished" in name for name in bucket.objects("killed"))
    bucket.export(stem_dir, "killed")
    assert bucket.objects("killed").keys() == bucket.objects("whole").keys()


@pytest.mark.parametrize(
    ("place", "path_map", "message"),
    [
        (f"s3://{BUCKET}/x", "/Volumes/USB=/mnt/usb", f"--map /its/path=s3://{BUCKET}/x says where that is"),
        ("s3://no-such-bucket/x", "/Volumes/USB=s3://no-such-bucket", "there is no bucket of s3://no-such-bucket/x"),
    ],
)
def test_prefix_that_is_no_use_is_told(
    bucket: Bucket, stack: Stack, stem_dir: Path, place: str, path_map: str, message: str
) -> None:
    """Before anything is made."""
    wish = ("--target", "rekordbox", "--output", place, "--map", path_map)
    answer = stack.cli("export-dj", stem_dir, *wish, **bucket.variables)
    assert (answer.returncode, message in answer.stderr) == (2, True), answer.stderr


def test_store_that_is_not_named_is_asked_for(stack: Stack, stem_dir: Path) -> None:
    """By the names of its variables."""
    answer = stack.cli(*command(stem_dir, "x"))
    assert "STEMHOUSE_MUSIC_STORE" in answer.stderr
    assert answer.returncode != 0
