"""The how-to on GPUs: what runs without one runs, and its numbers are those of the code."""

import pytest

from hpo.coordinator import capacity, saturation
from hpo.fused.device import FAST_PRODUCTS
from tests.docs.pages import ROOT, Shell, blocks_of, text_of

PAGE = "docs/howto/a-gpu-box.md"
WORDS = " ".join(text_of(PAGE).split())


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_every_block_that_needs_no_gpu_runs(tmp_path, warm):
    shell = Shell(tmp_path, warm=warm, CUDA_VISIBLE_DEVICES="")
    (shell.folder / "search_spaces").symlink_to(ROOT / "search_spaces")

    said = [shell.run(block) for block in blocks_of(PAGE) if block.language == "bash"]

    assert "none seen" in said[0]
    assert "best accuracy of here" in said[1]
    assert said[1].splitlines()[-1] == "exit code 1"
    assert "on cpu" in said[2]


def test_the_numbers_of_the_page_are_those_of_the_code():
    assert f"network has {saturation.FIRST_LANES_GPU};" in WORDS
    assert f"up to {saturation.MOST_LANES_GPU:,}" in WORDS
    assert f"at least {round((saturation.STILL_PAYS - 1) * 100)} % faster" in WORDS
    assert f"{capacity.SHARE_OF_MEMORY * 100:g} % of the free memory" in WORDS
    assert FAST_PRODUCTS["cuda"] == "high"  # which is TF32


def test_the_script_that_it_names_has_the_row_that_it_names():
    script = (ROOT / "benchmarks" / "gpu.py").read_text(encoding="utf-8")

    assert '"--out"' in script
    assert '"--rounds"' in script
    assert '"exact"' in script
