"""What the extra `typed` exports, where it is installed."""

from slimeweb_typed import ApiKey as ApiKey
from slimeweb_typed import Bearer as Bearer
from slimeweb_typed import Body as Body
from slimeweb_typed import Cookie as Cookie
from slimeweb_typed import Depends as Depends
from slimeweb_typed import File as File
from slimeweb_typed import Form as Form
from slimeweb_typed import Header as Header
from slimeweb_typed import Query as Query
