"""Response compression for slimeweb: gzip, brotli, zstd."""
