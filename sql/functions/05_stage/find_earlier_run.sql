create or replace function locaria.find_earlier_run(
  p_run bigint,
  p_same text[]
)
returns bigint
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform locaria.require_run(p_run);
  return (
    with living as (
      select r.id, r.file_id,
        case
          when jsonb_typeof(f.attributes -> 'parameters') = 'object' then f.attributes -> 'parameters' else f.attributes
        end as given
      from locaria.files f
      join locaria.runs r on r.id = f.claimed_by
      left join locaria.run_progress p on p.run_id = r.id
      where f.claimed_by <= p_run and r.container = (select container from locaria.runs where id = p_run)
        and greatest(p.lease_until, r.lease_until) >= locaria.clock()
    )
    select l.file_id from living l, living mine
    where mine.id = p_run and l.id < p_run
      and not exists (
        select from unnest(p_same) as k (name) where l.given -> k.name is distinct from mine.given -> k.name
      )
    order by l.id limit 1
  );
end
$$;
comment on function locaria.find_earlier_run(bigint, text[]) is
  'The file of the oldest living run of the same container that started before this run and has the same values '
  'for these parameters; null if there is none. A loader can wait for it and then skip the work. Error: LC001.';
