"""`python -m aquant_ref`: the command `aquant-ref`."""

from __future__ import annotations

from aquant_ref.cli.main import command

if __name__ == "__main__":
    command()
