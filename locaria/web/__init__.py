"""The API over WebSocket and HTTP: carries `locaria.api(jsonb, jsonb)`, has no logic of its own."""
