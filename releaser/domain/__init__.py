"""What is true: pure data and rules. No I/O, no clock, no database, no framework."""
