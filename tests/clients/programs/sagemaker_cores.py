"""The sagemaker-training toolkit's count of NeuronCores, as it tells a training script in SM_NUM_NEURONS."""

import json
import sys

from sagemaker_training.environment import num_neurons

print(json.dumps({"cores": num_neurons(sys.argv[1])}))
