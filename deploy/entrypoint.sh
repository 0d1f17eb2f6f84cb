#!/bin/sh
# Without arguments the service that the image was built for; with arguments another program of it, say
# `python -m services.separator.pull htdemucs`.
set -eu
if [ "$#" -gt 0 ]; then
    exec "$@"
fi
exec python -m "services.${STEMHOUSE_SERVICE%-cloud}.main"
