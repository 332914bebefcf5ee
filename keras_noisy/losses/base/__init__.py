"""What all losses share: each step from a batch to values has a file here."""
