"""The constants of the cost model, the published rows they were fitted to, and how well they predict."""
