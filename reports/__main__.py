"""python -m reports report|compare"""

from reports.command import app

if __name__ == "__main__":
    app()()
