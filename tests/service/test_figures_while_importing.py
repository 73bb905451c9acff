"""A figure is drawn also while another thread has begun to import pandas, of which Plotly wants to know types."""

import subprocess
import sys

SCRIPT = """
import sys, threading
from hpo.service import figures
from hpo.service.figure_source import Options
from hpo.storage.open import open_storage
from hpo.testing.studies import finished

storage = open_storage("memory://")
finished(storage, [0.5, 0.9], spec={"data": {"source": "iris"}, "epochs": 5, "parameters": {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}}})
assert "pandas" not in sys.modules
begun, drawn = threading.Event(), threading.Event()

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas.core":
            begun.set()
            drawn.wait(1.0)  # who draws without waiting has failed by then

sys.meta_path.insert(0, Slow())
importing = threading.Thread(target=__import__, args=("pandas",))
importing.start()
begun.wait()
record = figures.figure(storage, "wine", "history")
drawn.set()
importing.join()
print(record["title"], len(record["data"]))
"""


def test_a_figure_is_drawn_while_pandas_is_being_imported():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=50, check=False
    )

    assert (done.stdout, done.returncode) == ("History 2\n", 0), done.stderr
