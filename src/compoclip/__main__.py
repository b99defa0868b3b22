"""`python -m compoclip`: the program, also under torchrun."""

from compoclip.cli import main

if __name__ == "__main__":
    main()
