"""What each target should hold, what it holds, and what is still to be sent."""
