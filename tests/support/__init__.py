"""What the tests above a single package share: server processes, raw connections, and what /proc tells of them."""
