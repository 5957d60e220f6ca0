"""The official SDKs of both generations, behind one way of calling them.

`client.create_traffic_mirror_filter(traffic_mirror_filter_name="a")` builds the SDK's own request object, sends it through
the unmodified SDK and returns what the SDK made of the answer, with attributes in the names of the second generation.
"""

import importlib
import json
import re
import types
import typing

from alibabacloud_tea_openapi.exceptions import AlibabaCloudException, ClientException
from alibabacloud_tea_openapi.utils_models import Config
from alibabacloud_vpc20160428 import client as new_sdk
from alibabacloud_vpc20160428 import models as new_models
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient


class Refusal(typing.NamedTuple):
    """An error answer, as the SDK's exception tells it."""

    code: str
    message: str
    status: int
    request_id: str


class Client:
    """Actions as methods; subclasses know an SDK."""

    def __init__(self, endpoint, region, key_id, secret):
        self.endpoint, self.region = endpoint, region
        self.connect(key_id, secret)

    def with_key(self, key_id, secret):
        return type(self)(self.endpoint, self.region, key_id, secret)

    def __getattr__(self, action):
        return lambda **parameters: self.call(action, parameters)


class OldClient(Client):
    """aliyun-python-sdk-core, aliyun-python-sdk-vpc: v1 signature, parameters in the query."""

    error = ServerException
    # It compares the string to sign in the server's message with its own, and gives the error a code of its own.
    wrong_secret = "InvalidAccessKeySecret"
    wrong_secret_words = ["AccessKeySecret is incorrect"]

    def connect(self, key_id, secret):
        self.host, port = self.endpoint.split(":")
        self.sdk = AcsClient(key_id, secret, self.region, port=int(port), auto_retry=False)

    def call(self, action, parameters):
        name = camel(action) + "Request"
        request = getattr(importlib.import_module(f"aliyunsdkvpc.request.v20160428.{name}"), name)()
        request.set_endpoint(self.host)
        request.set_protocol_type("http")
        for parameter, value in parameters.items():
            if parameter == "region_id":
                request.add_query_param("RegionId", value)
            elif isinstance(value, list):  # the setters of lists have a plural of their own
                value = [wire_names(item) for item in value]
                getattr(request, f"set_{camel(parameter)}s")(value)
            else:
                getattr(request, f"set_{camel(parameter)}")(value)
        answer = self.sdk.do_action_with_exception(request)
        return json.loads(answer, object_hook=lambda o: Answer(**{snake(k): v for k, v in o.items()}))

    def refusal(self, error):
        return Refusal(
            error.get_error_code(), error.get_error_msg(), error.get_http_status(), error.get_request_id()
        )


class Answer(types.SimpleNamespace):
    """An answer that no SDK has typed; what it lacks is None, as with the second generation."""

    def __getattr__(self, name):
        return None


class NewClient(Client):
    """alibabacloud-vpc20160428 with tea-openapi: v3 signature, action in a header."""

    error = AlibabaCloudException
    wrong_secret = "SignatureDoesNotMatch"
    wrong_secret_words = ["string to sign is:ACS3-HMAC-SHA256\n"]
    signature = {}

    def connect(self, key_id, secret):
        config = Config(
            access_key_id=key_id,
            access_key_secret=secret,
            region_id=self.region,
            endpoint=self.endpoint,
            protocol="http",
            **self.signature,
        )
        self.sdk = new_sdk.Client(config)

    def call(self, action, parameters):
        kind = getattr(new_models, camel(action) + "Request")
        hints = typing.get_type_hints(kind.__init__)
        parameters = {"region_id": self.region} | parameters
        request = kind(**{name: typed(hints[name], value) for name, value in parameters.items()})
        body = getattr(self.sdk, action)(request).body
        check_types(body)
        return body

    def refusal(self, error):
        assert type(error) is ClientException, f"{type(error)}: {error}"
        message = error.data["Message"]
        assert error.message == f"code: {error.status_code}, {message} request id: {error.request_id}", error.message
        return Refusal(error.code, message, error.status_code, error.request_id)


class NewClientV1(NewClient):
    """The same with the v1 signature."""

    signature = {"signature_algorithm": "v2"}
    wrong_secret_words = ["string to sign is:POST&%2F&AccessKeyId%3D"]


CLIENTS = {"old": OldClient, "new": NewClient, "new-v1": NewClientV1}


def typed(hint, value):
    """A list of dicts as a list of the SDK's own objects."""
    (item,) = typing.get_args(hint) or (None,)
    return [item(**v) if isinstance(v, dict) else v for v in value] if isinstance(value, list) else value


def check_types(model):
    """What the answer held is of the types that the SDK declares; it does not look itself."""
    for name, hint in typing.get_type_hints(type(model).__init__).items():
        value = getattr(model, name)
        for item in value if isinstance(value, list) else [value]:
            (kind,) = typing.get_args(hint) or (hint,)
            assert item is None or type(item) is kind, f"{type(model).__name__}.{name} = {item!r}, not {kind}"
            if hasattr(item, "to_map"):
                check_types(item)


def wire_names(value):
    return {camel(k): v for k, v in value.items()} if isinstance(value, dict) else value


def camel(name):
    return "".join(part.capitalize() for part in name.split("_"))


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
