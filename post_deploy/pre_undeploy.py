"""`python -m post_deploy.pre_undeploy`: remove the subscriptions, as `python -m post_deploy --remove` does."""

import sys

from post_deploy.command import main

if __name__ == "__main__":
    sys.exit(main(["--remove", *sys.argv[1:]]))
