#!/usr/bin/python3
"""What Terraform's provider sends, replayed: Form C, its order of calls, its retries and its polling.

The environment is that of python/acceptance.py, but for the other account. The switch has no filters and sessions yet.
"""

import json
import os
import pathlib
import sys
import time
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from rpc import Api, Refused  # noqa: E402

CODES = json.loads((HERE / "codes.json").read_text())
# Upon these the provider tries again (and upon throttling); any other code ends its run.
RETRYABLE = {
    "IncorrectStatus",
    "IncorrectStatus.TrafficMirrorFilter",
    "IncorrectStatus.TrafficMirrorRule",
    "IncorrectStatus.TrafficMirrorSession",
    "LastTokenProcessing",
    "OperationConflict",
    "OperationFailed.LastTokenProcessing",
    "ServiceUnavailable",
    "SystemBusy",
}
ANY = "0.0.0.0/0"


def check(condition, what):
    if not condition:
        sys.exit(f"terraform: {what}")


def patient(what, attempt):
    """Until `attempt` gives something; ten seconds are the provider's five minutes."""
    deadline = time.monotonic() + 10
    while (found := attempt()) is None:
        check(time.monotonic() < deadline, f"waited in vain for {what}")
        time.sleep(0.02)
    return found


def numbered(name, items):
    """A list on the wire: Name.1, or Name.1.Field for each field."""
    flat = {}
    for n, item in enumerate(items, 1):
        fields = {f".{field}": value for field, value in item.items()} if isinstance(item, dict) else {"": item}
        flat |= {f"{name}.{n}{field}": value for field, value in fields.items()}
    return flat


class Provider:
    def __init__(self, api):
        self.api = api

    def write(self, action, **parameters):
        """A write with a ClientToken, a new one for each try."""

        def attempt():
            try:
                return self.api(action, parameters, ClientToken=f"TF-{action}-{uuid.uuid4().hex}"[:64])
            except Refused as refused:
                if refused.code in RETRYABLE:
                    return None
                raise

        return patient(action, attempt)

    def read(self, kind, id):
        """The object, or None; an unknown id is an empty list and no error."""
        found = self.api(f"ListTrafficMirror{kind}s", {f"TrafficMirror{kind}Ids.1": id})[f"TrafficMirror{kind}s"]
        check(len(found) <= 1, f"{len(found)} objects of one id")
        return found[0] if found else None

    def created(self, kind, id):
        def attempt():
            found = self.read(kind, id)
            check(found is not None, f"{id} is not listed")
            return found if found[f"TrafficMirror{kind}Status"] == "Created" else None

        return patient(f"{id} to be Created", attempt)

    def deleted(self, kind, id):
        patient(f"the end of {id}", lambda: True if self.read(kind, id) is None else None)

    def rule(self, filter, list, id):
        """A rule of a filter, once it is Created."""

        def attempt():
            (rule,) = [r for r in self.read("Filter", filter)[list] if r["TrafficMirrorFilterRuleId"] == id]
            return rule if rule["TrafficMirrorFilterRuleStatus"] == "Created" else None

        return patient(f"{id} to be Created", attempt)


def filter_resource(provider):
    """Create with rules whose optional fields are there and empty, poll, rename without polling, move, tag."""
    rule = {"Action": "accept", "Priority": 1, "Protocol": "TCP"}
    empty = dict.fromkeys(["SourceCidrBlock", "DestinationCidrBlock", "SourcePortRange", "DestinationPortRange"], "")
    rules = numbered("IngressRules", [rule | empty]) | numbered("EgressRules", [rule | empty, rule | empty | {"Priority": 2}])
    id = provider.write("CreateTrafficMirrorFilter", TrafficMirrorFilterName="tf one+two*~", **rules)["TrafficMirrorFilterId"]
    found = provider.created("Filter", id)
    check((len(found["IngressRules"]), len(found["EgressRules"])) == (1, 2), f"rules: {found}")
    for field, default in {"SourceCidrBlock": ANY, "DestinationPortRange": "-1/-1"}.items():
        check(found["IngressRules"][0][field] == default, f"{field}: {found['IngressRules'][0]}")
    provider.write("UpdateTrafficMirrorFilterAttribute", TrafficMirrorFilterId=id, TrafficMirrorFilterName="renamed")
    check(provider.created("Filter", id)["TrafficMirrorFilterName"] == "renamed", "the filter is not renamed")
    move = {"ResourceId": id, "ResourceType": "TRAFFICMIRRORFILTER", "NewResourceGroupId": "rg-tf"}
    provider.api("MoveResourceGroup", move)
    set_tags(provider, "TRAFFICMIRRORFILTER", id, [], [{"Key": "made-by", "Value": "terraform"}])
    found = provider.read("Filter", id)
    check(found["ResourceGroupId"] == "rg-tf", "the filter did not move")
    check(found["Tags"] == [{"Key": "made-by", "Value": "terraform"}], f"tags: {found['Tags']}")
    return id


