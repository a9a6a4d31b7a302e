"""The life of 249 organizations over HTTP: `python scripts/countries.py --url http://127.0.0.1:8000`.

One organization for every country of ISO 3166-1 is signed up under its official name in its own script, each
with an admin of its own. All log in; every second is renamed (name and slug); every third is deleted; the rest
still log in, and the deleted do not. Any running portal will do. What differs from what the portal promises is
printed, and the exit code is 1. The packages are those of requirements-dev.txt.
"""

import argparse
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from country_names import COMMON, ENGLISH, OFFICIAL, Country, countries
from portal_client import Deviation, PortalClient, expect

ROOT = Path(__file__).resolve().parent.parent
THREADS = 4
RENAME_SECONDS = 120
JOINERS = "\u200c\u200d"


@dataclass
class Organization:
    """A country's organization as this script knows it."""

    country: Country
    email: str
    password: str
    name: str
    slug: str = ""
    id: str = ""
    access_token: str = ""
    refresh_token: str = ""
    first_slug: str = ""
    is_renamed: bool = False
    is_deleted: bool = False
    notes: list[str] = field(default_factory=list)
    deviation: str = ""


Step = Callable[[PortalClient, Organization], None]


def new_organization(country: Country, tag: str) -> Organization:
    """What is known before it is signed up."""
    return Organization(
        country=country,
        email=f"admin@{country.alpha_3.lower()}.{tag}.example",
        password=secrets.token_urlsafe(24),
        name=country.name,
    )


def slugs_by_hand(organization: Organization, *, code_first: bool = False) -> Iterable[str]:
    """Short names to choose where the one made of the name is not to be had."""
    english, code = organization.country.english, organization.country.alpha_3.lower()
    yield f"{code}_{english}"[:40].rstrip("_") if code_first else f"{english[:36].rstrip('_')}_{code}"
    for _ in range(3):
        yield f"{english[:25].rstrip('_')}_{code}_{secrets.token_hex(4)}"


def sign_up(portal: PortalClient, organization: Organization) -> None:
    """Sign up under the name alone; choose a slug only where its own is refused or taken."""
    answer = post_organization(portal, organization, slug=None)
    if answer.status_code == 422 and (visible := without_invisible(organization.name)) != organization.name:
        organization.notes.append("left out characters that cannot be seen, which the portal refuses in names")
        organization.name = visible
        answer = post_organization(portal, organization, slug=None)
    for slug in slugs_by_hand(organization):
        if answer.status_code not in {409, 422} or answer.json()["code"] not in {
            "organization_exists",
            "invalid_input",
        }:
            break
        reason = "refused" if answer.status_code == 422 else "taken"
        organization.notes.append(f"chose the slug {slug}, for the one of the name was not to be had ({reason})")
        answer = post_organization(portal, organization, slug=slug)
    created = expect(answer, 201, "sign-up")
    organization.slug = organization.first_slug = created["organization"]["slug"]
    organization.id = created["organization"]["id"]
    check_picture(created["organization"], organization)


def post_organization(portal: PortalClient, organization: Organization, *, slug: str | None) -> httpx.Response:
    """POST /orgs; repeated with the same key where the portal asks for patience."""
    body = {
        "organization_name": organization.name,
        "email": organization.email,
        "password": organization.password,
        "metadata": metadata_of(organization.country),
    }
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    return portal.call("POST", "/orgs", json=body | ({"slug": slug} if slug else {}), headers=headers)


def metadata_of(country: Country) -> dict[str, str | int]:
    """What is kept with the organization, and must be there after a rename."""
    return {"alpha_2": country.alpha_2, "alpha_3": country.alpha_3, "numeric": int(country.numeric)}


def without_invisible(name: str) -> str:
    """The name without zero-width spaces and their like; joiners are spelling."""
    return "".join(character for character in name if character.isprintable() or character in JOINERS)


def check_picture(picture: dict[str, object], organization: Organization) -> None:
    """Raise Deviation unless the portal shows the organization as it should be."""
    wanted = {
        "id": organization.id,
        "organization_name": organization.name,
        "slug": organization.slug,
        "collection": f"org_{organization.slug}",
        "status": "active",
        "metadata": metadata_of(organization.country),
        "role": "owner",
    }
    shown = {key: picture.get(key) for key in wanted}
    if shown != wanted:
        raise Deviation(f"the organization is shown as {shown}, not as {wanted}")


