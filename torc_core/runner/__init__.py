"""Running claimed jobs on this machine."""
