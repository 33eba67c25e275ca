"""Ray's view of the accelerators of its node: what `ray start` would offer as resources."""

import json

from ray._private.accelerators import get_accelerator_manager_for_resource

manager = get_accelerator_manager_for_resource("neuron_cores")
found = {"cores": manager.get_current_node_num_accelerators(), "type": manager.get_current_node_accelerator_type()}
print(json.dumps(found))
