"""What is outside and gets told: one module per way of reaching a recipient, all behind `channel.Channel`."""
