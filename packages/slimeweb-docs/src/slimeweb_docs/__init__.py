"""OpenAPI documents and an interactive page for slimeweb."""

from slimeweb_docs.declaration import Docs
from slimeweb_docs.errors import SchemaError
from slimeweb_docs.response_type import SlimeResponseType
from slimeweb_docs.schema import BodySchema, QuerySchema, SlimeSchema

__all__ = ["BodySchema", "Docs", "QuerySchema", "SchemaError", "SlimeResponseType", "SlimeSchema"]
