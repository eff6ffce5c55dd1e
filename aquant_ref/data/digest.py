"""Identify a set of files by a short text that depends on their content, not on their location.

The text is a hash of the names, sizes and bytes of all files. In a set of more than MOST_FILES
files or MOST_BYTES bytes, it covers the bytes of a fixed sample.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

from aquant_ref.formats.untrusted import open_file

MOST_FILES = 1024
MOST_BYTES = 64 << 20
BLOCK = 64 << 10
DIGITS = 16


def of_files(kind: str, files: Mapping[str, str]) -> str:
    """Return the identity of `files`, by their names in the set: "folder-0123456789abcdef".

    Raises InputError, which names the file, unless each is a regular file; and OSError.
    """
    names = sorted(files)
    digest = hashlib.sha256()
    sizes = {name: os.stat(files[name]).st_size for name in names}
    for name in names:
        digest.update(b"%s\0%d\0" % (os.fsencode(name), sizes[name]))
    total = sum(sizes.values())
    read = min(len(names), MOST_FILES)
    chosen = [names[i * (len(names) - 1) // max(read - 1, 1)] for i in range(read)]
    for name in chosen:
        with open_file(files[name]) as stream:
            whole = total <= MOST_BYTES
            spans = [(0, sizes[name])] if whole else _spans(sizes[name], MOST_BYTES // read)
            for start, length in spans:
                stream.seek(start)
                digest.update(stream.read(length))
    return f"{kind}-{digest.hexdigest()[:DIGITS]}"


def _spans(size: int, most: int) -> list[tuple[int, int]]:
    """Choose at most `most` bytes of a file: (start, length) pairs.

    Half of them are at the end, where zip and gzip files store their checksums; the rest are evenly
    spread.
    """
    if size <= most:
        return [(0, size)]
    end = size - most // 2
    blocks = max(most // 2 // BLOCK, 1)
    length = min(BLOCK, most // 2)
    starts = [i * max(end - length, 0) // max(blocks - 1, 1) for i in range(blocks)]
    return [*((start, length) for start in starts), (end, most // 2)]
