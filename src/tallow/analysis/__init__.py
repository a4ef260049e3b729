"""What bars amount to beyond a value for each of them: sequences of moves, and what follows."""
