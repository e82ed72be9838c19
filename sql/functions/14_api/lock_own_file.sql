create or replace function locaria.lock_own_file(
  p_file bigint,
  p_what text,
  out refusal jsonb,
  out file locaria.files
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Lock before reading, so that the decision still holds when it is carried out.
  select f.* into file from locaria.files f where f.id = p_file for no key update;
  if not found then
    refusal := locaria.reply_error(404, format('there is no file %s', p_file));
  elsif locaria.caller_role() <> 'operator' and file.submitted_by <> locaria.actor() then
    perform locaria.record_refused_call(p_what || '_file', 'operator');
    refusal := locaria.reply_error(403, format('file %s is not yours: a submitter may %s what he has submitted '
      'himself, an operator every file', p_file, p_what));
  end if;
end
$$;
comment on function locaria.lock_own_file(bigint, text) is
  'Locks a file that the caller wants to steer; refusal is the reply if there is none (404), or if it is another''s '
  'and the caller is not an operator (403).';
