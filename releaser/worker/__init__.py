"""The engines that call the ticks: an embedded loop, or a queue on PostgreSQL."""
