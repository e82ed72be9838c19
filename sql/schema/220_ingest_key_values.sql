create table locaria.ingest_key_values (
  transaction_id bigint not null,
  n integer not null,
  key text not null,
  value text not null,
  constraint ingest_key_values_pkey primary key (transaction_id, n),
  constraint ingest_key_values_transaction_exists foreign key (transaction_id)
    references locaria.ingest_transactions (id) on delete cascade,
  constraint ingest_key_values_key_is_named check (key <> '')
);
comment on table locaria.ingest_key_values is
  'The TransactionKeyValue entries in the metadata of a bundle, in document order. A key can occur more than once.';
comment on column locaria.ingest_key_values.n is 'The position in the document, starting at 1.';
comment on constraint ingest_key_values_key_is_named on locaria.ingest_key_values is
  'the key of a TransactionKeyValue must not be empty';
create index ingest_key_values_of_key on locaria.ingest_key_values (key, value text_pattern_ops)
  where length(value) <= 500 and length(key) <= 500;
