"""The stream of a study's events as a client reads it, by the standard's algorithm and not by ours."""

import json
from contextlib import contextmanager


def events_of(answer):
    """The events of a stream as the standard's algorithm reads them: (kind, data, id)."""
    kind, data, last = "message", [], None
    for line in answer.iter_lines():
        if not line:
            if data:
                yield kind, json.loads("\n".join(data)), last
            kind, data = "message", []
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            last = value


@contextmanager
def following(server, name="wine", last=None, after=None):
    """The events of a study, as they come."""
    headers = {} if last is None else {"Last-Event-ID": last}
    params = {} if after is None else {"after": after}
    path = f"/studies/{name}/events"
    with server.client.stream("GET", path, headers=headers, params=params, timeout=20) as answer:
        assert answer.status_code == 200
        yield events_of(answer)
