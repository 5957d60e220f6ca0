#!/usr/bin/python3
"""Calls one action of the tenant API, signed with HMAC-SHA1 (signature version 1.0), and prints the JSON answer.

    ALIBABA_CLOUD_ACCESS_KEY_ID=... ALIBABA_CLOUD_ACCESS_KEY_SECRET=... \\
        ci/rpc.py [--endpoint 127.0.0.1:8086] [--region local] [--form-body] ACTION [Name=value ...]

--form-body sends the action's parameters as a form body, as Terraform's provider does, instead of in the query. A refused
call prints the error's body and ends with status 1.
"""

import argparse
import base64
import datetime
import hashlib
import hmac
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid


class Refused(Exception):
    """An error answer."""

    def __init__(self, status, body):
        super().__init__(f"{status} {json.dumps(body)}")
        self.status, self.body = status, body
        self.code = body.get("Code")


def escape(text):
    return urllib.parse.quote(text, safe="-_.~")


def string_to_sign(parameters):
    return "POST&%2F&" + escape("&".join(f"{escape(k)}={escape(v)}" for k, v in sorted(parameters.items())))


def sign(parameters, secret):
    digest = hmac.digest(f"{secret}&".encode(), string_to_sign(parameters).encode(), hashlib.sha1)
    return base64.b64encode(digest).decode()


class Api:
    """Actions by name: `api("ListTrafficMirrorFilters", MaxResults=1)`; names with dots come in a dictionary."""

    def __init__(self, endpoint, region, key_id, secret, form_body=False):
        self.url = endpoint if "://" in endpoint else f"http://{endpoint}"
        self.region, self.key_id, self.secret, self.form_body = region, key_id, secret, form_body
        # No proxy: the switch is here, or where the name says.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __call__(self, action, parameters=(), **more):
        parameters = {"RegionId": self.region} | {k: wire(v) for k, v in (dict(parameters) | more).items()}
        query = {
            "Action": action,
            "Format": "json",
            "Version": "2016-04-28",
            "Timestamp": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "SignatureNonce": uuid.uuid4().hex,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "AccessKeyId": self.key_id,
        }
        query["Signature"] = sign(query | parameters, self.secret)
        body = urllib.parse.urlencode(parameters).encode() if self.form_body else b""
        query = query if self.form_body else parameters | query
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if self.form_body else {}
        return self.send(f"{self.url}/?{urllib.parse.urlencode(query)}", body, headers)

    def send(self, url, body, headers):
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        try:
            with self.opener.open(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(error.code, json.load(error)) from None


def wire(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def pair(text):
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text}: Name=value")
    return name, value


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--endpoint", default="127.0.0.1:8086", help="address:port, or https://name:port")
    arguments.add_argument("--region", default="local")
    arguments.add_argument("--form-body", action="store_true", help="parameters in a form body")
    arguments.add_argument("action", metavar="ACTION")
    arguments.add_argument("parameters", metavar="Name=value", nargs="*", type=pair)
    given = arguments.parse_args()
    try:
        key = (os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"], os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
    except KeyError as missing:
        sys.exit(f"error: {missing.args[0]} is not in the environment")
    api = Api(given.endpoint, given.region, *key, form_body=given.form_body)
    try:
        print(json.dumps(api(given.action, given.parameters), indent=2))
    except Refused as refused:
        print(json.dumps(refused.body, indent=2))
        sys.exit(1)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {given.endpoint}: {error}")


if __name__ == "__main__":
    main()
