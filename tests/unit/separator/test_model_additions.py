"""Models of one's own: which files make one, what is refused, and what a refusal leaves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.separator.core.model_additions import Addition
from services.separator.core.models import InspectModelTask, ModelShape, demucs_spec
from stemhouse.audio import AudioFormat, SourceRef
from stemhouse.errors import EngineUnavailable, ModelRejected
from stemhouse.models import Model, ModelState
from stemhouse.vocab import BASE_STEMS
from tests.fakes import MemoryObjectStore
from tests.fakes_separator import stored_model_file
from tests.model_house import ModelHouse, file_of, model_entry, noise, wanted
from tests.tiny_demucs import save_pickle, save_safetensors, tiny_htdemucs

GOOD = noise(1)
CUT = GOOD[:60_000]
TAMPERED = GOOD[:-1] + bytes([GOOD[-1] ^ 1])
OTHER = noise(2)
LAUGHS = b"x0: &x0 [a]\n" + b"".join(b"x%d: &x%d [*x%d, *x%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 30))
"""Half a kilobyte of YAML that stands for a thousand million values."""
SHAPE = ModelShape(("vocals", "other"), AudioFormat(32000, 2))


@pytest.fixture
def house(tmp_path: Path) -> ModelHouse:
    """Nothing is installed."""
    return ModelHouse(tmp_path)


class Inspector:
    """Stands for the device worker: sees the staged files, and gives a shape or refuses."""

    def __init__(self, error: Exception | None = None, shape: ModelShape = SHAPE) -> None:
        self.error = error
        self.shape = shape
        self.seen: dict[str, bytes] = {}

    def __call__(self, task: InspectModelTask) -> ModelShape:
        """See Worker.run."""
        self.seen = {file.name: (Path(task.folder) / file.name).read_bytes() for file in task.entry.files}
        if self.error:
            raise self.error
        return self.shape


def add(house: ModelHouse, *files: SourceRef, name: str = "mine", inspect: Inspector | None = None) -> Model:
    """Add files that lie in the store."""
    return house.store.add(Addition(name, files, ""), inspect or Inspector(), wanted)


def upload(house: ModelHouse, content: bytes, file_name: str = "aa.th") -> SourceRef:
    """Put a file where the router would."""
    return stored_model_file(house.objects, content, file_name)


def test_checkpoints_of_demucs_are_added_as_they_are(house: ModelHouse, tmp_path: Path) -> None:
    """Through demucs' own loading path, in both forms; truncated ones, and weights of another shape, are refused."""
    from services.separator.adapters.demucs.engine import DemucsModels  # noqa: PLC0415 - loads PyTorch, for this test

    models = DemucsModels()

    def inspect(task: InspectModelTask) -> ModelShape:
        return models.inspect(Path(task.folder), task.entry)

    paths = [save_pickle(tiny_htdemucs(seed=1), tmp_path, "0000aaaa"), tmp_path / "bb.safetensors"]
    save_safetensors(tiny_htdemucs(seed=2), paths[1])
    files = [upload(house, path.read_bytes(), path.name) for path in paths]
    bag = upload(house, b"models: ['0000aaaa', 'bb']\nweights: [[1, 0, 1, 0], [0, 1, 1, 1]]", "two.yaml")
    model = house.store.add(Addition("two", (*files, bag), "Random."), inspect, wanted)
    assert (model.state, model.stems) == (ModelState.INSTALLED, BASE_STEMS)
    (entry,) = house.store.survey(["demucs"]).usable
    assert models.load(house.root / "two", entry).spec.engine_id == demucs_spec(entry).engine_id
    for number, path in enumerate(paths):
        cut = upload(house, path.read_bytes()[:-1000], f"{number}{path.suffix}")
        with pytest.raises(ModelRejected, match=f"{number}{path.suffix} is not a checkpoint of demucs"):
            house.store.add(Addition("cut", (cut,)), inspect, wanted)
    narrow = upload(house, b"models: ['0000aaaa', 'bb']\nweights: [[1, 0], [0, 1]]", "narrow.yaml")
    with pytest.raises(ModelRejected, match="weights"):
        house.store.add(Addition("narrow", (*files, narrow)), inspect, wanted)
    assert sorted(path.name for path in house.root.iterdir() if path.is_dir()) == ["two"]


def test_added_checkpoint_is_looked_into_and_recorded(house: ModelHouse) -> None:
    """What only the loaded model tells, and that nobody gave a licence."""
    inspect = Inspector()
    model = add(house, upload(house, OTHER), inspect=inspect)
    assert inspect.seen == {"aa.th": OTHER}
    assert (model.stems, model.licence_note, model.origin) == (SHAPE.stems, "none given", "added by its user")
    assert house.installed_files("mine") == {"aa.th", "model.json"}
    (entry,) = house.store.survey(["demucs"]).usable
    assert (entry.audio_format, entry.weights, entry.segment_s) == (SHAPE.audio_format, None, None)
    assert house.store.verify(["mine"], wanted) == (model,)


