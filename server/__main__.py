"""``python -m server`` is ``neural-assets``."""

from server.cli import main

if __name__ == "__main__":
    main()
