import json
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.results import Results
from benchmarks.servers import SERVERS
from benchmarks.targets import TARGETS, target
from benchmarks.tests.sample import document, results
from benchmarks.workloads import WORKLOADS


def row(text: str, start: str, table: int = 0) -> list[str]:
    lines = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in lines[table].strip("|").split("|")]


def test_rates_come_with_their_ratio_to_bare_hyper() -> None:
    cells = row(report.markdown(results()), "Plaintext (requests/s)")
    assert cells[1:4] == ["1,000 (1.00)", "800 (0.90)", "600 (0.60)"]


def test_targets_are_met_or_not() -> None:
    text = report.markdown(results())
    assert row(text, "Plaintext", table=1)[1:] == ["0.90 [0.80..0.90] of 0.85 ✓", "1.29 [1.00..1.80] of 1.20 ✓"]
    assert row(text, "Json", table=1)[1:] == ["0.70 [0.70..0.70] of 0.80 ✗", "- of 1.20"]


def test_what_was_not_measured_says_why() -> None:
    assert "- granian, 1, Json: status 500" in report.markdown(results())


def test_footprints_in_units_of_people() -> None:
    assert row(report.markdown(results()), "slimeweb ")[1:] == ["300", "41.0", "31.0", "8,500", "10,000"]


@pytest.mark.parametrize(("gil", "said"), [(True, "ran with the GIL"), (False, "ran without the GIL")])
def test_the_gil_is_told_as_it_was_in_the_end(gil: bool, said: str) -> None:
    assert said in report.markdown(Results(document() | {"process": {"gil": gil}}))


def test_main_reads_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(document()), "utf-8")
    report.main([str(path)])
    assert capsys.readouterr().out == report.markdown(results())


def test_targets_name_workloads_and_families_that_exist() -> None:
    assert TARGETS.keys() <= {each.name for each in WORKLOADS}
    assert {family for row in TARGETS.values() for family in row} <= {each.family for each in SERVERS}


def test_every_row_has_the_common_targets() -> None:
    assert (target("json", "robyn"), target("json", "fastapi"), target("json", "blacksheep")) == (2.0, 6.0, None)
    assert target("template", "robyn") is None
