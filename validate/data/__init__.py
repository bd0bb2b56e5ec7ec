"""What networks are trained on: sequences, batches, and the random numbers behind them."""
