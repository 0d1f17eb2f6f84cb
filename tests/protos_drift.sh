#!/bin/sh
# Fails if stemhouse/v1 is not what `make protos` makes of protos/ now.
set -eu
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$BIN/python" -m grpc_tools.protoc -I protos --python_out="$fresh" --grpc_python_out="$fresh" \
    --mypy_out=quiet:"$fresh" --mypy_grpc_out=quiet:"$fresh" --plugin=protoc-gen-mypy="$BIN/protoc-gen-mypy" \
    --plugin=protoc-gen-mypy_grpc="$BIN/protoc-gen-mypy_grpc" protos/stemhouse/v1/*.proto
diff -r -x __init__.py -x __pycache__ "$fresh/stemhouse/v1" stemhouse/v1 || {
    echo "stubs are not up to date: run make protos" >&2
    exit 1
}
