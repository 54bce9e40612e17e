"""asv's plugins: the environment that is there, saving after each result, the run's folder, the machine's name."""
