"""Data sets over REST: uploaded in pieces, looked at, listed, removed; and all that is refused."""

import gzip
import hashlib
import io
import pickle
import socket
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from urllib.parse import urlsplit

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from hpo.account import Account, Role
from hpo.api.schemas.dataset import DatasetPage, DatasetRecord, DatasetSummary
from hpo.errors import NotAllowed
from hpo.service import datasets
from hpo.service.turns import Turns
from hpo.states import StudyState
from hpo.testing.studies import new_study

CSV = b"a,b,y\n" + b"".join(
    b"%d,%s,%s\n" % (n, b"uv"[n % 2 : n % 2 + 1], b"yn"[n % 3 > 0 :][:1]) for n in range(60)
)
OCTETS = {"Content-Type": "application/octet-stream"}
MIB = 1 << 20


@pytest.fixture
def upload(server):
    def sent(content, name="small.csv", **headers):
        return server.client.post(
            "/datasets", params={"name": name}, content=content, headers=OCTETS | headers
        )

    return sent


def packed(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_a_file_sent_in_pieces_is_kept_under_its_digest_and_read_back_as_sent(server, upload):
    pieces = [CSV[start : start + 7] for start in range(0, len(CSV), 7)]

    answer = upload(iter(pieces))

    kept = answer.json()
    assert answer.status_code == 201
    assert kept["id"] == "ds_" + hashlib.sha256(CSV).hexdigest()[:16]
    assert (kept["name"], kept["n_bytes"], kept["owner"]) == ("small.csv", len(CSV), None)
    assert kept["about"].startswith("60 rows, 3 columns")
    assert b"".join(server.storage.read_dataset(kept["id"])) == CSV
    assert answer.headers["location"] == f"/api/v1/datasets/{kept['id']}"
    DatasetSummary.model_validate(kept)
    assert upload(CSV, "again.csv").json() == kept


def test_a_data_set_is_shown_with_its_columns_and_first_rows_and_with_a_target_its_task(upload, server):
    key = upload(CSV).json()["id"]

    bare = server.client.get(f"/datasets/{key}").json()
    aimed = server.client.get("/datasets/small.csv", params={"target": "y"}).json()

    assert [(c["name"], c["kind"]) for c in bare["columns"]] == [
        ("a", "number"),
        ("b", "category"),
        ("y", "category"),
    ]
    assert bare["preview"]["columns"] == ["a", "b", "y"]
    assert bare["preview"]["rows"][:2] == [[0, "u", "y"], [1, "v", "n"]]
    assert (len(bare["preview"]["rows"]), bare["n_rows"], bare["task"], bare["n_train"]) == (
        10,
        60,
        None,
        None,
    )
    assert (aimed["task"], aimed["task_reason"], aimed["target"]) == ("classification", "y is text", "y")
    assert (aimed["classes"], aimed["n_train"], aimed["n_test"]) == (["n", "y"], 36, 12)
    assert aimed["preview"] == bare["preview"]
    a, b, _ = bare["distributions"]
    assert (a["n_values"], a["n_missing"], sum(a["counts"])) == (60, 0, 60)
    assert (a["minimum"], a["median"], a["maximum"]) == (0.0, 29.5, 59.0)
    assert (b["levels"], b["counts"], b["n_levels"]) == (["u", "v"], [30, 30], 2)
    assert aimed["distributions"] == bare["distributions"]
    for shown in (bare, aimed, server.client.get("/datasets/digits").json()):
        DatasetRecord.model_validate(shown)


def test_a_target_that_there_is_not_is_a_problem(upload, server):
    key = upload(CSV).json()["id"]

    answer = server.client.get(f"/datasets/{key}", params={"target": "z"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_data")
    assert "no column is called 'z'" in answer.json()["detail"]


def test_the_list_turns_pages_from_the_built_in_ones_on(upload, server):
    for n in range(3):
        upload(CSV + b"%d,u,y\n" % n, f"n{n}.csv")
    found, cursor = [], None
    for _ in range(20):
        page = server.client.get(
            "/datasets", params={"limit": 4} | ({"cursor": cursor} if cursor else {})
        ).json()
        DatasetPage.model_validate(page)
        found += [entry["name"] for entry in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert found == [entry["name"] for entry in server.client.get("/datasets").json()["items"]]
    assert found[0] == "digits"
    assert found[-3:] == ["n0.csv", "n1.csv", "n2.csv"]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("cursor", ["x", "WyJzdHVkaWVzIiw3XQ", "WyJkYXRhc2V0cyJd", "WyJkYXRhc2V0cyIsMSwyXQ"])
def test_a_cursor_of_something_else_is_a_problem(server, cursor):
    assert server.client.get("/datasets", params={"cursor": cursor}).status_code == 400


def inflating_parquet():
    some = pa.table({"a": np.zeros(MIB, np.int8), "y": np.zeros(MIB, np.int8)})
    buffer = io.BytesIO()
    with parquet.ParquetWriter(buffer, some.schema) as writer:
        for _ in range(40):
            writer.write_table(some)
    return buffer.getvalue()


def archive_of(name, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


BAD = {
    "empty": ("empty.csv", lambda: b"", "is empty"),
    "blank": ("blank.csv", lambda: b"\n\n  \n", "is empty"),
    "header": ("header.csv", lambda: b"a,b,y\n", "no rows"),
    "picture": ("cat.png", lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "is not a text file"),
    "workbook": ("book.xlsx", lambda: archive_of("xl/workbook.xml", b"<x/>"), "is an Excel workbook"),
    "archive": ("some", lambda: archive_of("a.csv", CSV), "has the arrays a.csv; wanted are x and y"),
    "pickle": ("model.pkl", lambda: pickle.dumps({"a": 1}), "is a pickle, which could run any code"),
    "pickled array": (
        "objects.npz",
        lambda: packed(x=np.zeros((2, 1)), y=np.array([{}, None], dtype=object)),
        "contains pickled objects",
    ),
    "gzip bomb": ("bomb.csv.gz", lambda: gzip.compress(b"1,2,3\n" * (MIB // 6)) * 400, "unpacks to"),
    "damaged gzip": ("cut.csv.gz", lambda: gzip.compress(CSV)[:-20], "is a damaged .gz file"),
    "inflating parquet": ("bomb.parquet", inflating_parquet, "unpacks to 640 MiB"),
    "wide": (
        "wide.csv",
        lambda: ",".join(f"c{n}" for n in range(200_000)).encode() + b"\n" + b"1," * 199_999 + b"1\n",
        "has 200,000 columns; at most 10,000 are possible",
    ),
    "ragged": ("ragged.csv", lambda: CSV + b"1,2\n", "has 3 columns, but row 61 has 2"),
    "twins": ("twins.csv", lambda: b"a,a\n1,2\n", "has two columns called 'a'"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_no_study_could_read_is_refused_with_a_sentence_and_not_kept(upload, server, kind):
    name, make, words = BAD[kind]

    answer = upload(make(), name)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid_data")
    assert words in problem["detail"]
    assert problem["detail"].startswith(f"the file '{name}' ")
    assert server.storage.list_datasets() == []


@pytest.mark.parametrize(
    "name",
    ["", " ", "..", "a/b.csv", "..\\b.csv", "a\0b", "a\nb", "ds_5b1f8c2d9e3a4f60", "digits", "x" * 256],
)
def test_a_name_that_cannot_be_is_refused(upload, server, name):
    answer = upload(CSV, name)

    assert answer.status_code == 422
    assert answer.json()["path"] == "name"
    assert server.storage.list_datasets() == []


@pytest.mark.parametrize("name", ["größe 😀.csv", "'; DROP TABLE hpo_datasets; --", "a.b.c", "%00"])
def test_any_other_name_is_only_a_name(upload, server, name):
    assert upload(CSV, name).json()["name"] == name


def test_a_body_of_another_kind_is_not_taken(upload, server):
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x", "text/html", ""):
        answer = upload(CSV, **{"Content-Type": kind})
        assert (answer.status_code, answer.json()["code"]) == (415, "wrong_media_type"), kind
    assert upload(CSV, **{"Content-Type": "text/csv; charset=utf-8"}).status_code == 201


@pytest.mark.parametrize("whole", [True, False])
def test_an_upload_that_is_cut_off_leaves_nothing(server, whole):
    address = urlsplit(server.url)
    length = f"Content-Length: {len(CSV) + 1000}" if whole else "Transfer-Encoding: chunked"
    body = CSV if whole else b"%x\r\n%s\r\n" % (len(CSV), CSV)
    head = f"POST /api/v1/datasets?name=cut.csv HTTP/1.1\r\nHost: {address.netloc}\r\n{length}\r\n"

    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + body)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(4096)

    assert answer == b"" or b" 400 " in answer.splitlines()[0]
    assert server.client.get("/version").status_code == 200
    assert server.storage.list_datasets() == []


def test_uploads_wait_for_their_turn_and_never_so_many_that_other_requests_wait(server, upload, monkeypatch):
    turns = Turns(2, waiting=8, patience_s=30.0)
    monkeypatch.setattr(datasets, "LOOKING", turns)

    with ThreadPoolExecutor(60) as many:
        with turns.turn(), turns.turn():  # two large files are looked into
            sent = [many.submit(upload, CSV + b"%d,u,y\n" % n, f"n{n}.csv") for n in range(60)]
            refused = [future.result() for future in islice(as_completed(sent), 52)]
            preview, others = (
                server.client.get(path) for path in ("/datasets/iris?target=sepal width (cm)", "/studies")
            )
            n_answered = sum(future.done() for future in sent)
        answers = [future.result() for future in sent]

    assert (preview.status_code, others.status_code, n_answered) == (429, 200, 52)
    assert Counter(answer.status_code for answer in answers) == {429: 52, 201: 8}
    for answer in refused:
        assert (answer.json()["code"], answer.headers["retry-after"]) == ("too_many_requests", "30")
    assert len(server.storage.list_datasets()) == 8


def test_an_upload_whose_turn_does_not_come_is_told_when_to_try_again(server, upload, monkeypatch):
    turns = Turns(1, waiting=1, patience_s=0.2)
    monkeypatch.setattr(datasets, "LOOKING", turns)

    with turns.turn():
        refused = upload(CSV)
    taken = upload(CSV)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert "try again in some seconds" in refused.json()["detail"]
    assert taken.status_code == 201


@pytest.mark.parametrize("verb", ["studies", "studies:validate"])
def test_a_study_on_data_that_nobody_has_looked_at_waits_for_its_turn_too(server, upload, monkeypatch, verb):
    turns = Turns(1, waiting=0, patience_s=0.2)
    monkeypatch.setattr(datasets, "LOOKING", turns)
    # Of this test alone: what was looked at once is remembered by its content.
    source = upload(CSV + f"1000,u,{verb}-{server.url}\n".encode()).json()["id"]

    def sent(**data):
        return server.client.post(f"/{verb}", json={"data": data, "parameters": {"dropout": [0.1, 0.2]}})

    with turns.turn():
        refused, built_in = sent(source=source, target="a"), sent(source="iris")
    taken = sent(source=source, target="a")
    with turns.turn():
        again = sent(source=source, target="a")

    done = 201 if verb == "studies" else 200
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert [answer.status_code for answer in (built_in, taken, again)] == [done] * 3
    assert len(server.storage.list_studies()) == (3 if verb == "studies" else 0)


def test_a_data_set_is_not_removed_while_a_study_needs_it(upload, server):
    key = upload(CSV).json()["id"]
    server.storage.create_study(new_study(spec={"data": {"source": key}}))

    refused = server.client.delete(f"/datasets/{key}")
    server.storage.move_study("wine", StudyState.CANCELLED)
    removed = server.client.delete(f"/datasets/{key}")

    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_move")
    assert "'wine'" in refused.json()["detail"]
    assert (removed.status_code, removed.json()["id"]) == (200, key)
    assert server.client.get(f"/datasets/{key}").status_code == 404
    assert server.client.delete(f"/datasets/{key}").status_code == 404


def test_what_is_built_in_is_not_removed(server):
    answer = server.client.delete("/datasets/digits")

    assert answer.status_code == 404
    assert "built in" in answer.json()["detail"]


@pytest.mark.parametrize(
    "key", ["etc", "%2Fetc%2Fpasswd", "..%2F..%2Fetc%2Fpasswd", "%00", "%F0%9F%98%80", "ds_0"]
)
def test_nothing_but_data_sets_is_ever_shown(server, key):
    answer = server.client.get(f"/datasets/{key}", params={"target": "root"})

    assert answer.status_code == 404
    assert "root:" not in answer.text


def test_who_uploaded_a_data_set_may_remove_it_and_no_other_submitter(storage_of_two):
    storage, kept = storage_of_two
    ann, bob = (Account(owner=name, role=Role.SUBMITTER) for name in ("ann", "bob"))

    with pytest.raises(NotAllowed, match="belongs to ann"):
        datasets.remove(storage, kept["id"], account=bob)
    datasets.remove(storage, kept["id"], account=ann)

    assert storage.list_datasets() == []


@pytest.fixture
def storage_of_two(server):
    return server.storage, datasets.keep(server.storage, "mine.csv", io.BytesIO(CSV), owner="ann")


def test_an_upload_over_the_limit_is_refused_and_the_limit_named(tmp_path, database_url):
    from hpo.api.site import Site
    from hpo.settings import read_settings
    from hpo.storage.open import open_storage
    from hpo.testing.serving import serving

    storage = open_storage(database_url)
    settings = read_settings({"HPO_HOME": str(tmp_path), "HPO_MAX_UPLOAD_MB": "2"})
    long = b"a,b\n" + b"1,2\n" * (MIB // 2 + 10)
    with (
        serving(Site(settings=settings, storage=storage)) as url,
        httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client,
    ):
        said = client.post("/datasets?name=long.csv", content=long, headers=OCTETS)
        unsaid = client.post("/datasets?name=long.csv", content=iter([long]), headers=OCTETS)
        fits = client.post("/datasets?name=fits.csv", content=long[: MIB - 3 * 4], headers=OCTETS)

    for answer in (said, unsaid):
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert "2,097,152 bytes; HPO_MAX_UPLOAD_MB" in answer.json()["detail"]
    assert fits.status_code == 201
    assert [kept.name for kept in storage.list_datasets()] == ["fits.csv"]
    storage.close()
