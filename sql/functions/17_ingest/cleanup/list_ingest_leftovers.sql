create or replace function locaria.list_ingest_leftovers(
  p_limit integer default 100,
  p_job bigint default null
)
returns table (
  job_id bigint,
  what text
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select j.job_id,
    case
      when j.phase in ('failed', 'duplicate') then 'upload'
      when t.id is not null then case when j.kind = 'move' then 'sources' else 'bundle' end
      when j.settled is null or j.settled < f.finished then 'archive'
      else 'expired bundle'
    end
  from locaria.ingest_jobs j
  left join locaria.files f on f.id = j.job_id
  left join locaria.ingest_transactions t on t.id = j.job_id
  where (j.settled is null or j.bundle_gone is null) and (p_job is null or j.job_id = p_job)
    and case
      when j.phase in ('failed', 'duplicate') then j.bundle_gone is null
      when j.phase = 'uploading' then false
      when t.id is not null then j.bundle_gone is null
      when f.id is null then j.bundle_gone is null
      else f.finished is not null and (
        j.settled is null or j.settled < f.finished
        or j.bundle_gone is null
          and f.finished < locaria.clock() - make_interval(
            secs => coalesce(
              (locaria.get_ingest_config() ->> 'keep_failed_seconds')::numeric, 604800
            )::double precision
          )
      )
    end
  order by j.job_id
  limit p_limit
$$;
comment on function locaria.list_ingest_leftovers(integer, bigint) is
  'Finished jobs that have left something in the object store. what: upload (a part of a body, or a duplicate), '
  'bundle (it is archived), sources (of a move that is done), archive (a failed attempt''s), expired bundle (of a '
  'job that failed long ago).';
