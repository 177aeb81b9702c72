"""Ray loses a node in the middle of a study: the budget stays exact, and no trial stays RUNNING."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import satisfice
from satisfice.launch import Job, make_launcher

TOY = Path(__file__).parent / "toy"

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Three nodes on this machine; the driver's own runs no worker."""
    import ray
    from ray.cluster_utils import Cluster

    options: dict[str, Any] = {"object_store_memory": 100 << 20}
    nodes = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **options}
    )
    nodes.add_node(num_cpus=2, **options)
    ray.init(address=nodes.address, log_to_driver=False)
    yield nodes
    ray.shutdown()
    nodes.shutdown()  # type: ignore[no-untyped-call]  # Ray types it not


@pytest.mark.timeout(240)
def test_a_node_dies_in_the_middle(cluster: Any, tmp_path: Path) -> None:
    shutil.copy(TOY / "toy_task.py", tmp_path)
    text = (TOY / "toy.toml").read_text().replace("pause_s = 0.0", "pause_s = 0.5")
    (tmp_path / "toy.toml").write_text(text)
    url = f"sqlite:///{tmp_path}/study.db"
    study = satisfice.create_study(tmp_path / "toy.toml", storage=url)
    doomed = next(iter(cluster.worker_nodes))
    killed: list[Any] = []

    def kill_the_node() -> None:
        if not killed and study.status()["states"].get("RUNNING", 0) == 2:
            # Its replacement first, as an autoscaler brings it.
            cluster.add_node(num_cpus=2, object_store_memory=100 << 20)
            cluster.remove_node(doomed, allow_graceful=False)
            killed.append(doomed)

    make_launcher("ray").run(Job(study="toy", storage=url, workers=2), on_tick=kill_the_node)
    status = study.status()
    assert killed
    assert status["budget"]["used"] == 12
    assert status["states"] == {"COMPLETE": 12}
