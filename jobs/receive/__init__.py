"""An export's way into the volume: ``wait`` in prepare's init container, ``accept`` by ``kubectl exec`` into it."""