def test_added_bag_keeps_order_weights_and_segment(house: ModelHouse) -> None:
    """As its YAML file has them, whatever the order of the upload."""
    first, second = noise(3), noise(4)
    digest = file_of("", second).sha256
    bag = b"models: ['0a1b2c3d', 'ffff']\nweights: [[1, 0.5], [0, 0.5]]\nsegment: 44\n"
    files = [
        upload(house, second, f"ffff-{digest[:8]}.th"),
        upload(house, bag, "mine.yaml"),
        upload(house, first, "0a1b2c3d.safetensors"),
    ]
    add(house, *files)
    (entry,) = house.store.survey(["demucs"]).usable
    assert [file.name for file in entry.files] == ["0a1b2c3d.safetensors", f"ffff-{digest[:8]}.th"]
    assert (entry.weights, entry.segment_s) == (((1, 0.5), (0, 0.5)), 44)


@pytest.mark.parametrize(
    ("bag", "reason"),
    [
        (b"models: [aa, bb]", "models are aa, bb, but the checkpoints are aa.th"),
        (b"models: [bb]", "but the checkpoints are aa.th"),
        (b"models: [aa, aa]", "models are aa, aa"),
        (b"models: [12]", "in quotation marks"),
        (b"models: aa", "must be a list"),
        (b"models: [" + b"a" * 60_000 + b"]", "must be a list"),
        (b"models: [aa]\nsegment: " + b"a" * 60_000, "segment is 'aaa"),
        (b"weights: [[1]]", "must be a list"),
        (b"models: [aa]\nweights: [[1], [1]]", "weights must have 1 rows"),
        (b"models: [aa]\nweights: [[.nan]]", "finite"),
        (b"models: [aa]\nsegment: -4", "segment is -4"),
        (b"- aa", "holds no fields"),
        (b"", "holds no fields"),
        (b"models: [aa", "does not make a model"),
        (LAUGHS + b"segment: *x29", "aliases are not taken"),
        (LAUGHS + b"models: *x29", "aliases are not taken"),
        (b"models: [aa]\n<<: {segment: 4}", "merge keys are not taken"),
        (b"models: " + b"[" * 9 + b"]" * 9, "more than 8 levels are not taken"),
        (b"models: !<" + b"a" * 60_000 + b"> aa", "does not make a model"),
        (b"models: [aa]\nsegment: [" + b"[a, b, c], " * 5000 + b"]", "segment is [['a', 'b', 'c'],"),
        (b"models: !!python/object/apply:os.getcwd []", "does not make a model"),
        (b"[" * 400, "does not make a model"),
        (b"models: [aa]\nsegment: !!bool x", "one of its values cannot be made (KeyError"),
        (b"models: [aa]\nsegment: !!timestamp x", "segment is 'x'"),
    ],
)
def test_bad_bag_is_refused_with_the_reason(bag: bytes, reason: str, house: ModelHouse) -> None:
    """And nothing in it is ever executed."""
    with pytest.raises(ModelRejected, match=r"mine\.yaml") as caught:
        add(house, upload(house, OTHER), upload(house, bag, "mine.yaml"))
    assert reason in caught.value.message
    assert len(caught.value.message) < 1000  # it has to fit into the head of an answer
    assert not (house.root / "mine").exists()


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["aa.pt"], "'aa.pt' is not the plain name of a checkpoint"),
        (["aa.ckpt"], "a model of UVR is one .onnx or .ckpt and one .yaml or .yml or .json with its parameters"),
        (["../aa.th"], "is not the plain name"),
        (["aa-00000000.th"], "does not hold what its name says"),
        (["aa.th", "bb.th"], "2 checkpoints without a YAML file"),
        (["mine.yaml"], "0 checkpoints"),
        (["aa.th", "one.yaml", "two.yml"], "more than one bag: one.yaml, two.yml"),
    ],
)
def test_other_files_are_refused_with_the_reason(names: list[str], reason: str, house: ModelHouse) -> None:
    """Before anything is fetched."""
    with pytest.raises(ModelRejected, match="do not make a model") as caught:
        add(house, *(upload(house, name.encode(), name) for name in names))
    assert reason in caught.value.message


def test_two_checkpoints_of_one_signature_are_refused(house: ModelHouse) -> None:
    """Which one the bag means could not be told."""
    files = [upload(house, OTHER, "aa.th"), upload(house, GOOD, "aa.safetensors")]
    with pytest.raises(ModelRejected, match="two checkpoints have one signature"):
        add(house, *files, upload(house, b"models: [aa]", "mine.yaml"))


def test_file_that_is_no_model_leaves_nothing_behind(house: ModelHouse) -> None:
    """And not an older model of that name damaged."""
    refusal = Inspector(ModelRejected("aa.th is no checkpoint"))
    with pytest.raises(ModelRejected, match="no checkpoint"):
        add(house, upload(house, OTHER), inspect=refusal)
    assert not (house.root / "mine").exists()
    older = add(house, upload(house, GOOD))
    with pytest.raises(ModelRejected, match="no checkpoint"):
        add(house, upload(house, GOOD), inspect=refusal)
    assert house.store.verify(["mine"], wanted) == (older,)
    assert house.installed_files("mine") == {"aa.th", "model.json"}


