"""The service switch, filters and rules."""

from expect import dry_run, equal, filter_of, filters_by, gone, refused

NAME = "name one+two*~/%&=é"
WEB = {
    "action": "accept",
    "priority": 1,
    "protocol": "TCP",
    "source_cidr_block": "10.0.0.0/8",
    "destination_cidr_block": "0.0.0.0/0",
    "source_port_range": "-1/-1",
    "destination_port_range": "80/443",
}
PING = {
    "action": "drop",
    "priority": 16777216,
    "protocol": "ICMP",
    "source_cidr_block": "0.0.0.0/0",
    "destination_cidr_block": "0.0.0.0/0",
}
ALL = PING | {"action": "accept", "protocol": "ALL", "ip_version": "IPv4"}


def service(api):
    equal(api.get_traffic_mirror_service_status().enabled, False)
    with refused(api, "service_not_open", "OpenTrafficMirrorService"):
        api.create_traffic_mirror_filter()
    opened = api.open_traffic_mirror_service(client_token="open")
    equal((opened.code, opened.message), ("200", "successful"))
    equal(api.get_traffic_mirror_service_status().enabled, True)
    equal(api.open_traffic_mirror_service().code, "200")


def create_with_rules(api):
    wanted = {
        "traffic_mirror_filter_name": NAME,
        "traffic_mirror_filter_description": "a description",
        "ingress_rules": [WEB, PING],
        "egress_rules": [ALL],
        "resource_group_id": "rg-1",
        "tag": [{"key": "team", "value": "net"}, {"key": "empty", "value": ""}],
        "client_token": "filter-1",
    }
    dry_run(api, "create_traffic_mirror_filter", **wanted)
    equal(filters_by(api), [])
    created = api.create_traffic_mirror_filter(**wanted)
    id = created.traffic_mirror_filter_id
    assert id.startswith("tmf-") and len(id) == 25, id
    equal(created.resource_group_id, "rg-1")
    # The token again: the same answer, and no second filter; with other parameters it is refused.
    again = api.create_traffic_mirror_filter(**wanted)
    equal(again.traffic_mirror_filter_id, id)
    with refused(api, "token_reused", "ClientToken"):
        api.create_traffic_mirror_filter(**wanted | {"traffic_mirror_filter_name": "another"})
    equal(filters_by(api), [id])

    found = filter_of(api, id)
    equal(found.traffic_mirror_filter_name, NAME)
    equal(found.traffic_mirror_filter_description, "a description")
    equal(found.resource_group_id, "rg-1")
    equal(sorted((t.key, t.value) for t in found.tags), [("empty", ""), ("team", "net")])
    assert found.creation_time.endswith("Z") and len(found.creation_time) == 17, found.creation_time
    equal((len(found.ingress_rules), len(found.egress_rules)), (2, 1))
    for direction, rules, wanted_rules in [
        ("ingress", found.ingress_rules, [WEB, PING]),
        ("egress", found.egress_rules, [ALL]),
    ]:
        for rule, wanted_rule in zip(sorted(rules, key=lambda r: r.priority), wanted_rules):
            equal((rule.traffic_direction, rule.traffic_mirror_filter_id), (direction, id))
            assert rule.traffic_mirror_filter_rule_id.startswith("tmr-"), rule
            # What was left out has its default.
            full = {"source_port_range": "-1/-1", "destination_port_range": "-1/-1", "ip_version": "IPv4"} | wanted_rule
            equal({name: getattr(rule, name) for name in full}, full)
    return id


def update(api, id):
    change = {"traffic_mirror_filter_id": id, "traffic_mirror_filter_name": "renamed"}
    dry_run(api, "update_traffic_mirror_filter_attribute", **change)
    equal(filter_of(api, id).traffic_mirror_filter_name, NAME)
    api.update_traffic_mirror_filter_attribute(**change, client_token="rename")
    found = filter_of(api, id)
    equal((found.traffic_mirror_filter_name, found.traffic_mirror_filter_description), ("renamed", "a description"))


