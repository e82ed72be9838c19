create or replace function locaria.api_call(
  p_method text,
  p_request jsonb
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  -- One statement each: an expression that named them all would take the right to execute them all.
  case p_method
    when 'get_containers' then return locaria.api_get_containers();
    when 'instantiate_container' then return locaria.api_instantiate_container(p_request);
    when 'get_container_status' then return locaria.api_get_container_status(p_request);
    when 'get_files' then return locaria.api_get_files(p_request);
    when 'get_file' then return locaria.api_get_file(p_request);
    when 'add_file' then return locaria.api_add_file(p_request);
    when 'update_file' then return locaria.api_update_file(p_request);
    when 'delete_file' then return locaria.api_delete_file(p_request);
    when 'cancel_file' then return locaria.api_cancel_file(p_request);
    when 'retry_file' then return locaria.api_retry_file(p_request);
    when 'get_parameters' then return locaria.api_get_parameters(p_request);
    when 'set_parameters' then return locaria.api_set_parameters(p_request);
    when 'get_overview' then return locaria.api_get_overview();
    else return locaria.reply_error(400, format('%s works over a WebSocket connection only', p_method));
  end case;
end
$$;
comment on function locaria.api_call(text, jsonb) is
  'Calls the function of a method. Those run with the owner''s rights; who may execute them is granted by role.';
