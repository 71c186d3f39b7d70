"""How calls are made: workers, patience, circuit breakers, reading one lead back."""
