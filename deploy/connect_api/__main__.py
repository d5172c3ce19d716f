"""`python -m deploy.connect_api`."""

import sys

from deploy.connect_api.command import main

sys.exit(main(sys.argv[1:]))