def log_in(portal: PortalClient, organization: Organization) -> None:
    """Log in, and be told that one is the owner of one's own organization."""
    answer = portal.call("POST", "/auth/login", json={"email": organization.email, "password": organization.password})
    tokens = expect(answer, 200, "login")
    if (tokens["org_id"], tokens["org_name"]) != (organization.id, organization.slug):
        raise Deviation(f"the login is for {tokens['org_name']}, not for {organization.slug}")
    organization.access_token, organization.refresh_token = tokens["access_token"], tokens["refresh_token"]
    whoami = expect(portal.call("GET", "/auth/me", token=organization.access_token), 200, "whoami")
    if (whoami["account"]["email"], whoami["organization"]["slug"]) != (organization.email, organization.slug):
        raise Deviation(f"whoami says {whoami}")


def rename(portal: PortalClient, organization: Organization) -> None:
    """Change name and slug, wait until it is done, and go on with refreshed tokens."""
    old_token, name = organization.access_token, f"{organization.name} ({organization.country.alpha_3})"
    for slug in slugs_by_hand(organization, code_first=True):
        body = {"organization_name": name, "slug": slug}
        answer = portal.call("PATCH", f"/orgs/{organization.slug}", json=body, token=old_token)
        if answer.status_code != 409:
            break
        organization.notes.append(f"renamed to another slug than {slug}, which was taken")
    expect(answer, (200, 202), "rename")
    if answer.status_code == 202:
        organization.notes.append("the rename went on in the worker (202)")
        wait_for_rename(portal, organization)
    expect(portal.call("GET", "/auth/me", token=old_token), 401, "a token from before the rename")
    refreshed = expect(
        portal.call("POST", "/auth/refresh", json={"refresh_token": organization.refresh_token}), 200, "refresh"
    )
    organization.access_token, organization.refresh_token = refreshed["access_token"], refreshed["refresh_token"]
    left = organization.slug
    organization.name, organization.slug, organization.is_renamed = name, slug, True
    if refreshed["org_name"] != slug:
        raise Deviation(f"the refreshed token is for {refreshed['org_name']}, not for {slug}")
    details = portal.call("GET", f"/orgs/{slug}", token=organization.access_token)
    check_picture(expect(details, 200, "the renamed organization"), organization)
    expect(portal.call("GET", f"/orgs/{left}", token=organization.access_token), 404, "the organization's old slug")


def wait_for_rename(portal: PortalClient, organization: Organization) -> None:
    """Until the old slug is gone: the token dies with it."""
    until = time.monotonic() + RENAME_SECONDS
    while True:
        answer = portal.call("GET", f"/orgs/{organization.slug}", token=organization.access_token)
        if answer.status_code in {401, 404}:
            return
        if expect(answer, 200, "the organization during its rename")["status"] != "renaming":
            raise Deviation("the rename ended without the new slug")
        if time.monotonic() > until:
            raise Deviation(f"the rename was not done after {RENAME_SECONDS} seconds")
        time.sleep(0.5)


def delete(portal: PortalClient, organization: Organization) -> None:
    """Delete it; its token is refused from then on."""
    answer = portal.call("DELETE", f"/orgs/{organization.slug}", token=organization.access_token)
    expect(answer, (202, 204), "delete")
    if answer.status_code == 202:
        organization.notes.append("the deletion went on in the worker (202)")
    organization.is_deleted = True
    expect(portal.call("GET", "/auth/me", token=organization.access_token), 401, "a token of a deleted organization")


def is_locked_out(portal: PortalClient, organization: Organization) -> None:
    """Neither the password nor either token of a deleted organization is good for anything."""
    credentials = {"email": organization.email, "password": organization.password}
    expect(portal.call("POST", "/auth/login", json=credentials), 401, "login to a deleted organization")
    refresh = {"refresh_token": organization.refresh_token}
    expect(portal.call("POST", "/auth/refresh", json=refresh), 401, "refresh for a deleted organization")
    expect(portal.call("GET", "/auth/me", token=organization.access_token), 401, "a token of a deleted organization")


