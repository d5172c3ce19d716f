"""`python -m shared.cli` is `ct-klaviyo`."""

from shared.cli import main

main()
