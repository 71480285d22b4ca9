"""Ready-made middleware, for `app.use(…)` and `route(plugin=…)`."""

from slimeweb.plugin.cors import Cors
from slimeweb.plugin.reqlog import ReqLog

__all__ = ["Cors", "ReqLog"]
