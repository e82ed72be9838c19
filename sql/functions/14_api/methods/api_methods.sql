-- The list of methods, brought up to date by every upgrade: api() dispatches by it, checks requests by it, and the
-- machine-readable descriptions are made from it.
delete from locaria.api_methods;
insert into locaria.api_methods (method, least_role, description, request)
select m.method, m.least_role, m.description,
  jsonb_build_object('type', 'object', 'additionalProperties', false, 'properties', m.properties::jsonb,
    'required', to_jsonb(m.required),
    '$defs', '{
      "container_id": {"type": "integer", "minimum": 1, "maximum": 9223372036854775807,
        "description": "the number that instantiate_container or add_file returned"},
      "container": {"type": "string", "minLength": 1, "maxLength": 100,
        "description": "the name of a container, as get_containers lists it"},
      "reason": {"type": ["string", "null"], "maxLength": 1000, "description": "why, for the record"},
      "priority": {"type": "integer", "minimum": -32768, "maximum": 32767, "description": "higher goes first"},
      "time": {"type": "string", "maxLength": 40,
        "pattern": "^(infinity|[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{4,16} ?(Z|z|[+-][0-9]{2}(:?[0-9]{2})?)?)?)$",
          "description": "a time in ISO 8601, in UTC unless it names a zone, or infinity: held"},
      "attributes": {"type": "object", "description": "what to do, for the container"}
    }'::jsonb)
from (values
  ('get_containers', 'reader', 'The containers that may be asked to run, with the parameters that each takes.', '{}',
    array[]::text[]),
  ('instantiate_container', 'submitter', 'Asks for one run of a container, with its parameters.', '{
      "name": {"$ref": "#/$defs/container"},
      "parameters": {"type": "object", "description": "by name, as get_containers publishes them"},
      "debug": {"type": ["boolean", "null"], "description": "keep debug messages, and return them"}
    }', array['name']),
  ('get_container_status', 'reader', 'The state of what was asked for, with its last 100 log messages.', '{
      "container_id": {"$ref": "#/$defs/container_id"},
      "debug": {"type": ["boolean", "null"],
        "description": "with debug messages, or without; by default with them if debug was asked for"}
    }', array['container_id']),
  ('get_files', 'reader', 'Files, newest first, a page at a time. A page may hold fewer files than limit while '
    'next is not null: then continue with after.', '{
      "status": {"type": ["string", "array"], "maxLength": 100, "maxItems": 20, "items": {"type": "string",
        "maxLength": 100}, "description": "one status, or a list of them"},
      "phase": {"type": ["string", "array"], "maxLength": 100, "maxItems": 20, "items": {"$ref": "#/$defs/phase"},
        "description": "one phase, or a list of them"},
      "container": {"$ref": "#/$defs/container"},
      "attributes": {"type": "object", "description": "files whose attributes contain these"},
      "limit": {"type": "integer", "minimum": 1, "maximum": 500, "description": "how many at most, 50 by default"},
      "after": {"type": ["integer", "null"], "minimum": 1, "maximum": 9223372036854775807,
        "description": "next of the page before: older files"},
      "before": {"type": ["integer", "null"], "minimum": 0, "maximum": 9223372036854775807,
        "description": "files that are newer than this container_id"}
    }', array[]::text[]),
  ('get_file', 'reader', 'Everything about one file: its runs, its last 1,000 log messages, its timeline.',
    '{"container_id": {"$ref": "#/$defs/container_id"}}', array['container_id']),
  ('add_file', 'submitter', 'Adds a file as an INSERT does, but first checks its attributes against what the '
    'container publishes.', '{
      "container": {"$ref": "#/$defs/container"},
      "status": {"type": "string", "maxLength": 100,
        "description": "a requested status: REGISTERED, DOWNLOAD_REQUESTED, or one of the site''s own"},
      "attributes": {"$ref": "#/$defs/attributes"},
      "priority": {"$ref": "#/$defs/priority"},
      "run_after": {"$ref": "#/$defs/time"},
      "debug": {"type": ["boolean", "null"], "description": "keep debug messages"}
    }', array['attributes']),
  ('update_file', 'operator', 'Changes a file that is not running.', '{
      "container_id": {"$ref": "#/$defs/container_id"},
      "priority": {"$ref": "#/$defs/priority"},
      "run_after": {"$ref": "#/$defs/time"},
      "attributes": {"$ref": "#/$defs/attributes"}
    }', array['container_id']),
  ('delete_file', 'submitter', 'Marks a file as DELETED, for good. A submitter: only the caller''s own files.',
    '{"container_id": {"$ref": "#/$defs/container_id"}}', array['container_id']),
  ('cancel_file', 'submitter', 'Cancels a file that waits or runs. A submitter: only the caller''s own files.', '{
      "container_id": {"$ref": "#/$defs/container_id"}, "reason": {"$ref": "#/$defs/reason"}
    }', array['container_id']),
  ('retry_file', 'submitter', 'Runs a file again that has ended, or now one that waits for a retry. A '
    'submitter: only the caller''s own files.', '{
      "container_id": {"$ref": "#/$defs/container_id"}, "reason": {"$ref": "#/$defs/reason"}
    }', array['container_id']),
  ('get_parameters', 'operator', 'The configuration; secrets are masked.', '{
      "parameter_name": {"type": "string", "maxLength": 200, "description": "only this one"}
    }', array[]::text[]),
  ('set_parameters', 'operator', 'Replaces one object of the configuration. A value ***, as get_parameters '
    'shows secrets, stays what it is.', '{
      "parameter_name": {"type": "string", "minLength": 1, "maxLength": 200,
        "description": "its name, as get_parameters lists it"},
      "parameter": {"type": "object", "description": "the new object, whole"}
    }', array['parameter_name', 'parameter']),
  ('get_overview', 'reader', 'How many files are in each phase, what each container does, the throughput of the '
    'last hour by the minute, and what is not well.', '{}', array[]::text[]),
  ('subscribe', 'reader', 'Over a WebSocket only: sends each change of one file, or of all, as it happens.',
    '{"container_id": {"$ref": "#/$defs/container_id"}}', array[]::text[]),
  ('unsubscribe', 'reader', 'Over a WebSocket only: ends what subscribe began.',
    '{"container_id": {"$ref": "#/$defs/container_id"}}', array[]::text[])
) as m (method, least_role, description, properties, required);
update locaria.api_methods
set request = jsonb_set(request, '{$defs,phase}', jsonb_build_object(
  'type', 'string', 'enum', (select jsonb_agg(l.phase) from locaria.list_phases() as l)
))
where method = 'get_files';
