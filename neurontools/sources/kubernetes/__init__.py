"""What the kubelet of this node tells of who was given which device."""

DEFAULT_SOCKET = "/var/lib/kubelet/pod-resources/kubelet.sock"
"""Where the kubelet tells it."""
