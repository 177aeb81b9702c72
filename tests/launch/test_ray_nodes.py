"""Ray loses one of three nodes in the middle of a study: the budget stays exact, no trial stays RUNNING."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import satisfice
from satisfice.launch import Job, make_launcher

TOY = Path(__file__).parent / "toy"
TRIALS = 12
# Of each node; what Ray takes at least is 75 MiB. Workers pass nothing through it.
NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20}

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Three nodes on this machine, with room for one worker each."""
    import ray
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **NODE})
    for _ in range(2):
        nodes.add_node(**NODE)
    ray.init(address=nodes.address, log_to_driver=False)
    yield nodes
    ray.shutdown()
    nodes.shutdown()  # type: ignore[no-untyped-call]  # Ray types it not


def lose(cluster: Any, node: Any) -> None:
    """End a node and all that ran on it at once, as when its machine fails."""
    (raylet,) = node.all_processes["raylet"]
    lost = psutil.Process(raylet.process.pid).children(recursive=True)
    for process in lost:  # none of them can say goodbye
        process.suspend()
    cluster.remove_node(node, allow_graceful=False)
    for process in lost:
        process.kill()


@pytest.mark.timeout(400)
def test_one_of_three_nodes_dies_in_the_middle(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATISFICE_LEASE_SECONDS", "6")  # who takes its trial over waits so long
    shutil.copy(TOY / "toy_task.py", tmp_path)
    text = (TOY / "toy.toml").read_text().replace("pause_s = 0.0", "pause_s = 1.0")
    (tmp_path / "toy.toml").write_text(text)
    url = f"sqlite:///{tmp_path}/study.db"
    study = satisfice.create_study(tmp_path / "toy.toml", storage=url)
    doomed = next(iter(cluster.worker_nodes))

    def kill_a_node() -> None:
        if doomed in cluster.worker_nodes and study.status()["states"].get("RUNNING", 0) == 3:
            lose(cluster, doomed)

    make_launcher("ray").run(Job(study="toy", storage=url, workers=3), on_tick=kill_a_node)
    assert doomed not in cluster.worker_nodes
    status = study.status()
    assert status["budget"]["used"] == TRIALS
    assert status["states"] == {"COMPLETE": TRIALS}
    assert [trial.number for trial in study.optuna_study.trials] == list(range(TRIALS))
