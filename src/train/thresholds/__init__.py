"""Where groups become marketing qualified, and what a threshold brings."""
