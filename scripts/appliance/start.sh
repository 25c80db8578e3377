#!/bin/sh
# Starts the appliance's server; all that it keeps lies in its working directory, /data.
set -eu
mkdir -p specs .config/containers
# shellcheck disable=SC2086 # flags are words
exec node /opt/lxdocker/serve.js --workers 1 --http 127.0.0.1:8080 \
	--build-every "${BUILD_EVERY:-6h}" ${SERVER_NAME:+--name "$SERVER_NAME"} ${SERVER_FLAGS-}
