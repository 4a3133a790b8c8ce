"""`python -m selfdepth`, and with it `torchrun -m selfdepth`: the same as the command `selfdepth`."""

from __future__ import annotations

import sys

from selfdepth.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
