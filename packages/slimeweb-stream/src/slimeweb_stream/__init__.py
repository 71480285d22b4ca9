"""Streaming responses and server-sent events for slimeweb."""
