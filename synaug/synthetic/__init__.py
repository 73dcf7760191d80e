"""A look at synthetic rows: what each was made of, what it lies near, and pictures of them."""
