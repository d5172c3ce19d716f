"""`python -m post_deploy`: make the subscriptions, `--check` or `--remove` them."""

import sys

from post_deploy.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