def rules(api, id):
    new = {"traffic_mirror_filter_id": id, "ingress_rules": [WEB | {"priority": 7}], "egress_rules": [PING | {"priority": 2}]}
    dry_run(api, "create_traffic_mirror_filter_rules", **new)
    with refused(api, "priority_in_use", "Priority"):
        api.create_traffic_mirror_filter_rules(traffic_mirror_filter_id=id, ingress_rules=[WEB])
    created = api.create_traffic_mirror_filter_rules(**new, client_token="rules")
    (ingress,), (egress,) = created.ingress_rules, created.egress_rules
    again = api.create_traffic_mirror_filter_rules(**new, client_token="rules")
    equal([r.instance_id for r in again.ingress_rules + again.egress_rules], [ingress.instance_id, egress.instance_id])
    found = filter_of(api, id)
    equal((len(found.ingress_rules), len(found.egress_rules)), (3, 2))

    change = {"traffic_mirror_filter_rule_id": ingress.instance_id, "rule_action": "drop", "priority": 7, "protocol": "UDP"}
    change |= {"source_cidr_block": "10.1.0.0/16", "source_port_range": "0/65535", "destination_port_range": "53/53"}
    dry_run(api, "update_traffic_mirror_filter_rule_attribute", **change)
    api.update_traffic_mirror_filter_rule_attribute(**change)
    (rule,) = [r for r in filter_of(api, id).ingress_rules if r.traffic_mirror_filter_rule_id == ingress.instance_id]
    equal((rule.action, rule.priority, rule.protocol), ("drop", 7, "UDP"))
    equal((rule.source_cidr_block, rule.destination_cidr_block), ("10.1.0.0/16", "0.0.0.0/0"))
    equal((rule.source_port_range, rule.destination_port_range), ("0/65535", "53/53"))

    ids = [ingress.instance_id, egress.instance_id]
    dry_run(api, "delete_traffic_mirror_filter_rules", traffic_mirror_filter_id=id, traffic_mirror_filter_rule_ids=ids)
    api.delete_traffic_mirror_filter_rules(traffic_mirror_filter_id=id, traffic_mirror_filter_rule_ids=ids)
    found = filter_of(api, id)
    equal((len(found.ingress_rules), len(found.egress_rules)), (2, 1))
    with refused(api, "rule_not_found", ids[0]):
        api.update_traffic_mirror_filter_rule_attribute(traffic_mirror_filter_rule_id=ids[0], priority=9)


def rule_quota(api):
    """Twenty rules in all: ten and ten are the most that one call takes, and one more is refused."""
    ten = [ALL | {"priority": n} for n in range(1, 11)]
    id = api.create_traffic_mirror_filter(ingress_rules=ten, egress_rules=ten).traffic_mirror_filter_id
    filter_of(api, id)
    with refused(api, "quota_rules", "20"):
        api.create_traffic_mirror_filter_rules(traffic_mirror_filter_id=id, ingress_rules=[PING])
    api.delete_traffic_mirror_filter(traffic_mirror_filter_id=id)
    gone(api, filters=[id])


def pages_and_list_filters(api, first):
    second = api.create_traffic_mirror_filter(traffic_mirror_filter_name="second").traffic_mirror_filter_id
    third = api.create_traffic_mirror_filter(tag=[{"key": "team", "value": "sec"}]).traffic_mirror_filter_id
    filter_of(api, third)
    everything = sorted([first, second, third])
    seen, token, pages = [], None, 0
    while pages == 0 or (token and pages < 10):
        page = api.list_traffic_mirror_filters(max_results=1, **({"next_token": token} if token else {}))
        equal((page.total_count, page.count, page.max_results), ("3", 1, 1))
        seen += [f.traffic_mirror_filter_id for f in page.traffic_mirror_filters]
        token, pages = page.next_token, pages + 1
    equal((sorted(seen), pages), (everything, 3))

    equal(filters_by(api), everything)
    equal(filters_by(api, traffic_mirror_filter_ids=[first, "tmf-unknown"]), [first])
    equal(filters_by(api, traffic_mirror_filter_ids=["tmf-unknown"]), [])
    equal(filters_by(api, traffic_mirror_filter_name="second"), [second])
    equal(filters_by(api, resource_group_id="rg-1"), [first])
    equal(filters_by(api, tags=[{"key": "team"}]), sorted([first, third]))
    equal(filters_by(api, tags=[{"key": "team", "value": "sec"}]), [third])

    dry_run(api, "delete_traffic_mirror_filter", traffic_mirror_filter_id=second)
    for id in [second, third]:
        api.delete_traffic_mirror_filter(traffic_mirror_filter_id=id)
    gone(api, filters=[second, third])
    with refused(api, "filter_not_found", second):
        api.delete_traffic_mirror_filter(traffic_mirror_filter_id=second)
    equal(filters_by(api), [first])
