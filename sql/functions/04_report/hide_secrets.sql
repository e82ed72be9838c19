create or replace function locaria.hide_secrets(
  p_text text,
  p_secrets text[]
)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := p_text;
  v_secret text;
begin
  if p_secrets is not null and p_text is not null then
    foreach v_secret in array p_secrets loop
      v_text := replace(v_text, v_secret, '***');
    end loop;
  end if;
  return v_text;
end
$$;
comment on function locaria.hide_secrets(text, text[]) is 'Replaces each secret in a text by ***.';
