-- Iterates over the distinct priorities in the index files_waiting, so that a million files scheduled for later cost
-- nothing. Uses many small queries, because it runs at every commit that inserts files: a recursive query would
-- do the same, but takes several times as long to set up.
create or replace function locaria.count_due_files(
  p_container text,
  p_at_most integer
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := locaria.clock();
  v_key text;
  v_priority integer;
  v_found integer;
  v_count integer := 0;
begin
  foreach v_key in array locaria.queue_keys(p_container) loop
    v_priority := 32768;
    while v_count < p_at_most loop
      select f.priority into v_priority from locaria.files f
      where coalesce(f.container, f.status) = v_key and f.claimed_by is null and f.finished is null
        and f.priority < v_priority
      order by f.priority desc limit 1;
      exit when not found;
      select count(*) into v_found from (
        select from locaria.files f
        where coalesce(f.container, f.status) = v_key and f.claimed_by is null and f.finished is null
          and f.priority = v_priority and f.run_after <= v_now
        limit p_at_most - v_count
      ) as due;
      v_count := v_count + v_found;
    end loop;
  end loop;
  return v_count;
end
$$;
comment on function locaria.count_due_files(text, integer) is
  'The number of files that a container can claim now; stops counting at p_at_most.';
