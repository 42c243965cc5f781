"""Where groups become marketing qualified, and what a line brings."""
