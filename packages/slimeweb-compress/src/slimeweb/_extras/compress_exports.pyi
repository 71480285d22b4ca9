"""What the extra `compress` exports, where it is installed."""

from slimeweb_compress import Compress as Compress
from slimeweb_compress import SlimeCompression as SlimeCompression
