"""API keys as they are ordered, shown once, and listed; signing in."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from hpo.account import Role
from hpo.api.schemas.base import Answer, Page, Sent, Time, example, sent_like

_KEY: dict[str, Any] = {
    "id": "key_1f2e3d4c5b6a",
    "owner": "ada",
    "role": "submitter",
    "state": "valid",
    "created_at": "2026-01-02T03:04:05Z",
    "last_used_at": None,
    "expires_at": "2026-02-01T03:04:05Z",
    "revoked_at": None,
    "quota": {"studies": 5, "trials": None, "slots": None},
}
_SECRET = "hpo_pZ0V8rQn5cYw1mT7bXk3fLd9aHs2eGu6iJo4qWxE-_M"


class KeyQuota(Answer):
    """What an owner may have at a time; null: no limit."""

    studies: int | None = Field(description="Studies that are not final.")
    trials: int | None = Field(description="The totals of those studies, together.")
    slots: int | None = Field(description="Slots of workers, while others wait.")


class Key(Answer):
    """An API key, without its secret."""

    model_config = example(_KEY)

    id: str
    owner: str
    role: Role
    state: Literal["valid", "expired", "revoked"]
    created_at: Time
    last_used_at: Time | None = Field(description="To within a minute.")
    expires_at: Time | None = Field(description="null: it does not.")
    revoked_at: Time | None
    quota: KeyQuota = Field(description="Of its owner.")


class NewKey(Key):
    """An API key that was made just now."""

    model_config = example({**_KEY, "secret": _SECRET})

    secret: str = Field(description="What to show as `Authorization: Bearer`; never to be seen again.")


class KeyPage(Page[Key]):
    """All keys, by owner and age."""

    model_config = example({"items": [_KEY], "next_cursor": None})


class KeyOrder(Sent):
    """A key to make."""

    model_config = sent_like({"owner": "ada", "role": "submitter", "expires": "30d"})

    owner: str = Field(description="Whose it is to be.", examples=["ada"])
    role: str = Field(default=Role.SUBMITTER.value, examples=[role.value for role in Role])
    expires: str | float | None = Field(
        default=None, description="After which time, such as 30d, or seconds; null: it does not."
    )
    studies: int | None = Field(default=None, description="The owner's quota from now on; null: as it is.")
    trials: int | None = Field(default=None, description="The owner's quota from now on; null: as it is.")
    slots: int | None = Field(default=None, description="The owner's quota from now on; null: as it is.")
    no_quota: bool = Field(default=False, description="First take away the quota that the owner has.")


class SignIn(Sent):
    """A key to sign in with."""

    key: str = Field(description="The secret of an API key.", examples=[_SECRET])
