-- "if not exists": the table of migrations is made in it before this file runs.
create schema if not exists locaria;
comment on schema locaria is
  'Locaria: an INSERT into locaria.files runs a container. Start with: select * from locaria.status; the essay is sql/README.md.';

create schema locaria_staging;
comment on schema locaria_staging is
  'Tables that running loads fill, one or more per run. Each is published into its target or dropped; nothing here is to be kept.';

revoke all on schema locaria, locaria_staging from public;
