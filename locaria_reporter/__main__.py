"""`python -m locaria_reporter` is `locaria-report`."""

import sys

from locaria_reporter._command import main

if __name__ == "__main__":
    sys.exit(main())
