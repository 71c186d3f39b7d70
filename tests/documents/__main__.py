"""`python -m tests.documents`: writes the reference in `configs/reference/` anew."""

from tests.documents.reference import written

if __name__ == "__main__":
    for path, text in written().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.name)
