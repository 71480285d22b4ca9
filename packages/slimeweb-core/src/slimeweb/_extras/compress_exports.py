"""What the extra `compress` exports, where it is not installed: nothing."""
