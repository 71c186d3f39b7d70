"""A page for people without a terminal, served to this machine: what runs, what waits, what to approve.

`site` is what is served, `guards` stand before every view, `access` knows who may come in, `views` answer,
`jobs` apply plans in the background, `asked` writes down who saw people's data. Pages are made here and work
without JavaScript; nothing on them comes from elsewhere.
"""
