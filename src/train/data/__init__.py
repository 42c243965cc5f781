"""What a training learns from: snapshots, labels, the split in time, leaks, drift."""
