"""What the extra `stream` exports, where it is installed."""

from slimeweb_stream import Event as Event
