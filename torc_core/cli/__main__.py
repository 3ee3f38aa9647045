"""``python -m torc_core.cli`` is ``torc``."""

from torc_core.cli.main import main

main()
