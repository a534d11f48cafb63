#!/bin/sh
# Run once, by PostgreSQL's image: the database and the roles, with the passwords of the secrets. `postern migrate` makes
# the rest. postern_migrator is no superuser; it may grant the rights of the other roles.
set -eu

create_role() {
  psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -v role="$1" -v password="$(cat "/run/secrets/$1")" -v options="$2" <<'SQL'
CREATE ROLE :role LOGIN :options PASSWORD :'password';
SQL
}

create_role postern_migrator CREATEROLE
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -c 'CREATE DATABASE postern OWNER postern_migrator'
for role in postern_api postern_scheduler postern_operator; do
  create_role "$role" NOCREATEROLE
  psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -c "GRANT $role TO postern_migrator WITH ADMIN OPTION"
done
