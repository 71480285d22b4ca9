"""What each extra of the distribution `slimeweb` adds, for type checkers; nothing here is imported at run time.

A module here is what holds without its plugin: nothing. The plugin's distribution puts a stub of the same name beside
it, and type checkers prefer a stub (`ws.pyi` to `ws.py`). So a name is known exactly where its plugin is installed.
"""
