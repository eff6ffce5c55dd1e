from __future__ import annotations

from dataclasses import dataclass

from aquant_ref.rows import Row, Tabular, html, text

ROWS: list[Row] = [
    {"name": "a", "share": 0.123456, "exact": True, "of": None},
    {"name": "bcd", "share": 12.0, "exact": False, "of": "x"},
]


def test_text_is_aligned_below_its_keys_and_numbers_end_together() -> None:
    assert text(ROWS).splitlines() == [
        "name   share  exact  of",
        "a     0.1235    yes",
        "bcd       12     no  x",
    ]


def test_no_rows_are_no_table() -> None:
    assert text([]) == html([]) == ""


def test_html_escapes_what_a_file_says() -> None:
    page = html([{"<k>": "a&b"}])
    assert "<k>" not in page
    assert "&lt;k&gt;" in page
    assert "a&amp;b" in page


@dataclass(repr=False)
class Two(Tabular):
    name: str | None

    def rows(self) -> list[Row]:
        return ROWS

    def title(self) -> str:
        assert self.name
        return f"two of {self.name}"


def test_a_result_is_shown_in_a_line_as_text_and_as_html() -> None:
    assert repr(Two("<b>")) == "<two of <b>>"
    assert Two("b").summary() == text(ROWS)
    assert Two("<b>")._repr_html_().startswith("<p>two of &lt;b&gt;</p>\n<table>")


def test_what_is_put_together_wrongly_still_has_a_repr() -> None:
    assert repr(Two(None)).startswith("<tests.test_rows.Two object at")
