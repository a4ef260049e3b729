"""``python -m tallow`` is the command line."""

from tallow.serve.cli import main

if __name__ == "__main__":
    main()
