"""All doors: one small entry each."""

from __future__ import annotations

from tests.fuzz.target import Target
from tests.fuzz.targets import built, folders, kit, rows, sets, stored, words

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (stored, folders, sets, rows, kit, words, built)
    for target in module.TARGETS
}
