"""The door of slimeweb-templates: its hook implementations, of which there are none yet."""
