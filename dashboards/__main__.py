"""`python -m dashboards`: writes every file that is made from the tables here, and the table of all metrics."""

from dashboards.files import HERE, files

if __name__ == "__main__":
    for name, text in files():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        print(path.resolve().relative_to(HERE.parent))
