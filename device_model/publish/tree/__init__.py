"""The simulated host as files: the driver's sysfs tree, /proc and /dev below a root of its own, kept fresh in place."""
