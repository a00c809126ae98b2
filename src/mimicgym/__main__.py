"""`python -m mimicgym`: the command line."""

import sys

from mimicgym.cli import main

if __name__ == "__main__":
    sys.exit(main())
