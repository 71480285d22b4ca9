"""What the extra `stream` exports, where it is not installed: nothing."""
