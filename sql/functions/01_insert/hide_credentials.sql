-- attributes.parameters.credentials takes precedence over attributes.credentials.
create or replace function locaria.hide_credentials()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_credentials jsonb;
begin
  if jsonb_typeof(new.attributes) <> 'object' then
    return new;
  end if;
  v_credentials := coalesce(
    case
      when jsonb_typeof(new.attributes -> 'parameters') = 'object' then new.attributes -> 'parameters' -> 'credentials'
    end,
    new.attributes -> 'credentials'
  );
  new.attributes := new.attributes - 'credentials';
  if jsonb_typeof(new.attributes -> 'parameters') = 'object' then
    new.attributes := new.attributes #- '{parameters,credentials}';
  end if;
  if jsonb_typeof(v_credentials) <> 'null' and v_credentials <> '{}' then
    insert into locaria.file_credentials as k (file_id, credentials)
    values (new.id, v_credentials)
    on conflict (file_id) do update set credentials = excluded.credentials;
  else
    delete from locaria.file_credentials where file_id = new.id;
  end if;
  return new;
end
$$;
comment on function locaria.hide_credentials() is
  'Moves credentials from the attributes of a file to file_credentials. null or {} removes the stored credentials.';
