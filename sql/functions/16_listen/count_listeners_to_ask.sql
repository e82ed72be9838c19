create or replace function locaria.count_listeners_to_ask(
  p_container text,
  p_living integer,
  p_idle integer,
  p_starting integer
)
returns integer
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
  -- Counts at most a thousand, because this runs at every commit that inserts a command.
  select case
    when d.listening = 0 then least(d.commands, greatest(0, 1 - p_living - p_starting))
    else greatest(0, d.listening - p_idle - p_starting)
  end::integer
  from (
    select count(*) filter (where not w.is_command) as listening, count(*) filter (where w.is_command) as commands
    from (
      select f.attributes ? 'command' as is_command from locaria.files f
      where coalesce(f.container, f.status) = any (locaria.queue_keys(p_container)) and f.claimed_by is null
        and f.finished is null
        and f.run_after <= locaria.clock()
      limit 1000
    ) as w
  ) as d
$$;
comment on function locaria.count_listeners_to_ask(text, integer, integer, integer) is
  'How many tasks of a listener to start: one for each listening file that no idle or starting task will take, '
  'because it keeps its task for good; for commands one, and only if none is alive or starting, because a task '
  'takes them while it listens.';