def run_step(title: str, step: Step, portal: PortalClient, organizations: Sequence[Organization]) -> None:
    """Take those with no deviation so far through a step, a few at a time, and print how it went."""

    def take(organization: Organization) -> bool:
        try:
            step(portal, organization)
        except (Deviation, httpx.HTTPError, KeyError, TypeError, ValueError) as wrong:
            organization.deviation = f"{title}: {wrong if isinstance(wrong, Deviation) else repr(wrong)}"
        return not organization.deviation

    started = time.monotonic()
    going = [organization for organization in organizations if not organization.deviation]
    with ThreadPoolExecutor(THREADS) as pool:
        right = sum(pool.map(take, going))
    print(f"{title:<34} {right:>4} of {len(organizations):<4} {time.monotonic() - started:>7.1f} s", flush=True)
    for organization in going:
        if organization.deviation:
            print(f"DEVIATION: {organization.country.alpha_3}: {organization.deviation}", flush=True)


def run(portal: PortalClient, organizations: Sequence[Organization], *, tidy: bool) -> None:
    """The whole life of all of them."""
    run_step("signed up", sign_up, portal, organizations)
    run_step("logged in", log_in, portal, organizations)
    run_step("renamed, every second", rename, portal, organizations[1::2])
    run_step("deleted, every third", delete, portal, organizations[2::3])
    remaining = [organization for organization in organizations if not organization.is_deleted]
    deleted = [organization for organization in organizations if organization.is_deleted]
    run_step("the others log in again", log_in, portal, remaining)
    run_step("the deleted are locked out", is_locked_out, portal, deleted)
    if tidy:
        run_step("deleted the rest (--tidy)", delete, portal, remaining)


def report(portal: PortalClient, organizations: Sequence[Organization], *, quiet: bool) -> int:
    """Print every organization, and what was particular; how many went wrong."""
    for organization in [] if quiet else organizations:
        ways = [organization.first_slug]
        ways += [f"renamed to {organization.slug}"] if organization.is_renamed else []
        ways += ["deleted"] if organization.is_deleted else []
        country = organization.country
        print(f"  {country.alpha_3} [{country.language}] {', '.join(ways)}: {organization.name}")
    for organization in organizations:
        for note in organization.notes:
            print(f"note: {organization.country.alpha_3}: {note}")
    sources = Counter(organization.country.source for organization in organizations)
    print("names: " + ", ".join(f"{sources[source]} {source}" for source in (OFFICIAL, COMMON, ENGLISH)))
    print(f"requests: {portal.requests}, of which {portal.postponed} were put off by the portal and sent again")
    wrong = sum(1 for organization in organizations if organization.deviation)
    print(f"{wrong} deviations.")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="the running portal (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=None, metavar="N", help="only N countries, taken evenly")
    parser.add_argument("--tidy", action="store_true", help="delete all of them at the end")
    parser.add_argument("--doctor", action="store_true", help="run `manage.py doctor` here when done")
    parser.add_argument("--quiet", action="store_true", help="do not print a line for each country")
    options = parser.parse_args()
    chosen = countries()
    if options.limit:
        chosen = chosen[:: max(1, len(chosen) // options.limit)][: options.limit]
    tag = secrets.token_hex(4)
    organizations = [new_organization(country, tag) for country in chosen]
    print(f"{len(organizations)} countries of ISO 3166-1 against {options.url}, {THREADS} at a time")
    started = time.monotonic()
    with PortalClient(options.url) as portal:
        run(portal, organizations, tidy=options.tidy)
        wrong = report(portal, organizations, quiet=options.quiet)
    print(f"{time.monotonic() - started:.1f} seconds in all.")
    if not options.doctor:
        print("Now run `manage.py doctor` where the portal runs: it must find nothing wrong.")
        return 1 if wrong else 0
    sick = subprocess.run([sys.executable, "manage.py", "doctor"], cwd=ROOT, check=False).returncode
    return 1 if wrong or sick else 0


if __name__ == "__main__":
    sys.exit(main())
