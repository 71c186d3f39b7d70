"""`python -m pipelines` is the command."""

from pipelines.cli.main import main

if __name__ == "__main__":
    main()
