"""Prometheus metrics for slimeweb. Installing it is all there is to do: `plugin` is found through its entry point."""
