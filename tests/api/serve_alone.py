"""An API process of its own, for tests of several: `python serve_alone.py URL`; says its address, ends with its input."""

import sys

from hpo.api.site import Site
from hpo.settings import read_settings
from hpo.storage.open import open_storage
from hpo.testing.serving import serving

if __name__ == "__main__":
    storage = open_storage(sys.argv[1])
    with serving(Site(settings=read_settings({"HPO_STORAGE": sys.argv[1]}), storage=storage)) as url:
        print(url, flush=True)
        sys.stdin.read()
