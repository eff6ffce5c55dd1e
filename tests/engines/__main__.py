"""Write the page of reports again: `python -m tests.engines`, where all engines are installed."""

from __future__ import annotations

from tests.engines.page import PAGE, page

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
