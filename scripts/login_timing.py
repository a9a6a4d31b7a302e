"""Does the time of a refused login tell whether an address has an account? Asks a running portal, and says.

    python scripts/login_timing.py http://127.0.0.1:8000 ada@example.org [--each 300]

The address must have an account. So many wrong passwords are sent for it, and as many for addresses that have none,
in random order, one after the other. The figure is the chance that the known address took longer than the unknown
one (AUC): 0.5 says nothing, and 0.45 to 0.55 is what chance alone gives at 300 + 300. Exits 1 outside of that.

Start the portal with GUESSES_PER_ACCOUNT=0 and GUESSES_PER_ADDRESS=0 for this, or it will refuse to be asked so often.
"""

import argparse
import http.client
import json
import random
import secrets
import statistics
import sys
import time
from urllib.parse import urlsplit

LEAST, MOST = 0.45, 0.55
WARM_UP = 10


class Refused(Exception):
    """The portal answered something else than 401."""


def timed_login(connection: http.client.HTTPConnection, email: str) -> float:
    """Milliseconds until the refusal of a wrong password was there. Raises Refused for any other answer."""
    body = json.dumps({"email": email, "password": secrets.token_urlsafe(16)})
    started = time.perf_counter()
    connection.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    taken = (time.perf_counter() - started) * 1000
    if answer.status != 401:
        raise Refused(f"{answer.status}: {text[:300].decode(errors='replace')}")
    return taken


def area_under_curve(longer: list[float], shorter: list[float]) -> float:
    """The chance that a value of `longer` is above one of `shorter`; equal ones count half."""
    above = sum((one > other) + (one == other) / 2 for one in longer for other in shorter)
    return above / (len(longer) * len(shorter))


def measure(base_url: str, email: str, each: int) -> tuple[list[float], list[float]]:
    """The times of the known and of unknown addresses, which are of equal length."""
    parts = urlsplit(base_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=60)
    local, _, domain = email.partition("@")
    times: dict[bool, list[float]] = {True: [], False: []}
    order = [True, False] * each
    random.shuffle(order)
    for known in [True, False] * (WARM_UP // 2) + order:
        unknown = "".join(random.choice("abcdefghijklmnopqrstuvwxyz") for _ in local)  # noqa: S311 - no secret
        times[known].append(timed_login(connection, email if known else f"{unknown}@{domain}"))
    connection.close()
    return times[True][-each:], times[False][-each:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base_url")
    parser.add_argument("email", help="an address that has an account")
    parser.add_argument("--each", type=int, default=300)
    arguments = parser.parse_args()
    try:
        known, unknown = measure(arguments.base_url, arguments.email, arguments.each)
    except (Refused, OSError) as error:
        print(f"cannot be measured: {error}", file=sys.stderr)
        return 2
    for name, times in (("known", known), ("unknown", unknown)):
        spread = statistics.quantiles(times, n=20)
        print(f"{name:8} {len(times)} logins: median {statistics.median(times):.2f} ms, "
              f"5 % below {spread[0]:.2f}, 5 % above {spread[-1]:.2f}")  # fmt: skip
    area = area_under_curve(known, unknown)
    passed = LEAST <= area <= MOST
    print(f"AUC {area:.3f}: {'the time tells nothing' if passed else 'the time tells them apart'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
