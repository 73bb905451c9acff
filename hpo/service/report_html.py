"""The few shapes of HTML that a report is made of; whatever is put into them becomes text."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def text(value: Any) -> str:
    """A value as people read it, as text of HTML.

    >>> text("<b>R&D</b>"), text(0.123456789), text(None), text({"COMPLETE": 3, "FAIL": 1}), text([True, 7])
    ('&lt;b&gt;R&amp;D&lt;/b&gt;', '0.123457', '–', 'COMPLETE 3, FAIL 1', 'true, 7')
    """
    return html.escape(_words(value))


def _words(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(entry)}" for key, entry in value.items()) or "–"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_words, value)) or "–"
    return str(value)


def paragraph(sentence: str) -> str:
    """A sentence, begun with a capital and ended with a full stop.

    >>> paragraph("trial 3 < trial 4")
    '<p>Trial 3 &lt; trial 4.</p>'
    """
    ended = sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
    return f"<p>{text(ended[:1].upper() + ended[1:])}</p>"


def pairs(entries: Mapping[str, Any]) -> str:
    """A table of names and what stands for them."""
    rows = (
        f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in entries.items()
    )
    return f'<div class="table"><table>{"".join(rows)}</table></div>'


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """A table with a row for each record and a column for each name in any of them."""
    names = list(dict.fromkeys(name for record in records for name in record))
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    rows = "".join(_row(text(record.get(name)) for name in names) for record in records)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def code(lines: str) -> str:
    """Lines as they are to be typed or saved."""
    return f"<pre><code>{html.escape(lines)}</code></pre>"


def data(id_: str, record: Any) -> str:
    """A record as JSON that a script of the page reads."""
    return f'<script type="application/json" id="{html.escape(id_)}">{in_script(record)}</script>'


def in_script(record: Any) -> str:
    """JSON in which no text can end the element around it.

    >>> in_script({"a": "</script>"})
    '{"a":"\\\\u003c/script>"}'
    """
    # Everything that ends a script element, or begins a comment in one, begins with <.
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace(
        "<", "\\u003c"
    )
