"""The older name of `slimeweb.upgrade`."""

from slimeweb.upgrade import UpgradeProtocol

__all__ = ["UpgradeProtocol"]
