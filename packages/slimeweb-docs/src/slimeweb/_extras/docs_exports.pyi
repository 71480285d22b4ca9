"""What the extra `docs` exports, where it is installed."""

from slimeweb_docs import BodySchema as BodySchema
from slimeweb_docs import QuerySchema as QuerySchema
from slimeweb_docs import SlimeResponseType as SlimeResponseType
from slimeweb_docs import SlimeSchema as SlimeSchema
