"""Changes to text: lines and words, as of a reply, a command line, or TOML."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tests.fuzz.mutate.raw import raw

WORDS = (
    *("", "0", "-0", "+5", "-1", "127", "128", "255", "-128", "2147483648", "9223372036854775808"),
    *("99999999999999999999", "18446744073709551488", "1.0", "1e5", "1e999", "nan", "inf", "-inf"),
    *("0x1p+3", "0x1.8p1", "0x", "0xg", "1_000", "٣", "𝟛", "1,5", "None", "True", "skip", "error"),
    *(
        "skip no such range",
        "error a reason",
        "#",
        "# aquant-ref stream 1 op=clip",
        "\x00",
        "\x1b[2J",
    ),
    *(
        "\r",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x85",
        "\u2028",
        "\u2029",
        "\ufeff",
        "\u202e",
        "é",
        "9" * 5000,
    ),
    *("x" * 2000, "1 2", "1 2 3", "\t", "<![CDATA[", "]]>", "&amp;", "<script>", "'", '"', "\\"),
)


def line(rng: Random, data: bytes) -> bytes:
    """A line again, missing, in another place, cut, joined with the next, with another end."""
    lines = data.splitlines(keepends=True) or [b""]
    k, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    old = lines[k]
    which = rng.randrange(9)
    if which == 0:
        lines.insert(j, old)
    elif which == 1:
        del lines[k]
    elif which == 2:
        lines[k], lines[j] = lines[j], lines[k]
    elif which == 3:
        lines[k] = old[: rng.randrange(len(old) + 1)]
    elif which == 4:
        lines[k] = old.rstrip(b"\r\n") + rng.choice(
            (b"\r\n", b"\r", b"", b"\n\n", b"\x0b", b"\x0c")
        )
    elif which == 5:
        lines[k] = old + rng.choice((b"#\n", b"# note\n", b"\n", b"x\n", b"\0\n", b"\xff\xfe\n"))
    elif which == 6:
        lines = lines[:k]
    elif which == 7:
        lines[k:k] = [old] * rng.choice((2, 50, 3000))
    else:
        lines[k] = old.rstrip(b"\n") + b" " * rng.choice((1, 70_000)) + b"\n"
    return b"".join(lines)


def word(rng: Random, data: bytes) -> bytes:
    """Another word, one more or one less, in a line."""
    lines = data.split(b"\n")
    k = rng.randrange(len(lines))
    words = lines[k].split(b" ")
    j = rng.randrange(len(words))
    new = rng.choice(WORDS).encode()
    words[j : j + rng.choice((0, 1, 1, 1))] = rng.choice(([new], [new], [], [words[j] + new]))
    lines[k] = b" ".join(words)
    return b"\n".join(lines)


def pieces(given: Sequence[str], most: int = 12) -> Callable[[Random, bytes], bytes]:
    """A mutator that writes one of `given` into the text, at any place or instead of some of it."""

    def of_one(rng: Random, data: bytes) -> bytes:
        at = rng.randrange(len(data) + 1)
        end = at + rng.choice((0, 0, rng.randrange(most)))
        return data[:at] + rng.choice(given).encode("utf-8", "surrogatepass") + data[end:]

    return of_one


LINES = (line, line, word, word, word, raw)
