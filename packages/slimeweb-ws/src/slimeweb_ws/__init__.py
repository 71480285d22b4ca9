"""WebSocket for slimeweb."""
