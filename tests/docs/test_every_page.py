"""All pages: links lead somewhere, commands are there, blocks are run or read by a test, study files in them can be read."""

import io
import json
import os
import re

import pytest
from ruamel.yaml import YAML

from hpo.cli import commands_page
from hpo.cli.main import FAMILIES, VERBS
from hpo.service import settings_page, specfile
from tests.docs.pages import ROOT, blocks_of, text_of

PAGES = [*sorted(str(file.relative_to(ROOT)) for file in (ROOT / "docs").rglob("*.md")), "README.md"]
# Pages whose blocks are run, or read and compared, by a test of their own.
OWN = {
    "docs/explain/fused-training.md": "test_fused_training",
    "docs/explain/recipe.md": "test_recipe",
    "docs/howto/a-cluster.md": "test_a_cluster",
    "docs/howto/a-gpu-box.md": "test_a_gpu_box",
    "docs/howto/containers.md": "test_containers",
    "docs/howto/external-trainer.md": "test_external_trainer",
    "docs/howto/from-another-tool.md": "test_from_another_tool",
    "docs/howto/monitoring.md": "test_monitoring",
    "docs/howto/notebook.md": "test_notebook",
    "docs/howto/own-table.md": "test_own_table",
    "docs/howto/serve.md": "test_serve",
    "docs/howto/terminal.md": "test_terminal",
    "docs/howto/use-a-model.md": "test_use_a_model",
    "docs/quickstart.md": "test_quickstart",
    "README.md": "test_readme",
}
FRAGMENTS = [
    (page, block.text)
    for page in PAGES
    if page.startswith("docs/explain/") and page not in OWN
    for block in blocks_of(page)
]
# Verb -> its options, those of the program itself under no verb.
OPTIONS = {
    words: {opt for param in verb.params for opt in (*param.opts, *param.secondary_opts)} | {"--help"}
    for words, verb in commands_page.commands()
} | {(): {"--install-completion", "--version", "--help"}}
FOLDERS = "benchmarks|dashboards|docker|docs|hpo|search_spaces|tests"
SETTINGS = {
    *(*settings_page.OURS, *settings_page.SERVERS, *settings_page.OTHERS),
    # Which Ray itself reads.
    *("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH", "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"),
    "RAY_USAGE_STATS_ENABLED",
}
STUDY = {"data": "digits", "parameters": {"learning_rate": {"low": 1e-4, "high": 0.1, "log": True}}}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_page_and_a_heading_that_there_are(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith("http"):
            continue
        path, _, heading = target.partition("#")
        file = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        assert (ROOT / file).exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", text_of(file), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, (
                target
            )


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_named_is_one(page):
    families = {family: set(verbs) for family, (_, verbs) in FAMILIES.items()}
    typed = re.findall(r"`hpo ((?!is ready)[a-z]+(?: [a-z]+)?)", text_of(page))
    for block in blocks_of(page):
        if block.language in ("bash", "sh"):
            typed += re.findall(r"^(?:! |[A-Z_]+=\S* )*hpo ([a-z]+(?: [a-z]+)?)", block.text, re.MULTILINE)

    for words in typed:
        verb, _, below = words.partition(" ")
        assert verb in {**VERBS, **families}, words
        assert not below or below in families.get(verb, {below}), words


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_is_named_is_one_of_its_verb(page):
    pieces = re.findall(r"`(hpo [^`]+)`", text_of(page))
    for block in blocks_of(page):
        if block.language in ("bash", "sh"):
            # A namespace, a user and a cluster are called hpo, too.
            text = re.sub(r"(--namespace |[=/])hpo\b", "", block.text.replace("\\\n", " "))
            pieces += re.findall(r"\bhpo [^|#;&\n]+", text)

    for piece in pieces:
        words = re.sub(r"'[^']*'", "", piece).split()[1:]
        options = {word.split("=")[0] for word in words if re.fullmatch(r"--[a-z][a-z-]*(=.*)?", word)}
        known = OPTIONS.get(tuple(words[:2]), OPTIONS.get(tuple(words[:1]), OPTIONS[()]))
        assert options <= known, piece


@pytest.mark.parametrize("page", PAGES)
def test_every_file_of_the_repository_that_is_named_is_there(page):
    for path in re.findall(rf"(?<![\w/.])(?:{FOLDERS})/[\w./-]*\w", text_of(page)):
        assert (ROOT / path).exists() or "/secrets" in path, path  # which whoever reads it makes


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_is_named_is_one(page):
    assert set(re.findall(r"\b(?:HPO|RAY)_[A-Z_]+\b", text_of(page))) <= SETTINGS


@pytest.mark.parametrize(("page", "name"), OWN.items())
def test_every_page_with_blocks_has_a_test_of_its_own(page, name):
    assert f'{page.removeprefix("docs/")}"' in (ROOT / f"tests/docs/{name}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "text"), FRAGMENTS, ids=lambda value: value.removeprefix("docs/explain/")[:30]
)
def test_every_piece_of_a_study_file_makes_a_study_that_can_be_read(page, text):
    piece = YAML(typ="safe", pure=True).load(io.StringIO(text))

    spec = specfile.parse(json.dumps(STUDY | piece))

    assert set(piece) <= set(specfile.to_json(spec)) | {"objective", "sampler"}


def test_blocks_that_no_test_here_reads_are_those_of_rest():
    left = {
        page
        for page in PAGES
        if blocks_of(page) and page not in OWN and page not in {fragment for fragment, _ in FRAGMENTS}
    }

    # Examples of the OpenAPI document, which its own tests look at.
    assert left == {"docs/reference/rest.md"}


def test_the_list_of_pages_has_every_page():
    listed = {
        os.path.normpath(f"docs/{path}") for path in re.findall(r"\]\(([^)]+)\)", text_of("docs/README.md"))
    }

    assert listed == (set(PAGES) | {"docs/howto/notebook.ipynb"}) - {"README.md", "docs/README.md"}
