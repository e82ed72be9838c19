create or replace function locaria.find_files(
  p_conditions text,
  p_attributes jsonb,
  p_container text,
  p_after bigint,
  p_before bigint,
  p_limit integer,
  out ids bigint[],
  out next bigint
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Conditions that no index serves are checked row by row, for at most this many rows; then the page ends early.
  v_most constant integer := 20000;
  v_slow boolean := p_attributes is not null or p_container is not null;
  v_forwards boolean := p_before is not null and p_after is null;
  v_batch integer := p_limit + 1;
  v_seen integer := 0;
  v_from bigint := coalesce(p_after, 9223372036854775807);
  v_to bigint := coalesce(p_before, 0);
  v_found record;
begin
  ids := '{}';
  loop
    execute format(
      'select coalesce(array_agg(c.id order by c.id desc) filter (where c.fits), ''{}'') as fitting, count(*) as '
        'looked_at, min(c.id) as lowest, max(c.id) as highest from (
         select f.id, %s as fits from locaria.files f where %s and f.id < $1 and f.id > $2 order by f.id %s limit $3
       ) as c',
      case when v_slow then '($4 is null or f.attributes @> $4) and ($5 is null or $5 = coalesce(f.container,
        (select s.container from locaria.statuses s where s.status = f.status),
        (select r.container from locaria.runs r where r.file_id = f.id order by r.id desc limit 1)))' else 'true' end,
      p_conditions, case when v_forwards then 'asc' else 'desc' end)
    into v_found using v_from, v_to, v_batch, p_attributes, p_container;
    v_seen := v_seen + v_found.looked_at;
    ids := case when v_forwards then v_found.fitting || ids else ids || v_found.fitting end;
    exit when cardinality(ids) > p_limit or v_found.looked_at < v_batch or v_seen >= v_most;
    v_from := case when v_forwards then v_from else v_found.lowest end;
    v_to := case when v_forwards then v_found.highest else v_to end;
    v_batch := least(v_most - v_seen, 4000);
  end loop;
  if v_forwards then
    ids := ids[greatest(1, cardinality(ids) - p_limit + 1):];
    next := coalesce(ids[cardinality(ids)], least(p_before, 9223372036854775806) + 1);
  elsif cardinality(ids) > p_limit then
    ids := ids[:p_limit];
    next := ids[p_limit];
  elsif v_found.looked_at = v_batch and v_seen >= v_most then
    next := v_found.lowest;
  end if;
end
$$;
comment on function locaria.find_files(text, jsonb, text, bigint, bigint, integer) is
  'One page of files, by key: their ids, newest first, and the key of the next page. Reads at most about 20,000 '
  'rows.';
