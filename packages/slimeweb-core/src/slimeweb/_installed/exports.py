"""The names that `slimeweb` exports for installed plugins, for type checkers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # There is no `__all__` to put them together with: mypy reads none but literal ones.
    from slimeweb._extras.compress_exports import *  # noqa: F403
    from slimeweb._extras.docs_exports import *  # noqa: F403
    from slimeweb._extras.stream_exports import *  # noqa: F403
    from slimeweb._extras.typed_exports import *  # noqa: F403
