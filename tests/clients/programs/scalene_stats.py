"""What the profiler Scalene knows of the Neuron devices when it begins to profile."""

import json

from scalene.scalene_neuron import ScaleneNeuron


def main() -> None:
    """Takes the profiler's first figures; memory is in MiB."""
    accelerator = ScaleneNeuron()
    accelerator.start_monitor()
    utilization, memory_mib = accelerator.get_stats()
    print(
        json.dumps(
            {
                "device": accelerator.gpu_device(),
                "cores": accelerator.get_num_cores(),
                "utilization": utilization,
                "memory_mib": memory_mib,
                "vcpu_percent": accelerator.cpu_utilization,
            }
        )
    )


if __name__ == "__main__":
    main()