def set_tags(provider, kind, id, removed, added):
    resource = {"ResourceType": kind, "ResourceId.1": id}
    if removed:
        provider.api("UnTagResources", resource | numbered("TagKey", removed))
    if added:
        provider.api("TagResources", resource | numbered("Tag", added))


def rule_resource(provider, filter):
    """One rule at a time: create without ports (ICMP), update that always sends priority, protocol and CIDRs, delete."""
    wanted = {"Priority": 10, "Protocol": "ICMP", "SourceCidrBlock": ANY, "DestinationCidrBlock": "10.0.0.0/8"}
    rule = numbered("EgressRules", [wanted | {"Action": "accept"}])
    answer = provider.write("CreateTrafficMirrorFilterRules", TrafficMirrorFilterId=filter, **rule)
    (created,) = answer["EgressRules"]
    id = created["InstanceId"]
    check(provider.rule(filter, "EgressRules", id)["Priority"] == 10, "the rule's priority")
    provider.write("UpdateTrafficMirrorFilterRuleAttribute", TrafficMirrorFilterRuleId=id, **wanted, RuleAction="drop")
    check(provider.rule(filter, "EgressRules", id)["Action"] == "drop", "the rule still accepts")
    delete = {"TrafficMirrorFilterRuleIds.1": id}
    provider.write("DeleteTrafficMirrorFilterRules", TrafficMirrorFilterId=filter, **delete)
    # It does not poll: what it sends next must wait for the rule's end by itself.
    provider.write("UpdateTrafficMirrorFilterAttribute", TrafficMirrorFilterId=filter, TrafficMirrorFilterName="ruled")
    check(len(provider.created("Filter", filter)["EgressRules"]) == 2, "the rule is still there")


def session_resource(provider, filter, sources, target):
    always = {"TrafficMirrorTargetId": target, "TrafficMirrorTargetType": "NetworkInterface"}
    always |= {"TrafficMirrorFilterId": filter, "Priority": 7}
    first, second = sources[:2], sources[2:]
    create = always | numbered("TrafficMirrorSourceIds", first) | {"Enabled": False, "VirtualNetworkId": 10}
    id = provider.write("CreateTrafficMirrorSession", **create)["TrafficMirrorSessionId"]
    check(provider.created("Session", id)["Enabled"] is False, "the session started by itself")
    # A creation ends with an update that changes nothing.
    provider.write("UpdateTrafficMirrorSessionAttribute", TrafficMirrorSessionId=id, **always)
    check(provider.created("Session", id)["VirtualNetworkId"] == 10, "the VNI changed by itself")
    provider.write("UpdateTrafficMirrorSessionAttribute", TrafficMirrorSessionId=id, **always, Enabled=True)
    check(provider.created("Session", id)["Enabled"] is True, "the session did not start")
    move = {"ResourceId": id, "ResourceType": "TrafficMirrorSession", "NewResourceGroupId": "rg-tf"}
    provider.api("MoveResourceGroup", move)
    for action, list, left in [
        ("RemoveSourcesFromTrafficMirrorSession", first, []),
        ("AddSourcesToTrafficMirrorSession", second + first, sorted(sources)),
    ]:
        provider.write(action, TrafficMirrorSessionId=id, **numbered("TrafficMirrorSourceIds", list))
        found = sorted(provider.created("Session", id)["TrafficMirrorSourceIds"])
        check(found == left, f"{action}: {found}")
    set_tags(provider, "TrafficMirrorSession", id, [], [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    set_tags(provider, "TrafficMirrorSession", id, ["a"], [{"Key": "b", "Value": "3"}])
    found = provider.read("Session", id)
    check(found["Tags"] == [{"Key": "b", "Value": "3"}], f"tags: {found['Tags']}")
    check(found["ResourceGroupId"] == "rg-tf", "the session did not move")
    return id


def delete(provider, kind, id):
    """Delete, poll until the list is empty; who comes too late is told so with the code that counts as done."""
    provider.write(f"DeleteTrafficMirror{kind}", **{f"TrafficMirror{kind}Id": id})
    provider.deleted(kind, id)
    try:
        provider.api(f"DeleteTrafficMirror{kind}", {f"TrafficMirror{kind}Id": id})
    except Refused as refused:
        check(refused.code == CODES[f"{kind.lower()}_not_found"], f"{refused}")
    else:
        check(False, f"{id} was deleted twice")


def main():
    env = os.environ
    key = (env["ALIBABA_CLOUD_ACCESS_KEY_ID"], env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
    provider = Provider(Api(env["VSWITCH_ENDPOINT"], env["VSWITCH_REGION"], *key, form_body=True))
    provider.api("OpenTrafficMirrorService")
    check(provider.read("Session", "tms-unknown") is None, "an unknown session is listed")
    filter = filter_resource(provider)
    rule_resource(provider, filter)
    session = session_resource(provider, filter, env["VSWITCH_SOURCES"].split(","), env["VSWITCH_TARGET"])
    delete(provider, "Session", session)
    delete(provider, "Filter", filter)
    print("terraform: every sequence replayed")


if __name__ == "__main__":
    main()
