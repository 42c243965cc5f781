"""What is about no buying group: outputs that appear whole or not at all, the terminal."""
