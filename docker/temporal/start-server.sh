#!/bin/sh
# The server's own start script, with its password from a secret file instead of a variable of the container.
set -eu
POSTGRES_PWD="$(cat /run/secrets/temporal_postgres_password)"
export POSTGRES_PWD
exec /etc/temporal/entrypoint.sh
