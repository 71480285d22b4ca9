"""The older name of `PluginManager` in `slimeweb.commands`."""

from slimeweb._plugin_manager import PluginManager as Plugins

__all__ = ["Plugins"]
