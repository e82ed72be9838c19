"""The API over WebSocket and HTTP: a transport over `locaria.api(jsonb, jsonb)`, without logic of its own."""
