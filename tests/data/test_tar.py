from __future__ import annotations

from pathlib import Path

from tests.data.files import archive, binary_folder, refused


def test_a_truncated_or_damaged_archive_is_refused(tmp_path: Path) -> None:
    whole = archive(tmp_path / "c.tar.gz", binary_folder(tmp_path / "bin")).read_bytes()
    path = tmp_path / "cut.tar.gz"
    for length in (len(whole) // 2, len(whole) - 20, 100):
        path.write_bytes(whole[:length])
        refused(f"cifar10:{path}", "cut.tar.gz")
    path.write_bytes(b"")
    refused(f"cifar10:{path}", "cut.tar.gz", "empty file")
    path.write_bytes(b"not an archive at all")
    refused(f"cifar10:{path}", "cut.tar.gz", "not a tar.gz")
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 255
    path.write_bytes(bytes(damaged))
    refused(f"cifar10:{path}", "cut.tar.gz")
