"""The door of slimeweb-stream: its hook implementations, of which there are none yet."""
