"""The source that reads a host itself: the driver's sysfs, /proc and /dev, below a root that is a parameter."""
