"""Write the page of reports again: `python -m tests.engines [ENGINE...]`.

Without names, of every engine whose section is not of these vectors. The page is written after each
engine, so that another run goes on where one was ended.
"""

from __future__ import annotations

import sys
import time

from aquant_ref.conformance.adapters.engines.names import ENGINES
from tests.engines.page import PAGE, asked, page, section, sections

if __name__ == "__main__":
    made = sections()
    stale = [name for name in ENGINES if asked() not in made.get(name, "")]
    for name in sys.argv[1:] or stale:
        start = time.perf_counter()
        made[name] = section(name)
        PAGE.write_text(page(made), encoding="utf-8")
        sys.stderr.write(f"{name}: {time.perf_counter() - start:.0f} s\n")
