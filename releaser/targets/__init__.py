"""What is outside and gets changed: one driver per kind of target, all behind `target.Driver`."""
