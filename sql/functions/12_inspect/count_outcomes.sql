create or replace function locaria.count_outcomes()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_from bigint;
  v_to bigint;
  v_open bigint[];
  v_still bigint[];
  v_count integer;
begin
  select last_run, open_runs into v_from, v_open from locaria.counted_runs for update;
  -- Not the youngest: a lower number may still be on its way to its commit. At most 10,000 at a time.
  select coalesce(max(r.id), v_from) into v_to
  from (select id, started from locaria.runs where id > v_from order by id limit 10000) as r
  where r.started < locaria.clock() - interval '10 seconds';

  with seen as (
    select id, container, outcome, ended - started as took from locaria.runs where id > v_from and id <= v_to
    union all
    select id, container, outcome, ended - started from locaria.runs where id = any (v_open)
  ), counted as (
    insert into locaria.outcomes as o (container, outcome, runs, seconds, runs_within)
    select container, outcome, count(*), coalesce(sum(extract(epoch from took)), 0), array[
      count(*) filter (where took <= '1 s'), count(*) filter (where took <= '10 s'),
        count(*) filter (where took <= '1 min'),
      count(*) filter (where took <= '5 min'), count(*) filter (where took <= '30 min'),
        count(*) filter (where took <= '2 h')
    ]
    from seen where outcome is not null
    group by container, outcome
    on conflict (container, outcome) do update set
      runs = o.runs + excluded.runs,
      seconds = o.seconds + excluded.seconds,
      runs_within = array(select a + b from unnest(o.runs_within, excluded.runs_within) with ordinality as n (a, b, i)
        order by i)
  )
  select count(*) filter (where outcome is not null), coalesce(array_agg(id) filter (where outcome is null), '{}')
  into v_count, v_still
  from seen;
  update locaria.counted_runs set last_run = v_to, open_runs = v_still where (last_run, open_runs) is distinct
    from (v_to, v_still);
  return v_count;
end
$$;
comment on function locaria.count_outcomes() is
  'A step of tick(): adds the runs that have ended to outcomes. Returns how many.';
