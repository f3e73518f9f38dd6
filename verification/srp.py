"""Sign in as Cognito's clients do, by the Secure Remote Password protocol.

The password never leaves this process, and no setting of an app client has to change.
"""

import hmac
import secrets
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

_N: Final = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33"
    "A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864"
    "D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2"
    "08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
"""The prime of 3072 bits of RFC 3526 §4, whose generator is 2."""
_G: Final = 2


def prove(client: dict[str, Any], username: str, name: str = "SECRET_HASH") -> dict[str, str]:
    """Return the parameter that a client with a secret adds, under this name."""
    secret, text = client.get("ClientSecret", ""), username + client["ClientId"]
    proof = b64encode(hmac.digest(secret.encode(), text.encode(), "sha256")).decode()
    return {name: proof} if secret else {}


def sign_in(cognito: Any, client: dict[str, Any], username: str, password: str) -> dict[str, Any]:  # noqa: ANN401 - as boto3 has it
    """Return Cognito's answer to a correct password: tokens, or the challenge that comes next."""
    private = secrets.randbelow(_N)
    public = pow(_G, private, _N)
    began = cognito.initiate_auth(
        ClientId=client["ClientId"],
        AuthFlow="USER_SRP_AUTH",
        AuthParameters={
            "USERNAME": username,
            "SRP_A": f"{public:x}",
            **prove(client, username),
        },
    )
    asked = began["ChallengeParameters"]
    user = asked["USER_ID_FOR_SRP"]
    identity = (client["UserPoolId"].partition("_")[2] + user).encode()
    key = _session_key(asked, private, public, identity + b":" + password.encode())
    now = datetime.now(UTC)
    timestamp = f"{now:%a} {now:%b} {now.day} {now:%H:%M:%S} UTC {now:%Y}"
    message = identity + b64decode(asked["SECRET_BLOCK"]) + timestamp.encode()
    answer: dict[str, Any] = cognito.respond_to_auth_challenge(
        ClientId=client["ClientId"],
        ChallengeName="PASSWORD_VERIFIER",
        ChallengeResponses={
            "USERNAME": user,
            "PASSWORD_CLAIM_SECRET_BLOCK": asked["SECRET_BLOCK"],
            "PASSWORD_CLAIM_SIGNATURE": b64encode(hmac.digest(key, message, "sha256")).decode(),
            "TIMESTAMP": timestamp,
            **prove(client, user),
        },
    )
    return answer


def _session_key(asked: dict[str, str], private: int, public: int, identity: bytes) -> bytes:
    theirs, salt = int(asked["SRP_B"], 16), int(asked["SALT"], 16)
    scrambler = _hash(_bytes(public) + _bytes(theirs))
    secret = _hash(_bytes(salt) + sha256(identity).digest())
    base = theirs - _hash(_bytes(_N) + _bytes(_G)) * pow(_G, secret, _N)
    shared = pow(base, private + scrambler * secret, _N)
    extracted = hmac.digest(_bytes(scrambler), _bytes(shared), "sha256")
    return hmac.digest(extracted, b"Caldera Derived Key\x01", "sha256")[:16]


def _hash(value: bytes) -> int:
    return int.from_bytes(sha256(value).digest())


def _bytes(number: int) -> bytes:
    """As Java writes a positive number: with a zero byte before a first bit that is set."""
    return number.to_bytes(number.bit_length() // 8 + 1)
