"""Steps that turn a cell into a value: dates, names, phones, time zones."""
