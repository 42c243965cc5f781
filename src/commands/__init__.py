"""The console commands, one module for each family; they wire the rooms and hold no logic."""
