"""The door of slimeweb-ws: its hook implementations, of which there are none yet."""
