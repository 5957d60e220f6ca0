"""Sessions, their tags and resource groups."""

from expect import dry_run, equal, gone, refused, session_of, sessions_by


def wanted_session(filter, sources, target, **more):
    return {
        "traffic_mirror_filter_id": filter,
        "traffic_mirror_source_ids": sources,
        "traffic_mirror_target_id": target,
        "traffic_mirror_target_type": "NetworkInterface",
        "priority": 1,
    } | more


def create_with_defaults(api, filter, sources, target):
    wanted = wanted_session(filter, sources[:2], target, client_token="session-1")
    dry_run(api, "create_traffic_mirror_session", **wanted)
    equal(sessions_by(api), [])
    created = api.create_traffic_mirror_session(**wanted)
    id = created.traffic_mirror_session_id
    assert id.startswith("tms-") and len(id) == 25, id
    again = api.create_traffic_mirror_session(**wanted)
    equal(again.traffic_mirror_session_id, id)
    with refused(api, "token_reused", "ClientToken"):
        api.create_traffic_mirror_session(**wanted | {"priority": 2})
    equal(sessions_by(api), [id])

    found = session_of(api, id)
    equal((found.enabled, found.packet_length, found.priority), (False, 1500, 1))
    assert 0 <= found.virtual_network_id <= 16777215, found.virtual_network_id
    equal(sorted(found.traffic_mirror_source_ids), sorted(sources[:2]))
    equal((found.traffic_mirror_target_id, found.traffic_mirror_target_type), (target, "NetworkInterface"))
    equal(found.traffic_mirror_filter_id, filter)
    equal(found.traffic_mirror_session_business_status, "Normal")
    return id


def update(api, id, filter, target):
    """Start, change everything while it runs, stop."""
    start = {"traffic_mirror_session_id": id, "enabled": True}
    dry_run(api, "update_traffic_mirror_session_attribute", **start)
    equal(session_of(api, id).enabled, False)
    api.update_traffic_mirror_session_attribute(**start)
    equal(session_of(api, id).enabled, True)
    change = {
        "traffic_mirror_session_name": "a session",
        "traffic_mirror_session_description": "http is fine inside",
        "virtual_network_id": 0,
        "packet_length": 64,
        "priority": 32766,
    }
    # What does not change is sent along, as Terraform does.
    unchanged = {
        "traffic_mirror_filter_id": filter,
        "traffic_mirror_target_id": target,
        "traffic_mirror_target_type": "NetworkInterface",
    }
    api.update_traffic_mirror_session_attribute(traffic_mirror_session_id=id, **change, **unchanged)
    found = session_of(api, id)
    equal({name: getattr(found, name) for name in change}, change)
    equal(found.enabled, True)
    api.update_traffic_mirror_session_attribute(traffic_mirror_session_id=id, enabled=False, priority=32766)
    equal(session_of(api, id).enabled, False)


def sources_come_and_go(api, id, sources):
    add = {"traffic_mirror_session_id": id, "traffic_mirror_source_ids": [sources[2]]}
    dry_run(api, "add_sources_to_traffic_mirror_session", **add)
    api.add_sources_to_traffic_mirror_session(**add, client_token="add")
    equal(sorted(session_of(api, id).traffic_mirror_source_ids), sorted(sources))
    remove = {"traffic_mirror_session_id": id, "traffic_mirror_source_ids": sources}
    dry_run(api, "remove_sources_from_traffic_mirror_session", **remove)
    api.remove_sources_from_traffic_mirror_session(**remove)
    equal(session_of(api, id).traffic_mirror_source_ids, [])
    api.add_sources_to_traffic_mirror_session(**remove)
    equal(sorted(session_of(api, id).traffic_mirror_source_ids), sorted(sources))


