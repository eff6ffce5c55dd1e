"""What a set is, in one short text: the same wherever its files lie, another one for other files.

It is a hash of the names and sizes of all files and of what they hold: of all bytes in a set of at
most MOST_FILES files and MOST_BYTES bytes, and of a fixed sample of files and bytes in larger ones.
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
    """The identity of the `files` by their names in the set, as in "folder-0123456789abcdef".

    Raises InputError, which names it, for one of them that is no regular file, and OSError.
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
    """Where to read at most `most` bytes: half of them at the end, where zip files list their
    entries with checksums and gzip files have theirs; the rest evenly spread.
    """
    if size <= most:
        return [(0, size)]
    end = size - most // 2
    blocks = max(most // 2 // BLOCK, 1)
    length = min(BLOCK, most // 2)
    starts = [i * max(end - length, 0) // max(blocks - 1, 1) for i in range(blocks)]
    return [*((start, length) for start in starts), (end, most // 2)]
