"""The programs that the benchmarks compare with, installed and called as their users do."""
