-- "if not exists", because the table of migrations is created in this schema before this file runs.
create schema if not exists locaria;
comment on schema locaria is
  'Locaria: inserting a row into locaria.files runs a container. Start with select * from locaria.status; '
  'sql/README.md describes the whole schema.';

create schema locaria_staging;
comment on schema locaria_staging is
  'Tables that running loads fill, one or more per run. Each is published to its target or dropped; keep nothing '
  'of your own here.';

revoke all on schema locaria, locaria_staging from public;
