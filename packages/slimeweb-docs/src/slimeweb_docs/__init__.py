"""OpenAPI documents and an interactive page for slimeweb."""
