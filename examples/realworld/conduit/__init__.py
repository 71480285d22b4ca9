"""The API of Conduit, the blogging application of the RealWorld specification."""
