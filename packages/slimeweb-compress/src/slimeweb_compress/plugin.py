"""The door of slimeweb-compress: its hook implementations, of which there are none yet."""
