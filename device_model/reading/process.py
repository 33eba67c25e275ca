"""One simulated process as tools see it."""

from device_model.build import World
from device_model.runtime import memory
from device_model.runtime.process import Process
from device_model.runtime.runtime import RUNTIME_VERSION
from neurontools.schema import snapshot as schema

_SUBGRAPH = "sg_00"
_MODEL_CATEGORIES = ("constants", "model_code", "runtime_memory", "tensors")


def process_reading(world: World, process: Process, time_ns: int) -> schema.Process:
    """The process at `time_ns`. What is under way counts up to there."""
    used = process.read(time_ns)
    completed = process.executions(time_ns) - process.failed_executions
    under_way = [world.runtime.under_way(process, lane) for lane in range(len(process.lanes))]
    executions = [execution for execution in under_way if execution is not None and execution.run.credit_ns]
    ended = [(execution, execution.run.steps_done(time_ns)) for execution in executions]
    program = world.programs.get(process.pid)
    return schema.Process(
        pid=process.pid,
        started_ns=process.started_ns,
        user=process.identity.user,
        tag=process.identity.tag,
        command=process.identity.command,
        runtime_version=RUNTIME_VERSION,
        cores=tuple([core.number for core in process.cores]),
        groups=tuple([numbers for numbers in _teams(process) if len(numbers) > 1]),
        memory={core: dict(held) for core, held in process.memory.items()},
        host_memory=memory.host_bytes(process),
        resident_bytes=memory.resident_bytes(process),
        models=_models(process),
        executions=process.outcomes | {"completed": completed},
        errors=dict(process.errors),
        latency_total=process.latency_total.reading([(execution.latency_ns, count) for execution, count in ended]),
        latency_device=process.latency_device.reading([(execution.device_ns, count) for execution, count in ended]),
        vcpu_user_ns=used.user_ns,
        vcpu_system_ns=used.system_ns,
        workload=None if program is None else program.reading(time_ns),
        parent_pid=process.parent_pid,
    )


def _teams(process: Process) -> list[tuple[int, ...]]:
    return [tuple([core.number for core in team.cores]) for lane in process.teams for team in lane]


def _models(process: Process) -> tuple[schema.Model, ...]:
    """Loaded models. Their sub-graphs carry the model's own blocks; the runtime's are the process's."""
    model = process.model
    if model is None:
        return ()
    device_memory = dict.fromkeys(_MODEL_CATEGORIES, 0) | model.device_bytes
    return (
        schema.Model(
            model_id=model.model_id,
            name=f"{model.image.name}.neff",
            uuid=model.uuid,
            running=True,
            subgraphs=tuple(
                schema.Subgraph(name=_SUBGRAPH, core=core.number, device=core.device, device_memory=device_memory)
                for core in process.cores
            ),
        ),
    )
