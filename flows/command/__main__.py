"""`python -m flows.command` is the command `docs-mlm`."""

from flows.command.main import main

main()
