"""`python -m verification STAGE`, which is what `make verify` calls."""

from verification.commands import main

main()
