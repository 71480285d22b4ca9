"""The `slime` command: runs, watches and manages slimeweb applications."""
