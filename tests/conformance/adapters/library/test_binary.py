"""What a file says of itself."""

from __future__ import annotations

import struct

import pytest

from aquant_ref.conformance.adapters.library import binary


def elf(machine: int, order: str = "<") -> bytes:
    """The head of a shared library for this machine."""
    ident = b"\x7fELF\x02" + (b"\x01" if order == "<" else b"\x02")
    return ident.ljust(16, b"\0") + struct.pack(f"{order}HH", 3, machine)


PE = b"MZ".ljust(60, b"\0") + b"\x40\0\0\0PE\0\0"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (elf(62), ("ELF", "x86_64")),
        (elf(183), ("ELF", "aarch64")),
        (elf(40, ">"), ("ELF", "arm")),
        (elf(9999), ("ELF", "machine 9999")),
        (struct.pack("<II", 0xFEEDFACF, 0x0100000C), ("Mach-O", "aarch64")),
        (b"\xca\xfe\xba\xbe", ("Mach-O", "")),
        (PE + b"\x64\x86", ("PE", "x86_64")),
        (PE, None),  # ends before the machine
        (elf(62)[:19], None),
        (b"#!/bin/sh", None),
        (b"", None),
    ],
)
def test_format_and_machine_are_in_the_head(head: bytes, kind: tuple[str, str] | None) -> None:
    assert binary.kind_of(head) == kind


@pytest.mark.parametrize(
    ("system", "machine", "head", "why"),
    [
        ("linux", "x86_64", elf(62), ""),
        ("linux", "AMD64", elf(62), ""),
        ("darwin", "arm64", b"\xca\xfe\xba\xbe", ""),
        ("win32", "AMD64", PE + b"\x64\x86", ""),
        ("linux", "x86_64", elf(183), "(ELF for aarch64; this one loads ELF for x86_64)"),
        ("darwin", "arm64", elf(183), "(ELF for aarch64; this one loads Mach-O for aarch64)"),
        ("linux", "x86_64", b"\xca\xfe\xba\xbe", "(Mach-O; this one loads ELF for x86_64)"),
        ("linux", "x86_64", b"text", "is no shared library"),
    ],
)
def test_a_library_is_for_this_system_or_said_to_be_for_another(
    system: str, machine: str, head: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binary.sys, "platform", system)
    monkeypatch.setattr(binary.platform, "machine", lambda: machine)
    assert binary.why_not(head).endswith(why)
    assert bool(binary.why_not(head)) == bool(why)
