"""Pages for people who were not there: one file of HTML, with everything in it and no script. Pure.

What a page shows is a frozen value; the text is Jinja2's, which escapes whatever a source or Kartra said.
"""
