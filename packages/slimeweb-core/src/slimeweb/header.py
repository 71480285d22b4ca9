"""Values of header fields, read as the server reads them."""

from __future__ import annotations

from slimeweb._core import choose_encoding, split_list, split_parameters

__all__ = ["choose_encoding", "split_list", "split_parameters"]
