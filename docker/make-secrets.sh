#!/bin/sh
# Draws every secret of docker-compose.yaml that can be drawn, into files that are never part of the repository.
# Existing files stay as they are: a new key could not open what the old one stored.
#   sh docker/make-secrets.sh [folder, default secrets]
set -eu
folder="${1:-secrets}"
umask 077
mkdir -p "$folder"
# Only its owner can pass through the folder; the files are readable since containers have users of their own.
chmod 700 "$folder"

put() {
  if [ ! -s "$folder/$1" ]; then
    printf '%s\n' "$2" >"$folder/$1"
    chmod 444 "$folder/$1"
    echo "made $folder/$1"
  fi
}
password() { openssl rand -hex 24; }
url() { echo "postgresql://$1:$(password)@postgres:5432/$2"; }

put postgres_password "$(password)"
put database_admin_url "postgresql://postgres:$(cat "$folder/postgres_password")@postgres:5432/postgres"
put database_owner_url "$(url tradeguard_owner tradeguard)"
put database_url "$(url tradeguard_app tradeguard)"
put database_backup_url "$(url tradeguard_backup tradeguard)"
put database_drill_url "$(url tradeguard_drill postgres)"
put temporal_postgres_password "$(password)"
put session_secret "$(openssl rand -base64 48 | tr -d '\n')"
put encryption_key "$(openssl rand -base64 32)"
put audit_key "$(openssl rand -base64 32)"
put metrics_token "$(openssl rand -hex 32)"

for name in smtp_url; do
  if [ ! -s "$folder/$name" ]; then
    echo "still to write: $folder/$name (smtps://user:password@host:465), then: chmod 444 $folder/$name"
  fi
done
echo "Keep copies of encryption_key and audit_key away from this machine: without them no backup can be read."
