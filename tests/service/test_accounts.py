"""Who may change which study."""

from dataclasses import replace

import pytest

from hpo.account import ANYBODY, Account, Role
from hpo.errors import NotAllowed
from hpo.service.accounts import check_may_change
from hpo.storage.memory import Memory
from hpo.testing.studies import new_study

ANN = Account(owner="ann", role=Role.SUBMITTER)
BOB = Account(owner="bob", role=Role.SUBMITTER)


@pytest.mark.parametrize("account", [ANN, ANYBODY, Account(owner="root", role=Role.ADMIN)])
def test_owners_and_admins_may_change_a_study(account):
    check_may_change(account, Memory().create_study(replace(new_study(), owner="ann")))


@pytest.mark.parametrize("account", [BOB, Account(owner="ann", role=Role.VIEWER)])
def test_others_and_viewers_may_not(account):
    study = Memory().create_study(replace(new_study(), owner="ann"))

    with pytest.raises(NotAllowed):
        check_may_change(account, study)
