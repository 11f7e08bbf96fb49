"""The work itself: rendering, delivering, relaying; and the composition root that wires it."""
