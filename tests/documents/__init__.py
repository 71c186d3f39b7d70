"""What the repository says: the reference is made from the program, guides are typed as they stand."""
