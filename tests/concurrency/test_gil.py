"""The free-threaded build is the main road: nothing of ours may switch the GIL back on."""

from __future__ import annotations

import sys
import sysconfig

import pytest

from slimeweb import Slime, SlimeRequest, SlimeResponse
from slimeweb.testing import TestClient


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python is built with a GIL")
def test_serving_leaves_the_gil_off() -> None:
    app = Slime(__file__)

    @app.route("/")
    def home(req: SlimeRequest, resp: SlimeResponse) -> dict[str, bool]:
        return {"enabled": getattr(sys, "_is_gil_enabled")()}  # noqa: B009 -- unknown to the stubs of older Pythons

    with TestClient(app) as client:
        assert client.get("/").json() == {"enabled": False}
