"""Streams of JSON lines from generators."""
