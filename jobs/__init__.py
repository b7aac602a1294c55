"""The phases' entry points: each is ``python -m jobs.<phase>``, in a container and on one machine alike."""
