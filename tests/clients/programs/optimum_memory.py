"""What optimum-neuron reads of the memory of each core; its reader is run by itself, as the package needs torch."""

import json
import sys
from importlib.metadata import files
from importlib.util import module_from_spec, spec_from_file_location

READER = "optimum/neuron/utils/neuron_device_memory.py"


def main() -> None:
    """Prints bytes by device, core and category."""
    (path,) = [file.locate() for file in files("optimum-neuron") or () if str(file) == READER]
    spec = spec_from_file_location("neuron_device_memory", path)
    assert spec is not None and spec.loader is not None
    reader = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(reader)
    memory = reader.get_neuron_device_memory()
    print(
        json.dumps(
            {
                device: {
                    core: {name: counter.total for name, counter in held.categories.items()}
                    for core, held in cores.items()
                }
                for device, cores in memory.devices.items()
            }
        )
    )


if __name__ == "__main__":
    main()
