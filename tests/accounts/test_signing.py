"""The keys: one signs, retired ones still verify, and a wrong one stops the portal by the setting's name."""

import base64
from collections.abc import Callable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured

from accounts.signing import jwks, key_ring
from tests.accounts.cast import an_account, an_organization, by_token, tokens_of
from tests.accounts.victims import json_part

ALICE = "alice@example.org"


def private_pem(key: Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> str:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection).decode()


def public_pem(key: Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def test_the_key_set_holds_public_keys_and_nothing_private() -> None:
    (key,) = jwks()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("OKP", "Ed25519", "sig", "EdDSA")
    assert len(base64.urlsafe_b64decode(key["x"] + "=")) == 32


def test_anybody_can_verify_a_token_with_the_key_set_alone() -> None:
    an_account(ALICE, an_organization("acme"))
    token = tokens_of(ALICE).access_token
    key = jwt.PyJWKSet.from_dict(jwks())[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="orgportal-api", issuer="http://testserver")
    assert claims["org_name"] == "acme"


def test_the_key_id_is_the_keys_thumbprint(settings: LazySettings) -> None:
    # The example of RFC 8037, appendices A.1 and A.3.
    seed = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    settings.JWT_PRIVATE_KEY = private_pem(Ed25519PrivateKey.from_private_bytes(seed))
    (key,) = jwks()["keys"]
    assert key["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert key["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_keys_are_read_once() -> None:
    assert key_ring() is key_ring()


def test_a_retired_key_verifies_but_does_not_sign(settings: LazySettings) -> None:
    an_account(ALICE, an_organization("acme"))
    old, new, older = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    settings.JWT_PRIVATE_KEY = private_pem(old)
    issued = tokens_of(ALICE)
    settings.JWT_PRIVATE_KEY = private_pem(new)
    assert by_token(issued.access_token) is None
    settings.JWT_RETIRED_KEYS = public_pem(older) + "\n" + public_pem(old)
    assert by_token(issued.access_token)
    assert len(jwks()["keys"]) == 3
    renewed = tokens_of(ALICE).access_token
    assert json_part(renewed, 0)["kid"] == jwks()["keys"][0]["kid"] != json_part(issued.access_token, 0)["kid"]


def test_the_key_in_use_among_the_retired_ones_is_listed_once(settings: LazySettings) -> None:
    key = Ed25519PrivateKey.generate()
    settings.JWT_PRIVATE_KEY, settings.JWT_RETIRED_KEYS = private_pem(key), public_pem(key)
    assert len(jwks()["keys"]) == 1


@pytest.mark.parametrize(
    "pem",
    [
        lambda: "",
        lambda: "no PEM at all",
        lambda: private_pem(rsa_key()),
        lambda: private_pem(ec.generate_private_key(ec.SECP256R1())),
        lambda: private_pem(Ed25519PrivateKey.generate(), b"protected"),
        lambda: public_pem(Ed25519PrivateKey.generate()),
        lambda: private_pem(Ed25519PrivateKey.generate())[:-40],
    ],
    ids=["empty", "no PEM", "RSA", "P-256", "encrypted", "public", "cut off"],
)
def test_a_private_key_that_will_not_do_names_its_setting(settings: LazySettings, pem: Callable[[], str]) -> None:
    settings.JWT_PRIVATE_KEY = pem()
    with pytest.raises(ImproperlyConfigured, match="JWT_PRIVATE_KEY") as refused:
        key_ring()
    assert "BEGIN" not in str(refused.value)


@pytest.mark.parametrize(
    "pem",
    [
        lambda: "no PEM at all",
        lambda: public_pem(rsa_key()),
        lambda: private_pem(Ed25519PrivateKey.generate()),
        lambda: public_pem(Ed25519PrivateKey.generate()) + "and more",
        lambda: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    ],
    ids=["no PEM", "RSA", "private", "and more", "empty key"],
)
def test_a_retired_key_that_will_not_do_names_its_setting(settings: LazySettings, pem: Callable[[], str]) -> None:
    settings.JWT_RETIRED_KEYS = pem()
    with pytest.raises(ImproperlyConfigured, match="JWT_RETIRED_KEYS") as refused:
        key_ring()
    assert "BEGIN" not in str(refused.value)
