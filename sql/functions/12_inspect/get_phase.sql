-- The one definition of phase. The view status shows it, count_files counts by it, and get_phase_condition derives from
-- it where the files of a phase are found in the indexes. A single expression without settings of its own, so that the
-- planner inlines it into the view.
create or replace function locaria.get_phase(
  p_kind text,
  p_run_after timestamptz,
  p_attempts integer,
  p_now timestamptz,
  p_due_phase text
)
returns text
language sql
immutable
as $$
  select case
    when p_kind = 'processing' then 'running'
    when p_kind <> 'requested' then p_kind
    when p_run_after = 'infinity' then 'held'
    when p_run_after <= p_now then p_due_phase
    when p_attempts > 0 then 'retrying'
    else 'scheduled'
  end
$$;
comment on function locaria.get_phase(text, timestamptz, integer, timestamptz, text) is
  'The phase of a file, from the kind of its status, its run_after and its attempts. p_due_phase: the phase of the '
  'files of its container that wait and are due, see the view due_phases.';
