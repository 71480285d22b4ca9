"""What the extra `docs` exports, where it is not installed: nothing."""
