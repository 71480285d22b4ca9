"""`python -m slimeweb_cli` is `slime`."""

import sys

from slimeweb_cli.main import main

if __name__ == "__main__":
    sys.exit(main())
