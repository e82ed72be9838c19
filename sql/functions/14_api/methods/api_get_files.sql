create or replace function locaria.api_get_files(p_request jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_limit integer := coalesce((p_request ->> 'limit')::numeric::integer, 50);
  v_page record;
begin
  select p.ids, p.next into v_page from locaria.find_files(
    locaria.list_file_conditions(p_request),
    case when p_request ? 'attributes' then p_request -> 'attributes' end,
    locaria.get_asked_container(p_request ->> 'container'),
    (p_request ->> 'after')::numeric::bigint,
    (p_request ->> 'before')::numeric::bigint,
    v_limit
  ) as p;
  return jsonb_build_object('next', v_page.next, 'files', coalesce((
    select jsonb_agg(d.file order by d.id desc) from locaria.describe_files(v_page.ids, true) as d
  ), '[]'));
end
$$;
comment on function locaria.api_get_files(jsonb) is
  'Method get_files: {"files", "next"}, newest first. next is the key of the page that follows (after), null when '
  'there is none.';
