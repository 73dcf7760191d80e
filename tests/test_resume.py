"""A sweep that is given again starts no job whose run is recorded, and every job whose run may be another one."""

import json
import os
import shutil
from pathlib import Path

import pytest

from synaug import record
from tests import toy
from tests.program import BRIEF, Kept, Program

pytestmark = [pytest.mark.xdist_group("resume"), pytest.mark.usefixtures("no_figures")]  # the grid is swept once

OWN = Path(__file__).parent / "conf"
GRID = ["augmenter=none,smote,random", "imbalance_ratio=ir5,ir2"]
TWO = "augmenter=none,smote"  # of them, at ir5


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A program that has recorded the grid."""
    done = Program(tmp_path_factory.mktemp("swept"))
    assert done("--multirun", *BRIEF, csv_of(done), *GRID).code == 0
    return Kept(done)


@pytest.fixture
def program(swept: Kept) -> Program:
    """It, to go on from."""
    return swept.put_back()


@pytest.fixture
def csv(program: Program) -> str:
    return f"dataset.path={program.folder / 'mine.csv'}"


def csv_of(program: Program) -> str:
    return f"dataset.path={toy.write_csv(program.folder / 'mine.csv', *toy.texts(60))}"


def statuses(program: Program) -> list[str]:
    return [job["status"] for job in record.sweep_of(program.folder / "multirun" / "default")["jobs"]]


def record_of(program: Program, beginning: str) -> Path:
    (path,) = (program.folder / "multirun" / "default").glob(f"{beginning}*/record.json")
    return path


def test_only_what_is_missing_is_started_and_counted_in_the_whole_grid(program: Program, csv: str) -> None:
    kept = {path: path.stat().st_mtime_ns for path in program.folder.rglob(record.RECORD)}
    lost = record_of(program, "files-toy-ir2-smote")
    lost.unlink()
    again = program("--multirun", *BRIEF, csv, *GRID)
    assert again.code == 0
    assert "5 of 6 jobs are already recorded and are not started" in again.err
    assert "[6/6] files-toy-ir2-smote" in again.err
    assert statuses(program) == ["skipped", "skipped", "skipped", "skipped", "done", "skipped"]  # ir5, then ir2
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items() if path != lost)


def test_what_a_grid_cannot_leave_out_is_skipped_by_its_job(program: Program, csv: str) -> None:
    record_of(program, "files-toy-ir2-smote").unlink()
    record_of(program, "files-toy-ir5-random").unlink()
    again = program("--multirun", *BRIEF, csv, *GRID)
    assert again.code == 0
    assert "2 of 6 jobs are already recorded and are not started" in again.err
    assert statuses(program) == ["skipped", "skipped", "done", "skipped", "done", "skipped"]


def test_forced_jobs_are_started(program: Program, csv: str) -> None:
    assert program("--multirun", *BRIEF, csv, TWO, "force=true").code == 0
    assert statuses(program) == ["done", "done"]


def test_other_data_under_the_same_name_is_another_run(program: Program, csv: str) -> None:
    toy.write_csv(program.folder / "mine.csv", *toy.texts(61))
    again = program("--multirun", *BRIEF, csv, TWO)
    assert again.code == 0
    assert "already recorded" not in again.err
    assert statuses(program) == ["done", "done"]


def test_an_altered_option_is_another_run(program: Program, csv: str) -> None:
    options = program.folder / "conf" / "augmenter"
    options.mkdir(parents=True)
    mine = options / "mine.yaml"
    mine.write_text("# mine\n_target_: imblearn.over_sampling.SMOTE\nk_neighbors: 3\n")
    (program.folder / "conf" / "encoder").mkdir()
    toys = Path(__file__).parent / "conf" / "encoder" / "toy.yaml"
    (program.folder / "conf" / "encoder" / "toy.yaml").write_text(toys.read_text())
    arguments = ["--multirun", f"--config-dir={program.folder / 'conf'}", *BRIEF[1:], csv, "augmenter=none,mine"]
    assert program(*arguments).code == 0
    mine.write_text("# mine\n_target_: imblearn.over_sampling.SMOTE\nk_neighbors: 2\n")
    assert program(*arguments).code == 0
    assert statuses(program) == ["skipped", "done"]


def test_an_altered_record_is_no_reason_to_leave_its_job_out(program: Program, csv: str) -> None:
    path = record_of(program, "files-toy-ir5-smote")
    stands = json.loads(path.read_text())
    stands["config"]["max_steps"] = 2
    path.write_text(json.dumps(stands))
    again = program("--multirun", *BRIEF, csv, TWO)
    assert "1 of 2 jobs are already recorded and are not started" in again.err


def test_a_sweep_with_nothing_to_do_still_writes_its_report(program: Program, csv: str) -> None:
    again = program("--multirun", *BRIEF, csv, TWO, "report=true")
    assert again.code == 0
    assert "report: " in again.out


def test_a_list_among_the_overrides_is_left_whole(program: Program, csv: str) -> None:
    grid = ["seeds=[0,1],[0]", "imbalance_ratio.minority=[trade],[sport]"]
    assert program("--multirun", *BRIEF, csv, *grid).code == 0
    again = program("--multirun", *BRIEF, csv, *grid)
    assert "4 of 4 jobs are already recorded" in again.err


def test_a_group_behind_a_link_is_looked_into_by_the_jobs_themselves(tmp_path: Path) -> None:
    program = Program(tmp_path)
    csv = csv_of(program)
    conf, elsewhere = tmp_path / "conf", tmp_path / "elsewhere"
    shutil.copytree(OWN / "encoder", conf / "encoder")
    shutil.copytree(OWN / "augmenter", elsewhere)
    (conf / "augmenter").symlink_to(elsewhere)
    command = ["--multirun", f"--config-dir={conf}", *BRIEF[1:], csv, "augmenter=none,mine"]
    assert program(*command).code == 0
    mine = elsewhere / "mine.yaml"
    mine.write_text(mine.read_text().replace("0.1", "0.9"))
    again = program(*command)
    assert (again.code, statuses(program)) == (0, ["skipped", "done"])
    assert {record["config"]["augmenter"].get("noise") for record in program.records()} == {None, 0.1, 0.9}


def test_what_a_grid_interpolates_is_resolved_by_each_job(tmp_path: Path) -> None:
    program = Program(tmp_path)
    command = ["--multirun", *BRIEF, csv_of(program), "max_steps=2,4", "batch_size=${max_steps}"]
    assert program(*command).code == 0
    (program.run_folders[0] / record.RECORD).unlink()
    again = program(*command)
    assert (again.code, sorted(statuses(program))) == (0, ["done", "skipped"])
    found = {(each["config"]["max_steps"], each["config"]["batch_size"]) for each in program.records()}
    assert found == {(2, 2), (4, 4)}


def test_what_depends_on_a_jobs_number_is_left_to_the_jobs(tmp_path: Path) -> None:
    program = Program(tmp_path)
    command = ["--multirun", *BRIEF, csv_of(program), "augmenter=none,random,smote", "seeds=[${hydra:job.num}]"]
    first = program(*command)
    assert (first.code, "Warning" in first.err) == (0, False)
    record_of(program, "files-toy-ir5-smote").unlink()
    assert program(*command).code == 0
    assert sorted(statuses(program)) == ["done", "skipped", "skipped"]
    assert sorted(each["config"]["seeds"] for each in program.records()) == [[0], [1], [2]]


def test_a_record_without_settings_of_the_data_is_left_to_its_job(program: Program, csv: str) -> None:
    command = ["--multirun", *BRIEF, csv, "augmenter=none,random"]
    path = record_of(program, "files-toy-ir5-none")
    stands = json.loads(path.read_text())
    del stands["config"]["dataset"]
    path.write_text(json.dumps(stands))
    again = program(*command)
    assert (again.code, "Warning" in again.err) == (0, False)


def test_what_stands_in_a_records_place_is_named(program: Program, csv: str) -> None:
    path = record_of(program, "files-toy-ir5-smote")
    path.unlink()
    os.mkfifo(path)
    again = program(*BRIEF, csv)
    assert again.code == 0
    assert "record.json is not a regular file: the run is made again" in again.err
    path.unlink()
    path.mkdir()
    refused = program(*BRIEF, csv)
    assert refused.code == 1
    assert "record.json is a folder, where the run's record is to stand: remove it" in refused.err
    assert "training" not in refused.err
