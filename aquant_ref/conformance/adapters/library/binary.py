"""What a file says of itself: whether this system can load it as a library."""

from __future__ import annotations

import platform
import struct
import sys

ELF_MACHINES = {3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"}
MACH_O_MACHINES = {0x01000007: "x86_64", 0x0100000C: "aarch64"}
PE_MACHINES = {0x14C: "i386", 0x8664: "x86_64", 0xAA64: "aarch64"}
SAME = {"amd64": "x86_64", "arm64": "aarch64"}
SYSTEMS = {"darwin": "Mach-O", "win32": "PE"}  # any other has ELF


def kind_of(head: bytes) -> tuple[str, str] | None:
    """Return format and machine ("" where it is unknown) from the first 4096 bytes of a file."""
    if head[:4] == b"\x7fELF" and len(head) >= 20:
        order = "<" if head[5] == 1 else ">"
        (machine,) = struct.unpack_from(f"{order}H", head, 18)
        return "ELF", ELF_MACHINES.get(machine, f"machine {machine}")
    if head[:4] == b"\xcf\xfa\xed\xfe" and len(head) >= 8:
        return "Mach-O", MACH_O_MACHINES.get(struct.unpack_from("<I", head, 4)[0], "")
    if head[:4] == b"\xca\xfe\xba\xbe":  # for several machines
        return "Mach-O", ""
    if head[:2] == b"MZ" and len(head) >= 0x40:
        (start,) = struct.unpack_from("<I", head, 0x3C)
        if head[start : start + 4] == b"PE\0\0" and len(head) >= start + 6:
            return "PE", PE_MACHINES.get(struct.unpack_from("<H", head, start + 4)[0], "")
    return None


def why_not(head: bytes) -> str:
    """Say why this system cannot load such a file; "" where it may."""
    kind = kind_of(head)
    if kind is None:
        return "is no shared library"
    form, machine = kind
    own = platform.machine().lower()
    own, ours = SAME.get(own, own), SYSTEMS.get(sys.platform, "ELF")
    if form != ours or machine not in ("", own):
        what = f"{form} for {machine}" if machine else form
        return f"is a library for another system ({what}; this one loads {ours} for {own})"
    return ""
