"""What the kubelet of this node tells of who was given which device."""
