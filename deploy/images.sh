#!/bin/sh
# Build images: images.sh "SERVICE..." BASE PIP_OPTIONS; what is empty is the default.
# By docker where its daemon answers, else by buildah, which needs none (its options: BUILDAH_OPTIONS, BUILD_OPTIONS).
set -eu
services=${1:-router library exporter separator separator-cloud}
base=${2:-python:3.11-slim-bookworm}
pip_options=${3:-}
build="buildah ${BUILDAH_OPTIONS:-} bud"
if docker info > /dev/null 2>&1; then
    build="docker build"
fi
for service in $services; do
    echo "== stemhouse/$service"
    # shellcheck disable=SC2086 # several options are several words
    $build ${BUILD_OPTIONS:-} -f deploy/Dockerfile --build-arg "SERVICE=$service" --build-arg "BASE=$base" \
        --build-arg "PIP_OPTIONS=$pip_options" -t "stemhouse/$service:${TAG:-0.1.0}" .
done
