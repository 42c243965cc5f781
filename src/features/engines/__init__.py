"""What runs the one declaration: DuckDB and Spark by queries, NumPy and Python compiled from it."""
