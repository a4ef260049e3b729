"""A PostgreSQL server of the tests' own, in a temporary folder, on a socket there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

USER, PASSWORD = "tallow", "s3cret"
# Nobody needs these tables after a power cut.
FAST = "-c fsync=off -c listen_addresses='' -c max_wal_size=4GB"


def binaries() -> Path | None:
    """Return the folder of the newest server's programs, or None where none is installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    found = str(debian[-1]) if debian else shutil.which("initdb")
    return Path(found).parent if found else None


class Cluster:
    """A server, its folder, and the databases made so far."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # The name of a socket may have a hundred characters: not in pytest's long folders.
        self.folder = Path(tempfile.mkdtemp(prefix="pg"))
        self._databases = 0
        # The server refuses to run as root; the package has made a user for it.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self.folder, self._user, self._user)
        password = self.folder / "password"
        password.write_text(PASSWORD, "utf-8")
        who = ("-U", USER, "--auth=scram-sha-256", f"--pwfile={password}")
        self._run("initdb", "-E", "UTF8", "--locale=C", "--no-sync", *who)
        self.start()

    def start(self) -> None:
        log, options = self.folder / "log", f"{FAST} -k {self.folder}"
        self._run("pg_ctl", "-w", "-l", str(log), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def database(self, options: str = "") -> str:
        """Make a database; return its URL."""
        self._databases += 1
        name = f"candles_{self._databases}"
        self.sql("postgres", f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def url(self, name: str, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{password}@/{name}?host={quote(str(self.folder), safe='')}"

    def sql(self, database: str, statement: str) -> str:
        """Run a statement by the server's own client; return what it prints."""
        database = database if "://" in database else self.url(database)
        return self._run("psql", "-qAtX", "-d", database, "-c", statement).strip()

    def _run(self, program: str, *arguments: str) -> str:
        server = program != "psql"
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            env={"PATH": os.defpath, "LC_ALL": "C", "PGDATA": str(self.folder / "data")},
            cwd=self.folder,
            user=self._user if server else None,
            group=self._user if server else None,
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
