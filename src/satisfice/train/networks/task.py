"""What the torch families share. Imported without torch: it comes in when something is built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from satisfice.errors import InputError, MissingExtra, SpecError
from satisfice.ship.onnx.graph import Graph
from satisfice.ship.onnx.precision import PRECISIONS, Precision
from satisfice.ship.onnx_file import Core
from satisfice.ship.safetensors_file import Header
from satisfice.spec.metric import Known, quantities_of
from satisfice.spec.study import StudySpec
from satisfice.spec.task import Params, Teacher, TrainingTrial
from satisfice.train.family_task import FamilyTask
from satisfice.train.hyperparameter import IMAGE_SIZE, Hyperparameters, filled
from satisfice.train.networks.distillation import outputs_of, teachers_of
from satisfice.train.networks.export import add_network, blank_arrays, observed_ranges
from satisfice.train.networks.hyperparameters import IDLE_WITH_LBFGS
from satisfice.train.networks.plan import Plan, Shape, flops, n_parameters
from satisfice.train.preparing.idle import refuse_search
from satisfice.train.scoring import monitored
from satisfice.train.trainer import Trained, measures

if TYPE_CHECKING:
    import torch

DEFAULT_EPOCHS = 20
CHECKPOINT_SECONDS = (
    5.0  # between two checkpoints: what a killed worker loses at most, next to the epoch under way
)


class TorchTrainer(ABC):
    """A family of torch networks that are described by a plan."""

    family: str
    doc: str
    kinds: frozenset[str]
    hyperparameters: Hyperparameters
    tasks = frozenset({"classification", "regression"})
    precisions: tuple[str, ...] = PRECISIONS
    measures: Mapping[str, Known] = measures(
        size_known=Known.BEFORE,
        counts={"n_parameters": Known.BEFORE, "flops": Known.BEFORE, "nonzero_weights": Known.AFTER},
        on_accelerators=True,
    )

    @abstractmethod
    def plan(self, values: Mapping[str, Any], shape: Shape, outputs: int) -> Plan:
        """The network for items of this shape."""

    def canonical(self, architecture: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
        """The architecture with one value for each hyperparameter that decides nothing beside the others.

        Architectures of equal networks come out equal, and with the same plan as before.
        """
        return dict(architecture)

    @abstractmethod
    def make_task(self, spec: StudySpec) -> TorchTask:
        """Bind to the study's data."""

    def restore(self, header: Header, arrays: Mapping[str, NDArray[Any]]) -> torch.nn.Module:
        """The module that shipped."""
        network = import_network()
        module: torch.nn.Module = network.from_arrays(self._plan_of(header), arrays)
        return module

    def add_core(
        self,
        graph: Graph,
        x: str,
        header: Header,
        arrays: Mapping[str, NDArray[Any]],
        precision: str,
        items: NDArray[np.float32] | None,
    ) -> Core:
        """The network without dropout, batch normalisation folded in; without torch."""
        plan, ranges = self._plan_of(header), None
        if precision == "int8_static" and not graph.measure_only:
            if items is None or not len(items):
                raise InputError("int8_static calibrates on prepared training items", hint="give some")
            ranges = observed_ranges(plan, arrays, items)
        value = add_network(graph, x, plan, arrays, cast("Precision", precision), ranges)
        return Core(value, "softmax" if header.classes else "none")

    def blank_arrays(self, header: Header) -> dict[str, NDArray[Any]]:
        """Every network's shapes follow from its architecture."""
        return blank_arrays(self._plan_of(header))

    def _plan_of(self, header: Header) -> Plan:
        values = filled(self.hyperparameters, header.architecture)
        return self.plan(values, header.preprocessor.shape, max(len(header.classes), 1))


