"""The work itself: publishing, rendering, delivering, housekeeping; `process` wires it together."""
