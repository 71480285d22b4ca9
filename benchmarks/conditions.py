"""What figures depend on: the machine, the revision, and the versions of all that took part."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from benchmarks.environments import ROOT, Environments
from benchmarks.exchange import BadAnswer, Connection
from benchmarks.servers import Server
from benchmarks.workloads import Request

__all__ = ["about_process", "description", "machine", "revision", "wrk_version"]

_FACTS = """
import importlib.metadata, json, sys, sysconfig
print(json.dumps({
    "python": "%s %d.%d.%d" % (sys.implementation.name, *sys.version_info[:3]),
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "versions": {name: importlib.metadata.version(name) for name in sys.argv[1:]},
}))
"""


def machine() -> dict[str, Any]:
    """Processor, cores that may be used, memory in bytes, system."""
    model = next((line for line in _read("/proc/cpuinfo").splitlines() if line.startswith("model name")), ":unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": model.partition(":")[2].strip(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": memory,
        "system": f"{platform.system()} {platform.release()}",
    }


def revision() -> str:
    """The commit of the checkout, marked when files differ from it; "unknown" without git."""
    try:
        return _output("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def wrk_version() -> str:
    """What wrk says of itself; it says so beside an error code."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return "not installed"
    done = subprocess.run([wrk, "-v"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return " ".join(done.stdout.split()[:2])


def description(server: Server, where: Environments) -> dict[str, Any]:
    """Versions and interpreter of a server, and the command that starts it."""
    command = [Path(part).name if part.startswith("/") else part for part in server.command(where, 0)]
    shown: dict[str, Any] = {"title": server.title, "family": server.family, "command": " ".join(command)}
    if server.environment is None:
        lock = tomllib.loads(_read(str(ROOT / "rust" / "Cargo.lock")))
        versions = {each["name"]: each["version"] for each in lock["package"] if each["name"] in ("hyper", "tokio")}
        return shown | {"versions": versions, "description": _listed(versions)}
    facts: dict[str, Any] = json.loads(
        _output(str(where.python(server.environment)), "-c", _FACTS, *server.distributions)
    )
    build = "free-threaded" if facts["free_threaded"] else "with the GIL"
    return shown | facts | {"description": f"{_listed(facts['versions'])}, {facts['python']} {build}"}


def about_process(port: int) -> dict[str, Any]:
    """What slimeweb's process says of its interpreter once the work is done."""
    try:
        with Connection(port) as connection:
            about: dict[str, Any] = json.loads(connection.exchange(Request("/about")).body)
            return about
    except (OSError, BadAnswer, ValueError) as error:
        return {"error": str(error)}


def _listed(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _read(path: str) -> str:
    return Path(path).read_text("utf-8")