class TorchTask(FamilyTask):
    """A torch family on a study's data."""

    trainer: TorchTrainer
    libraries = ("satisfice.train.networks.network",)
    checkpoint_seconds = CHECKPOINT_SECONDS

    def __init__(self, trainer: TorchTrainer, spec: StudySpec) -> None:
        super().__init__(trainer, spec)
        self._profile = lru_cache(maxsize=4096)(self._profile_architecture)
        self._teachers: dict[str, tuple[Teacher, NDArray[np.float32]]] = {}

    def prepare(self) -> None:
        """As every family; and see that distillation has a teacher, and that there is what is measured."""
        super().prepare()
        if teachers_of(self.spec) and self._folds is not None:
            raise self._refused_folds(
                "does not go with distillation: a teacher has learnt from rows that a fold validates on"
            )
        self._check_accelerator()
        self._check_full_batch()

    def _check_full_batch(self) -> None:
        """Refuse a search of what decides nothing, since every trial trains with L-BFGS.

        Raises:
            SpecError: It tells all such keys.
        """
        searched = self.spec.space.by_name.get("optimizer")
        possible = [self._fixed.get("optimizer")]
        if searched is not None and isinstance(searched.distribution, CategoricalDistribution):
            possible = [*searched.distribution.choices]
        if set(possible) == {"lbfgs"}:
            idle = [name for name in IDLE_WITH_LBFGS if name in self.spec.space.by_name]
            refuse_search(self.spec, idle, 'decides nothing, since the optimizer is "lbfgs"')

    def _check_accelerator(self) -> None:
        """Refuse a metric of an accelerator where networks train on the processor.

        Raises:
            SpecError: It tells the first such metric.
        """
        for table, named in (("objectives", self.spec.objectives), ("constraints", self.spec.constraints)):
            for each in named:
                if "train_gpu_memory" in quantities_of([each.metric]) and not _on_accelerator():
                    source = self.spec.source
                    raise SpecError(
                        "no trial could ever have it: networks train on the processor here",
                        key=f"{table}.{each.metric}",
                        file=str(source) if source is not None and source.is_file() else None,
                        hint="define the study where a GPU is, or bound train_memory_mb",
                    )

    def train(self, params: Params, trial: TrainingTrial) -> dict[str, float]:
        """As every family; an accelerator whose energy is asked for is there from the start."""
        if "train_energy" in quantities_of(self.spec.metric_names) and _on_accelerator():
            import torch  # optional and slow

            torch.cuda.init()  # type: ignore[no-untyped-call]  # torch's
        return super().train(params, trial)

    def on_few_rows(self) -> Self:
        """The same task with little to train on; its teachers speak of those rows only."""
        small = super().on_few_rows()
        small._teachers = {}  # noqa: SLF001  # of its own class
        for name, (model, _) in self._teachers.items():
            small.set_teacher(name, model)
        return small

    @property
    def missing_teachers(self) -> tuple[str, ...]:
        """Names of the teachers that were not handed over yet."""
        return tuple(name for name in teachers_of(self.spec) if name not in self._teachers)

    def set_teacher(self, name: str, model: Teacher) -> None:
        """Keep what a teacher says of the training rows.

        Raises:
            InputError: It learnt something else than this study's data.
        """
        self._teachers[name] = model, outputs_of(model, self.splits)

    def teacher_outputs(self, params: Params) -> NDArray[np.float32] | None:
        """What a configuration learns from beside the data (n, k); None where that is nothing.

        Raises:
            InputError: The teacher was not handed over.
        """
        values = self.values(params)
        name = values["teacher"]
        if not name or not values["distillation"]:
            return None
        if name not in self._teachers:
            raise InputError(
                f"the teacher {name!r} was not handed over", hint="task.set_teacher(name, model)"
            )
        return self._teachers[name][1]

    def plan(self, params: Params) -> Plan:
        """The network that is trained, dropout included."""
        return self._plan({**self.values(params), **self._filled(params)}, params)

    def shipped_plan(self, params: Params) -> Plan:
        """The network that ships: without dropout."""
        return self._plan(self._filled(params), params)

    def _filled(self, params: Params) -> dict[str, Any]:
        return filled(self.trainer.hyperparameters, self.architecture(params))

    def canonical(self, architecture: Mapping[str, Any]) -> dict[str, Any]:
        """As the family writes it for these data; the data's own size of images has one spelling, 0."""
        preprocessor = self.preprocessor(architecture)
        if IMAGE_SIZE in architecture and preprocessor is self.splits.preprocessor:
            architecture = {**architecture, IMAGE_SIZE: 0}
        return self.trainer.canonical(architecture, preprocessor.shape)

    def structure(self, params: Params, model: Any = None) -> list[str]:
        """The layers that ship."""
        return [repr(layer) for layer in self.shipped_plan(params)]

    def profile(self, params: Params) -> dict[str, float]:
        """size, n_parameters and flops, exact; without torch."""
        return dict(self._profile(tuple(self.architecture(params).items())))

    def build(self, params: Params) -> torch.nn.Module:
        """The untrained module as it would ship, ready to predict."""
        module: torch.nn.Module = import_network().build(self.shipped_plan(params)).eval()
        return module

    def untrained(self, params: Params) -> torch.nn.Module:
        """The same."""
        return self.build(params)

    def example_input(self, params: Params) -> torch.Tensor:  # the seam's signature
        """One prepared item, as a batch of one."""
        import_network()
        import torch  # optional and slow

        return torch.from_numpy(self.splits_of(params).valid.x[:1].copy())

    def arrays(self, core: Any) -> dict[str, NDArray[Any]]:
        """The tensors that ship."""
        arrays: dict[str, NDArray[Any]] = import_network().to_arrays(core)
        return arrays

    def learn(self, params: Params, trial: TrainingTrial, length: int | None = None) -> Trained:
        """Train epoch by epoch; ends early when told to prune or when patience runs out.

        Raises:
            Diverged: The loss is NaN or grows away from any solution.
        """
        import_network()
        from satisfice.train.networks.loop import Fit, Setting  # imports torch

        rule = self.answer_rule(params)
        metric, sign = monitored(self.spec, self.splits.task, fitted=rule.fitted)
        setting = Setting(
            values=self.values(params),
            plan=self.plan(params),
            epochs=trial.max_epochs or DEFAULT_EPOCHS,
            metric=metric,
            sign=sign,
            scores=rule.scores,
            checkpoint_seconds=self.checkpoint_seconds,
            teacher=self.teacher_outputs(params),
            length=length,
        )
        outcome = Fit(setting, self.splits_of(params), trial).run()
        metrics = self.profile(params) | outcome.metrics
        if outcome.pruned:
            return Trained(core=None, metrics=metrics)
        weights = [array for array in self.arrays(outcome.module).values() if array.ndim > 1]
        nonzero = {"nonzero_weights": float(sum(np.count_nonzero(array) for array in weights))}
        return Trained(core=outcome.module, metrics=metrics | nonzero, length=outcome.best_epoch)

    def _plan(self, values: Mapping[str, Any], params: Params) -> Plan:
        return self.trainer.plan(values, self.preprocessor(params).shape, max(self.splits.n_classes, 1))

    def _profile_architecture(self, items: tuple[tuple[str, Any], ...]) -> dict[str, float]:
        architecture = dict(items)
        plan = self._plan(filled(self.trainer.hyperparameters, architecture), architecture)
        size = self.file.length(self, architecture, blank_arrays(plan))
        count = {"n_parameters": float(n_parameters(plan)), "flops": float(flops(plan))}
        return self._convert({"size_bytes": float(size), **count, **self.inputs(architecture)})

    def native_call(self, core: torch.nn.Module, x: NDArray[np.float32]) -> Callable[[], object]:
        """Without gradients."""
        import torch  # optional and slow

        items = torch.from_numpy(x)

        def call() -> object:
            with torch.inference_mode():
                return core(items)

        return call


def _on_accelerator() -> bool:
    import_network()
    from satisfice.train.networks.device import choose_device  # imports torch

    return choose_device().type == "cuda"


def import_network() -> Any:
    """The module that builds networks.

    Raises:
        MissingExtra: torch is not installed.
    """
    try:
        from satisfice.train.networks import network
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtra("torch", "torch") from error
    return network
