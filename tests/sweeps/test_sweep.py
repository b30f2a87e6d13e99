"""A sweep: made in threads and processes, killed, gone on with; every run to the same bits."""

import csv
import json
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet
import pytest

import neuronsim as ns
from neuronsim.commands import main as cli
from neuronsim.errors import CheckError, FileError, SettingError
from neuronsim.sweeps import Options
from neuronsim.sweeps.attempt import Answer, attempt
from neuronsim.sweeps.identity import run_id
from neuronsim.sweeps.store import Store

FILE = """\
[network]
wiring = "layered"
sizes = [2, 4, 1]
output = "identity"
[data]
name = "xor"
[training]
epochs = 3
[sweep]
"training.learning_rate" = [0.1, 1e300]
seed = { range = 4 }
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("xor.toml").write_text(FILE)
    return Path("xor.toml")


def bits(found):
    return {run.id: run.outcome["bits"] for run in found.runs}


class TestInThreads:
    def test_a_sweep(self, file):
        found = ns.sweep(file, executor="threads:2")
        assert found.directory == Path("sweeps/xor")
        assert [row["seed"] for row in found.table] == [0, 1, 2, 3] * 2
        assert {row["status"] for row in found.table[:4]} == {"finished"}
        assert {row["status"] for row in found.table[4:]} == {"diverged"}
        assert found.failed == []
        with (found.directory / "results.csv").open(newline="") as text:
            rows = list(csv.DictReader(text))
        assert [float(row["loss"]) for row in rows[:4]] == [row["loss"] for row in found.table[:4]]
        assert not (found.directory / "lock").exists()
        assert found.frame()["training.learning_rate"].tolist() == [0.1] * 4 + [1e300] * 4

    def test_a_run_is_the_one_that_python_makes(self, file):
        run = ns.sweep(file).runs[2]
        net = ns.wiring.layered([2, 4, 1], output="identity", rng=2)
        alone = net.fit(*ns.data.load("xor"), epochs=3, learning_rate=0.1, rng=2)
        assert run.outcome["metrics"]["loss"] == alone.history["loss"][-1]
        again = run.load()
        assert again.history["loss"] == alone.history["loss"]
        assert again.network.weights.tobytes() == net.weights.tobytes()
        assert again.at(5).loss == alone.at(5).loss

    def test_it_goes_on(self, file):
        first = ns.sweep(file)
        kept = first.runs[3].directory
        (kept / "outcome.json").unlink()
        before = first.runs[0].directory.joinpath("outcome.json").stat().st_mtime_ns
        again = ns.sweep("sweeps/xor")
        assert bits(again) == bits(first)
        assert first.runs[0].directory.joinpath("outcome.json").stat().st_mtime_ns == before
        log = [json.loads(line) for line in Path("sweeps/xor/log.jsonl").read_text().splitlines()]
        assert [entry["ids"] for entry in log if entry["event"] == "done"][-1] == [first.runs[3].id]

    def test_what_failed_is_recorded_and_made_again_when_asked(self, file):
        text = FILE.replace('name = "xor"', 'csv = "a.csv"\ntargets = ["t"]')
        text = text.replace("[sweep]", '[sweep]\n"network.sizes" = [[2, 4, 1], [3, 4, 1]]')
        file.write_text(text.replace("1e300", "0.2"))
        Path("a.csv").write_text("a,b,t\n0,1,1\n1,0,0\n1,1,1\n")
        found = ns.sweep(file)
        assert [run.status for run in found.runs] == ["finished"] * 8 + ["failed"] * 8
        assert "X has 2 columns, the network has 3 inputs" in found.runs[-1].outcome["reason"]
        assert len(found.failed) == 8
        assert "failed   8 ×: X has 2 columns" in str(found)
        stamp = found.runs[-1].directory.joinpath("outcome.json").stat().st_mtime_ns
        ns.sweep(file)
        assert found.runs[-1].directory.joinpath("outcome.json").stat().st_mtime_ns == stamp
        ns.sweep(file, options=Options(retry="lost"))
        assert found.runs[-1].directory.joinpath("outcome.json").stat().st_mtime_ns == stamp
        ns.sweep(file, options=Options(retry="failed"))
        assert found.runs[-1].directory.joinpath("outcome.json").stat().st_mtime_ns != stamp

    def test_ten_that_fail_alike_end_it(self, file):
        file.write_text(FILE.replace("sizes = [2, 4, 1]", "sizes = [7, 4, 1]").replace("range = 4", "range = 100"))
        found = ns.sweep(file, executor="threads:1")
        assert found.stopped.startswith("the first 10 runs all failed alike: X has 2 columns")
        assert len([run for run in found.runs if run.status == "failed"]) < 100

    def test_parts_make_the_whole(self, file):
        whole = ns.sweep(file, "whole")
        for k in (1, 2, 3):
            ns.sweep(file, "parts", options=Options(part=(k, 3)))
        collected = ns.sweep("parts", options=Options(collect=True))
        assert bits(collected) == bits(whole)

    @pytest.mark.parametrize("keep", ["outcome", "history", "network"])
    def test_what_is_kept(self, file, keep):
        run = ns.sweep(file, options=Options(keep=keep)).runs[0]
        names = {"outcome": [], "history": ["history.csv"], "network": ["history.csv", "network.safetensors"]}[keep]
        assert sorted(path.name for path in run.directory.iterdir()) == [*names, "outcome.json"]


class TestAudit:
    def test_a_part_is_made_twice(self, file):
        first = ns.sweep(file)
        ns.sweep(file, options=Options(verify=0.5))
        log = [json.loads(line) for line in Path("sweeps/xor/log.jsonl").read_text().splitlines()]
        done = [name for entry in log if entry["event"] == "done" for name in entry["ids"]]
        assert len(done) == 8 + 4
        outcome = first.runs[0].directory / "outcome.json"
        facts = json.loads(outcome.read_text())
        outcome.write_text(json.dumps(facts | {"bits": "0" * 64}))
        with pytest.raises(CheckError, match="other bits"):
            ns.sweep(file, options=Options(verify=1.0))
        assert not Path("sweeps/xor/lock").exists()

    def test_a_table_for_other_programs(self, file):
        found = ns.sweep(file)
        table = pyarrow.parquet.read_table("sweeps/xor/results.parquet").to_pylist()
        assert [row["loss"] for row in table] == [row.get("loss") for row in found.table]

    def test_the_data_are_known_by_their_digests(self, file):
        file.write_text(FILE.replace('name = "xor"', 'csv = "a.csv"\ntargets = ["t"]'))
        Path("a.csv").write_text("a,b,t\n0,1,1\n1,0,0\n1,1,1\n")
        ns.sweep(file)
        assert "a.csv" in Path("sweeps/xor/sweep.toml").read_text()
        Path("a.csv").write_text("a,b,t\n0,1,1\n1,0,0\n1,1,2\n")
        with pytest.raises(FileError, match="other data"):
            ns.sweep("sweeps/xor")


class TestRefused:
    def test_before_anything_runs(self, file):
        file.write_text(FILE.replace("training.learning_rate", "training.learning_rat"))
        with pytest.raises(SettingError, match="did you mean 'learning_rate'"):
            ns.sweep(file)
        assert not Path("sweeps").exists()

    def test_another_sweep_in_its_place(self, file):
        ns.sweep(file)
        file.write_text(FILE.replace("range = 4", "range = 5"))
        with pytest.raises(FileError, match="holds another sweep"):
            ns.sweep(file)

    def test_no_sweep(self, file):
        file.write_text(FILE.partition("[sweep]")[0])
        with pytest.raises(SettingError, match=r"has no \[sweep\]"):
            ns.sweep(file)
        with pytest.raises(FileError, match=r"without a sweep\.toml"):
            ns.sweep(Path("."))

    def test_run_says_where_sweeps_are_made(self, file, capsys):
        assert cli.main(["run", str(file), "-o", "out"]) == 0
        assert "`neuronsim sweep` makes all of them" in capsys.readouterr().err
        assert "[sweep]" not in Path("out/experiment.toml").read_text()

    @pytest.mark.parametrize(
        "given",
        [{"keep": "all"}, {"attempts": 0}, {"verify": 2.0}, {"retry": "all"}, {"part": (3, 2)}, {"part": (0, 2)}],
    )
    def test_options_that_are_none(self, given):
        with pytest.raises(SettingError):
            Options(**given)

    @pytest.mark.parametrize("executor", ["thread", "dask:nowhere", "threads:0", "threads:x", "no.such:thing", 3])
    def test_executors_that_are_none(self, file, executor):
        with pytest.raises(SettingError):
            ns.sweep(file, executor=executor)
        assert not Path("sweeps").exists()

    def test_two_writers(self, file):
        ns.sweep(file)
        with Store(Path("sweeps/xor")).locked(), pytest.raises(FileError, match=f"process {os.getpid()} on"):
            ns.sweep(file)

    @pytest.mark.parametrize("torn", ["", '{"host": "'])
    def test_the_lock_of_a_process_that_is_gone(self, file, torn):
        ns.sweep(file)
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        text = torn or json.dumps({"host": platform.node(), "pid": gone.pid, "start": 0})
        Path("sweeps/xor/lock").write_text(text)
        assert len(ns.sweep(file)) == 8

    def test_other_bits_are_an_error(self, file):
        run = ns.sweep(file).runs[0]
        outcome = json.loads((run.directory / "outcome.json").read_text())
        store = Store(Path("sweeps/xor"))
        store.keep(Answer(run.id, outcome))
        with pytest.raises(CheckError, match="other bits"):
            store.keep(Answer(run.id, outcome | {"bits": "0" * 64}))


class Losing(Executor):
    """Makes runs at once, and loses groups that hold a run of one seed, as if it took all memory."""

    def __init__(self, seed):
        self.seed, self.broke = seed, 0

    def submit(self, function, /, jobs=(), *rest):
        future = Future()
        if jobs and any(job.settings["seed"] == self.seed for job in jobs):
            self.broke += 1
            future.set_exception(MemoryError("no room"))
        elif jobs:
            future.set_result(function(jobs, *rest))
        else:
            future.set_result(0)
        return future


class TestLost:
    def test_a_run_that_is_always_lost_is_given_up_and_all_others_are_done(self, file):
        executor = Losing(seed=2)
        found = ns.sweep(file, executor=executor)
        assert [run.status for run in found.runs] == [
            *("finished", "finished", "lost", "finished"), *("diverged", "diverged", "lost", "diverged"),
        ]  # fmt: skip
        assert "lost     2 ×: MemoryError: no room" in str(found)
        assert executor.broke == 6
        assert len(found.failed) == 2
        again = Losing(seed=99)
        assert len(ns.sweep(file, executor=again).failed) == 2  # given up
        assert ns.sweep(file, executor=again, options=Options(retry="lost")).failed == []

    @pytest.mark.parametrize("executor", ["threads:2", "processes:1"])
    def test_a_run_that_takes_too_long_is_given_up(self, file, executor):
        ns.sweep(file, "compiled")
        file.write_text(
            FILE.replace("range = 4", "range = 1").replace("[0.1, 1e300]", "[0.1]").replace("epochs = 3", "")
        )
        file.write_text(file.read_text() + '"training.epochs" = [3, 1_000_000_000]\n')
        options = Options(timeout=0.5 if executor == "threads:2" else 4, attempts=2)
        found = ns.sweep(file, executor=executor, options=options)
        assert [run.status for run in found.runs] == ["finished", "lost"]
        assert found.table[1]["reason"] == f"TimeoutError: it took longer than timeout={options.timeout:g} seconds"
        lines = [json.loads(line) for line in (found.directory / "log.jsonl").read_text().splitlines()]
        assert [line["event"] for line in lines if found.runs[1].id in line["ids"]] == ["submitted", "lost"] * 2

    def test_runs_side_by_side_have_their_time_together(self, file):
        job = ns.sweep(file, options=Options(dry=True)).runs[0]._job
        long = replace(job, settings=job.settings | {"training": job.settings["training"] | {"epochs": 10**9}})
        jobs = tuple(
            replace(long, settings=long.settings | {"seed": seed}, timeout=0.5) for seed in range(4)
        )  # fmt: skip
        jobs = tuple(replace(one, id=run_id(one.settings, Path(one.folder))) for one in jobs)
        with pytest.raises(TimeoutError, match="longer than timeout=2 seconds"):
            attempt(jobs, 1)

    def test_a_worker_is_killed(self, file):
        alone = ns.sweep(file, "alone")
        killed = []

        def kill(progress):
            if progress.done and not killed:
                killed.append(multiprocessing.active_children()[0].pid)
                os.kill(killed[0], signal.SIGKILL)

        found = ns.sweep(file, "killed", executor="processes:2", options=Options(tell=kill))
        assert killed
        assert bits(found) == bits(alone)
        assert found.failed == []

    def test_the_coordinator_is_killed_again_and_again(self, file):
        file.write_text(FILE.replace("range = 4", "range = 20").replace("epochs = 3", "epochs = 500"))
        command = [sys.executable, "-m", "neuronsim", "sweep", str(file), "-o", "out", "--executor", "threads:2"]
        for _ in range(2):
            before = len(list(Path("out").glob("runs/*/*/outcome.json")))
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 120
            while process.poll() is None and time.monotonic() < deadline:
                if len(list(Path("out").glob("runs/*/*/outcome.json"))) > before:
                    break
                time.sleep(0.02)
            process.kill()
            process.wait()
        assert subprocess.run(command, check=True, capture_output=True).returncode == 0
        found = ns.sweep("out", options=Options(collect=True))
        assert bits(found) == bits(ns.sweep(file, "alone"))


class TestElsewhere:
    @pytest.mark.parametrize("executor", ["processes:2", "loky:2"])
    def test_processes(self, file, executor):
        assert bits(ns.sweep(file, "there", executor=executor)) == bits(ns.sweep(file, "here"))

    def test_mpi(self, file):
        programs = Path(sys.executable).parent
        command = [programs / "mpiexec", "-n", "3", sys.executable, "-m", "mpi4py.futures", programs / "neuronsim"]
        command += ["sweep", str(file), "-o", "there", "--executor", "mpi"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr
        assert bits(ns.sweep("there", options=Options(collect=True))) == bits(ns.sweep(file, "here"))

    def test_dask(self, file, tmp_path):
        scheduler = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
             "--no-dashboard", "--scheduler-file", str(tmp_path / "scheduler.json")],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        worker = [
            sys.executable,
            "-m",
            "distributed.cli.dask_worker",
            "--scheduler-file",
            str(tmp_path / "scheduler.json"),
        ]
        worker += ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(tmp_path)]
        workers = []
        try:
            deadline = time.monotonic() + 60
            while not (tmp_path / "scheduler.json").exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            workers = [subprocess.Popen(worker, stderr=subprocess.DEVNULL) for _ in range(2)]
            address = json.loads((tmp_path / "scheduler.json").read_text())["address"].removeprefix("tcp:")
            killed = []

            def kill(progress):
                if progress.done and not killed:
                    workers[0].kill()
                    killed.append(True)

            found = ns.sweep(file, "there", executor=f"dask:{address}", options=Options(tell=kill))
            assert found.failed == []
            assert bits(found) == bits(ns.sweep(file, "here"))
        finally:
            for process in (*workers, scheduler):
                process.kill()
                process.wait()


class TestCommand:
    def test_a_sweep_from_a_shell(self, file, capsys):
        assert cli.main(["sweep", str(file), "--dry-run"]) == 0
        assert "8 runs: 8 waiting" in capsys.readouterr().out
        assert not Path("sweeps").exists()
        assert cli.main(["sweep", str(file), "--executor", "threads:2"]) == 0
        said = capsys.readouterr().out
        assert said.startswith("8 runs: 4 finished, 4 diverged\n  table    sweeps/xor/results.csv")
        assert cli.main(["sweep", "sweeps/xor", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert len(told["runs"]) == 8
        assert told["stopped"] == ""
        assert cli.main(["sweep", "sweeps/xor", "--set", "training.epochs=1"]) == 3

    def test_parts_and_failures(self, file, capsys):
        assert cli.main(["sweep", str(file), "--part", "1/2"]) == 0
        assert "4 waiting" in capsys.readouterr().out
        with pytest.raises(SystemExit):
            cli.main(["sweep", str(file), "--part", "3/2"])
        file.write_text(FILE.replace("sizes = [2, 4, 1]", "sizes = [7, 4, 1]"))
        assert cli.main(["sweep", str(file), "-o", "bad"]) == 1
