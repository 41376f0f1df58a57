"""What every file format needs: one path out of a list, a name's ending, a guard around foreign bytes."""
