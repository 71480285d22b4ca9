"""The door of slimeweb-docs: its hook implementations, of which there are none yet."""
