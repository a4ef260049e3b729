"""Build the site: ``python -m tools.site FOLDER``, which `make site` does."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.site.building import build
from tools.site.navigation import SiteError

if __name__ == "__main__":
    try:
        build(Path(sys.argv[1]))
    except SiteError as error:
        sys.exit(str(error))
    print(f"The site is in {sys.argv[1]}; open {sys.argv[1]}/index.html")
