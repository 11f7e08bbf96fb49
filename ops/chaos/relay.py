"""The relay under test: production's, with one broken guard when a sabotage is asked for."""

from actors.relay import main
from ops.chaos.sabotage import apply

if __name__ == "__main__":
    apply()
    main()
