"""More ways to go wrong, by what they change: pullbacks, the loss and what is added to it, how terms are gathered, what calls leave behind."""
