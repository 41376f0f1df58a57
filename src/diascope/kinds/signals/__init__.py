"""What the kind `signal` measures, and how it brings units and rates together."""