@pytest.mark.parametrize("content", [CUT, TAMPERED, OTHER], ids=["truncated", "tampered", "wrong digest"])
def test_add_refuses_what_was_not_uploaded(content: bytes, house: ModelHouse) -> None:
    """The object is held against the digest under which it was uploaded."""
    source = upload(house, GOOD)
    house.objects.objects[f"model-uploads/{source.sha256}"] = content
    inspect = Inspector()
    with pytest.raises(ModelRejected, match=r"aa\.th from s3:model-uploads/.* is not what was promised"):
        add(house, source, inspect=inspect)
    assert inspect.seen == {}
    assert not (house.root / "mine").exists()


def test_bag_file_that_was_altered_is_refused(house: ModelHouse) -> None:
    """It decides how the networks are weighed."""
    bag = upload(house, b"models: [aa]\nsegment: 4", "mine.yaml")
    house.objects.objects[f"model-uploads/{bag.sha256}"] = b"models: [aa]\nsegment: 9"
    with pytest.raises(ModelRejected, match=r"mine\.yaml is not the file that was uploaded"):
        add(house, upload(house, OTHER), bag)


def test_file_that_was_not_uploaded_is_told(house: ModelHouse) -> None:
    """And how to help."""
    source = upload(house, OTHER)
    house.objects.objects.clear()
    with pytest.raises(EngineUnavailable, match=r"aa\.th has to be uploaded first"):
        add(house, source)


def test_name_of_the_catalogue_means_the_files_of_the_catalogue(house: ModelHouse) -> None:
    """Others cannot take it; the same ones are installed as if they had been pulled, whatever they were called."""
    with pytest.raises(ModelRejected, match="htdemucs is a name of the catalogue, and these are not its files"):
        add(house, upload(house, OTHER), name="htdemucs")
    assert house.store.models()[0].state is ModelState.AVAILABLE
    add(house, upload(house, GOOD, "copy.safetensors"), name="htdemucs")
    assert house.store.models() == (model_entry().in_state(ModelState.INSTALLED),)
    assert house.installed_files() == {"aa.safetensors", "model.json"}


def test_name_of_an_installed_model_means_that_model(house: ModelHouse) -> None:
    """Nobody's model is replaced by another one; the same files mend it, but not with other weights."""
    add(house, upload(house, OTHER))
    inspect = Inspector()
    with pytest.raises(ModelRejected, match=r"mine is installed already, with other files \(aa\.th\): choose another"):
        add(house, upload(house, GOOD), inspect=inspect)
    with pytest.raises(ModelRejected, match="mine is installed already"):
        add(house, upload(house, OTHER), upload(house, b"models: [aa]\nsegment: 4", "mine.yaml"), inspect=inspect)
    assert inspect.seen == {}
    (house.root / "mine" / "aa.th").write_bytes(CUT)
    add(house, upload(house, OTHER))
    assert house.store.verify(["mine"], wanted)[0].state is ModelState.INSTALLED


def test_name_of_the_built_in_model_cannot_be_taken(house: ModelHouse) -> None:
    """Two engines of one model could not be told apart."""
    with pytest.raises(ModelRejected, match="spleeter-2stems is the model of the built-in engine: choose another name"):
        add(house, upload(house, OTHER), name="spleeter-2stems")


def test_added_model_can_be_read_again(house: ModelHouse) -> None:
    """What its record would not hold is refused now, not silently with the next track."""
    caps = Inspector(shape=ModelShape(("Vocals", "other"), AudioFormat(44100, 2)))
    with pytest.raises(ModelRejected, match="mine cannot be installed: a stem is 'Vocals', it must match"):
        add(house, upload(house, GOOD), inspect=caps)
    assert not (house.root / "mine").exists()


class GenerousStore(MemoryObjectStore):
    """Has more of everything than anybody would want to hold."""

    def read(self, key: str, offset_bytes: int = 0) -> Iterator[bytes]:
        """See ObjectStore.read."""
        yield from [b"models: [aa] #"] * 2
        pytest.fail(f"{key} was read on, from {offset_bytes}")


def test_bag_file_is_not_held_beyond_its_size(house: ModelHouse) -> None:
    """Whoever calls it small may not have gigabytes of it read."""
    house.objects = GenerousStore()
    with pytest.raises(ModelRejected, match=r"mine\.yaml is not the file that was uploaded"):
        add(house, upload(house, OTHER), upload(house, b"models: [aa] #", "mine.yaml"))


def test_model_that_hears_one_channel_is_refused(house: ModelHouse) -> None:
    """It could not take a stereo track, and `auto` would choose it for one."""
    mono = Inspector(shape=ModelShape(("vocals", "other"), AudioFormat(44100, 1)))
    with pytest.raises(ModelRejected, match="1 channels: only stereo"):
        add(house, upload(house, GOOD), inspect=mono)
    assert not (house.root / "mine").exists()
