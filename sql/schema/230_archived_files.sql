create table locaria.archived_files (
  id bigint generated always as identity,
  transaction_id bigint not null,
  path text not null,
  name text not null,
  subdir text not null,
  size bigint not null,
  hashtype text not null,
  hashsum text not null,
  mimetype text not null,
  ctime timestamptz not null,
  mtime timestamptz not null,
  source text,
  archive_key text not null,
  constraint archived_files_pkey primary key (id),
  constraint archived_files_path_is_one_file unique (transaction_id, path),
  constraint archived_files_archive_key_is_one_file unique (archive_key),
  constraint archived_files_transaction_exists foreign key (transaction_id)
    references locaria.ingest_transactions (id) on delete cascade,
  constraint archived_files_name_is_a_file_name check (name not in ('', '.', '..') and position('/' in name) = 0),
  constraint archived_files_size_is_not_negative check (size >= 0),
  constraint archived_files_hashtype_is_known check (hashtype in ('md5', 'sha1', 'sha256', 'sha512')),
  constraint archived_files_hashsum_has_the_length_of_its_type check (
    hashsum ~ '^[0-9a-f]*$'
    and length(hashsum) = case hashtype
      when 'md5' then 32 when 'sha1' then 40 when 'sha256' then 64 when 'sha512' then 128 else length(hashsum)
    end
  ),
  constraint archived_files_mimetype_has_a_registered_top_level check (
    mimetype ~ ('^(application|audio|font|image|message|model|multipart|text|video)/'
      '[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}( *;.*)?$')
  )
);
comment on table locaria.archived_files is
  'One row per file of an ingested bundle. To fetch its content: locaria archive get ID.';
comment on column locaria.archived_files.path is 'The path in the bundle below data/: subdir and name.';
comment on column locaria.archived_files.subdir is
  'The folder in the bundle, without data/ and without repeated or trailing slashes.';
comment on column locaria.archived_files.hashtype is 'md5 · sha1 · sha256 · sha512';
comment on column locaria.archived_files.hashsum is
  'Lower-case hexadecimal, verified against the content when it was archived. To verify again: locaria archive '
  'verify.';
comment on column locaria.archived_files.ctime is 'From the metadata; a time without a time zone is UTC.';
comment on column locaria.archived_files.mtime is 'Like ctime.';
comment on column locaria.archived_files.source is 'For a move: the path on the server''s disk.';
comment on column locaria.archived_files.archive_key is
  'Where the content is stored, relative to the root of the archive.';
comment on constraint archived_files_path_is_one_file on locaria.archived_files is
  'two files of a bundle must not have the same path';
comment on constraint archived_files_name_is_a_file_name on locaria.archived_files is
  'a name is that of a file, without folders';
comment on constraint archived_files_size_is_not_negative on locaria.archived_files is
  'a size must not be negative';
comment on constraint archived_files_hashtype_is_known on locaria.archived_files is
  'hashtype must be md5, sha1, sha256 or sha512';
comment on constraint archived_files_hashsum_has_the_length_of_its_type on locaria.archived_files is
  'hashsum must be hex of the length of its hashtype';
comment on constraint archived_files_mimetype_has_a_registered_top_level on locaria.archived_files is
  'mimetype must have a registered top level (application, audio, font, image, message, model, multipart, text, '
  'video)';
create index archived_files_of_path on locaria.archived_files (path, id);
