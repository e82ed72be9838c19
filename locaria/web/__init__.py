"""The API server: carries `locaria.api(jsonb, jsonb)` over WebSocket and HTTP."""
