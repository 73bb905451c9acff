"""A share of a pool is a pool: the contract, on real workers."""

from hpo.coordinator.sharing import SharedPool
from hpo.testing.pool import WorkerPoolContract
from hpo.workers.local_pool import LocalPool


class Sole:
    """The only share of a pool, and the pool with it."""

    def __init__(self, pool):
        self._shared = SharedPool(pool)
        self._share = None

    def start(self):
        self._shared.start()
        self._share = self._shared.share("sole")

    def close(self):
        self._share.close()
        self._shared.close()

    def __getattr__(self, name):
        return getattr(self._share, name)


class TestShare(WorkerPoolContract):
    @classmethod
    def make(cls, folder, n_workers):
        return Sole(LocalPool(n_workers=n_workers, device="cpu", scratch=folder))
