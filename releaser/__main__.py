"""`python -m releaser` is the command `releaser`."""

from releaser.cli.main import main

main()