def pages_and_list_filters(api, filter, first, sources, target):
    """Sessions two and three share source 0 with the first one; a fourth is over the quota of a source."""
    tagged = [{"key": "stage", "value": "test"}]
    more = {"traffic_mirror_session_name": "two", "virtual_network_id": 22, "enabled": True, "resource_group_id": "rg-2"}
    two = api.create_traffic_mirror_session(**wanted_session(filter, sources[:1], target, priority=2, tag=tagged, **more))
    equal(two.resource_group_id, "rg-2")
    three = api.create_traffic_mirror_session(**wanted_session(filter, sources[:1], target, priority=3))
    two, three = two.traffic_mirror_session_id, three.traffic_mirror_session_id
    session_of(api, three)
    with refused(api, "quota_sessions_per_source", sources[0], "3"):
        api.create_traffic_mirror_session(**wanted_session(filter, sources[:1], target, priority=4))

    everything = sorted([first, two, three])
    seen, token, pages = [], None, 0
    while pages == 0 or (token and pages < 10):
        page = api.list_traffic_mirror_sessions(max_results=2, **({"next_token": token} if token else {}))
        equal(page.total_count, "3")
        seen += [s.traffic_mirror_session_id for s in page.traffic_mirror_sessions]
        token, pages = page.next_token, pages + 1
    equal((sorted(seen), pages), (everything, 2))

    equal(sessions_by(api), everything)
    equal(sessions_by(api, traffic_mirror_session_ids=[two, "tms-unknown"]), [two])
    equal(sessions_by(api, traffic_mirror_session_ids=["tms-unknown"]), [])
    equal(sessions_by(api, traffic_mirror_session_name="two"), [two])
    equal(sessions_by(api, traffic_mirror_filter_id=filter), everything)
    equal(sessions_by(api, traffic_mirror_source_id=sources[1]), [first])
    equal(sessions_by(api, traffic_mirror_source_id=sources[0]), everything)
    equal(sessions_by(api, traffic_mirror_target_id=target), everything)
    equal(sessions_by(api, priority=3), [three])
    equal(sessions_by(api, virtual_network_id=22), [two])
    equal(sessions_by(api, virtual_network_id=0), [first])
    equal(sessions_by(api, enabled=True), [two])
    equal(sessions_by(api, enabled=False), sorted([first, three]))
    equal(sessions_by(api, resource_group_id="rg-2"), [two])
    equal(sessions_by(api, tags=tagged), [two])
    return [two, three]


def tags(api, filter, session):
    def of(**resource):
        listed = api.list_tag_resources(**resource).tag_resources.tag_resource
        return sorted((t.resource_id, t.tag_key, t.tag_value) for t in listed)

    both = [{"key": "owner", "value": "ops"}, {"key": "cost", "value": "7"}]
    for kind, id in [("TRAFFICMIRRORSESSION", session), ("TrafficMirrorFilter", filter)]:
        resource = {"resource_type": kind, "resource_id": [id]}
        before = of(**resource)
        api.tag_resources(**resource, tag=both)
        equal(of(**resource), sorted(before + [(id, "cost", "7"), (id, "owner", "ops")]))
        tagged = api.list_tag_resources(resource_type=kind, tag=both[:1]).tag_resources.tag_resource
        equal({(t.resource_id, t.resource_type.upper()) for t in tagged}, {(id, kind.upper())})
        equal(of(resource_type=kind, tag=[{"key": "owner", "value": "nobody"}]), [])
        api.un_tag_resources(**resource, tag_key=["cost"])
        equal(of(**resource), sorted(before + [(id, "owner", "ops")]))
        page = api.list_tag_resources(**resource, max_results=1)
        equal(len(page.tag_resources.tag_resource), 1)
        equal(bool(page.next_token), bool(before))
        api.un_tag_resources(**resource, all=True)
        equal(of(**resource), [])


def resource_groups(api, filter, session):
    for kind, id in [("TRAFFICMIRRORFILTER", filter), ("TrafficMirrorSession", session)]:
        api.move_resource_group(resource_type=kind, resource_id=id, new_resource_group_id="rg-9")
    equal(sessions_by(api, resource_group_id="rg-9"), [session])
    found = api.list_traffic_mirror_filters(resource_group_id="rg-9").traffic_mirror_filters
    equal([f.traffic_mirror_filter_id for f in found], [filter])


def end(api, filter, sessions):
    """A filter in use stays; sessions first, then the filter, and nothing is left."""
    with refused(api, "filter_in_use", filter, str(len(sessions))):
        api.delete_traffic_mirror_filter(traffic_mirror_filter_id=filter)
    dry_run(api, "delete_traffic_mirror_session", traffic_mirror_session_id=sessions[0])
    for id in sessions:
        api.delete_traffic_mirror_session(traffic_mirror_session_id=id)
    gone(api, sessions=sessions)
    with refused(api, "session_not_found", sessions[0]):
        api.delete_traffic_mirror_session(traffic_mirror_session_id=sessions[0])
    api.delete_traffic_mirror_filter(traffic_mirror_filter_id=filter)
    gone(api, filters=[filter])
