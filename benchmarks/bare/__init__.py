"""What benchmarks compare with: the same result by the least that would do."""
