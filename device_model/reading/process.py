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
    used, credit = process.group.read(time_ns), process.group.meter.credit(time_ns)
    execution = world.runtime.under_way(process)
    steps = execution.run.steps_done(time_ns) if execution else 0
    total_ns, device_ns = (execution.run.step_ns, execution.run.credit_ns) if execution else (0, 0)
    server = world.servers.get(process.pid)
    return schema.Process(
        pid=process.pid,
        started_ns=process.started_ns,
        user=process.identity.user,
        tag=process.identity.tag,
        command=process.identity.command,
        runtime_version=RUNTIME_VERSION,
        cores=process.group.cores,
        groups=(process.group.cores,) if len(process.group.cores) > 1 else (),
        memory={core: dict(held) for core, held in process.memory.items()},
        host_memory=memory.host_bytes(process),
        resident_bytes=memory.resident_bytes(process),
        models=_models(process),
        executions=process.outcomes | {"completed": credit.executions},
        errors=dict(process.errors),
        latency_total=process.latency_total.reading(total_ns, steps),
        latency_device=process.latency_device.reading(device_ns, steps),
        vcpu_user_ns=used.user_ns,
        vcpu_system_ns=used.system_ns,
        workload=None if server is None else server.reading(time_ns),
    )


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
