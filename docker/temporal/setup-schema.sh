#!/bin/sh
# Makes or updates the two databases of the Temporal server; safe to repeat. Runs in temporalio/admin-tools.
set -eu
SQL_PASSWORD="$(cat /run/secrets/temporal_postgres_password)"
export SQL_PASSWORD

for database in temporal temporal_visibility; do
  case "$database" in
    temporal) schema=temporal ;;
    *) schema=visibility ;;
  esac
  set -- --plugin postgres12 --ep "$TEMPORAL_POSTGRES_HOST" -p 5432 -u temporal --db "$database"
  temporal-sql-tool "$@" create
  temporal-sql-tool "$@" setup-schema -v 0.0
  temporal-sql-tool "$@" update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
