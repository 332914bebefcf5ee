"""The parts that all losses share, one file per step from batch to values."""
