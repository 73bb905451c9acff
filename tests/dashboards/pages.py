"""Pages of metrics, read by Prometheus's own parser, and a database that has something of everything."""

from collections import defaultdict
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from hpo.states import StudyState
from hpo.storage.base import CoordinatorBeat
from hpo.testing.studies import begun, driver, finished, new_study

AWAY = "postgresql+psycopg://hpo@127.0.0.1:1/none"  # the URL of a database that does not answer


@dataclass(frozen=True)
class Series:
    """What is known of the series of one name. labels: each with the values that it was seen to have."""

    kind: str
    labels: dict[str, set[str]]


class Page:
    """The page of metrics of a server. families: name as in `# TYPE` -> kind."""

    def __init__(self, text):
        self.text = text
        self.families, self.series = {}, {}
        for family in text_string_to_metric_families(text):
            if family.name.endswith("_created"):
                continue  # when each series began: of the client library's own making
            self.families[f"{family.name}_total" if family.type == "counter" else family.name] = family.type
            for sample in family.samples:
                known = self.series.setdefault(sample.name, Series(family.type, defaultdict(set)))
                for label, value in sample.labels.items():
                    known.labels[label].add(value)

    def labels_of(self, family):
        """The names of the labels of a family."""
        names = [family, *(f"{family}_{part}" for part in ("bucket", "sum", "count"))]
        return {label for name in names if name in self.series for label in self.series[name].labels} - {"le"}


def some_work(storage):
    """An ended study, one that runs, one that waits, and a coordinator with a slot."""
    storage.release(finished(storage, [0.5, 0.25], name="ended"), StudyState.COMPLETED)
    claim, _ = begun(storage, 3, name="running")
    storage.renew(claim, live={"trials_per_s": 2.5})
    storage.create_study(new_study("waiting", served=True))
    beat(storage)


def beat(storage):
    """What a coordinator with one slot says every few seconds; after 15 s without a word it is gone."""
    slots = [{"id": "local-0", "study": "running", "lanes": 3, "model_steps_per_s": 1000.0}]
    storage.beat(CoordinatorBeat(driver=driver(), version="1", pool="local", slots=slots))
