"""API keys: made, listed, revoked, by administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from hpo.api.answers import answers
from hpo.api.bodies import sent
from hpo.api.deps import Admin, StorageOf
from hpo.api.json import Json
from hpo.api.queries import DeclaredOnly
from hpo.api.schemas.keys import Key, KeyOrder, KeyPage, NewKey
from hpo.service import keys

router = APIRouter(tags=["keys"], route_class=DeclaredOnly)

KeyId = Annotated[str, Path(description="The key's id.", examples=["key_1f2e3d4c5b6a"])]
Order = Annotated[KeyOrder, Depends(sent(KeyOrder))]


@router.get("/keys", **answers(KeyPage))
def list_keys(_: Admin, storage: StorageOf) -> Json:
    """All keys, void ones too, by owner and age; never a secret."""
    return Json({"items": keys.listed(storage), "next_cursor": None})


@router.post(
    "/keys", **answers(NewKey, 400, status=201, about="The key; its secret this once.", takes=KeyOrder)
)
def create_key(account: Admin, storage: StorageOf, order: Order) -> Json:
    """Make a key. Its secret is in this answer and nowhere else. Only where the server asks for keys."""
    keys.check_may_make_keys(account)
    made = keys.create(storage, keys.KeyOrder(**order.model_dump()))
    return Json(made, status_code=201, headers={"Cache-Control": "no-store"})


@router.post("/keys/{id}:revoke", **answers(Key, 400, 404))
def revoke_key(id: KeyId, _: Admin, storage: StorageOf) -> Json:  # noqa: A002
    """Make a key void, for good; its sessions end. Every process of the server knows within seconds."""
    return Json(keys.revoke(storage, id))
