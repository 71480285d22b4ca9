"""Ready-made middleware, for `app.use(…)` and `route(plugin=…)`."""

from slimeweb.plugin._cors import Cors
from slimeweb.plugin._reqlog import ReqLog

__all__ = ["Cors", "ReqLog"]
