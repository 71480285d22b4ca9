"""What the extra `typed` exports, where it is not installed: nothing."""
