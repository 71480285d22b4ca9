"""slimeweb beside bare hyper and other frameworks: `make bench`, or `python -m benchmarks --help`."""
