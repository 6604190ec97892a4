"""`python -m kensa` is the command."""

import sys

from kensa.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
