"""What is refused, and how the SDK tells it."""

from expect import equal, filters_by, refused, session_of, sessions_by
from sessions import wanted_session


def keys(api, key_id, secret):
    with refused(api, "key_not_found", "AccessKeyId"):
        api.with_key("no-such-key", secret).list_traffic_mirror_filters()
    with refused(api, api.wrong_secret, *api.wrong_secret_words):
        api.with_key(key_id, secret + "x").list_traffic_mirror_filters()


def parameters(api, filter, session, sources, target):
    with refused(api, "MissingTrafficMirrorFilterId", "TrafficMirrorFilterId"):
        api.delete_traffic_mirror_filter()
    with refused(api, "MissingTrafficMirrorSourceIds", "TrafficMirrorSourceIds"):
        api.create_traffic_mirror_session(**wanted_session(filter, [], target, priority=9))
    with refused(api, "InvalidParameter.Priority", "Priority", "32766"):
        api.create_traffic_mirror_session(**wanted_session(filter, sources, target, priority=32767))
    with refused(api, "InvalidParameter.PacketLength", "PacketLength", "8500"):
        api.update_traffic_mirror_session_attribute(traffic_mirror_session_id=session, packet_length=63)
    with refused(api, "InvalidParameter.VirtualNetworkId", "VirtualNetworkId", "16777215"):
        api.update_traffic_mirror_session_attribute(traffic_mirror_session_id=session, virtual_network_id=-1)
    with refused(api, "InvalidParameter.TrafficMirrorFilterName", "TrafficMirrorFilterName"):
        api.create_traffic_mirror_filter(traffic_mirror_filter_name="http://a")
    with refused(api, "InvalidParameter.IngressRules", "IngressRules.1.SourceCidrBlock", "10.1.0.0/16"):
        rule = {"action": "accept", "priority": 1, "protocol": "ALL", "source_cidr_block": "10.1.2.3/16"}
        api.create_traffic_mirror_filter(ingress_rules=[rule])
    with refused(api, "region_not_found", "RegionId"):
        api.list_traffic_mirror_filters(region_id="elsewhere")


def objects(api, filter, session, sources, target, foreign):
    with refused(api, "session_not_found", "tms-unknown"):
        api.update_traffic_mirror_session_attribute(traffic_mirror_session_id="tms-unknown", enabled=True)
    with refused(api, "session_not_found", "tms-unknown"):
        api.add_sources_to_traffic_mirror_session(
            traffic_mirror_session_id="tms-unknown", traffic_mirror_source_ids=sources
        )
    with refused(api, "filter_not_found", "tmf-unknown"):
        api.create_traffic_mirror_session(**wanted_session("tmf-unknown", sources[1:], target, priority=9))
    taken = session_of(api, session).priority
    with refused(api, "priority_in_use", "Priority", str(taken)):
        api.create_traffic_mirror_session(**wanted_session(filter, sources[1:], target, priority=taken))
    for source, destination, both in [(target, target, target), (sources[1], sources[0], sources[0])]:
        with refused(api, "source_is_target", both):
            api.create_traffic_mirror_session(**wanted_session(filter, [source], destination, priority=9))
    with refused(api, "foreign_eni", foreign):
        api.create_traffic_mirror_session(**wanted_session(filter, [foreign], target, priority=9))
    with refused(api, "foreign_eni", foreign):
        api.create_traffic_mirror_session(**wanted_session(filter, sources[1:], foreign, priority=9))


def of_another_account(stranger, filter, session):
    """Nothing of one account shows to another, and nothing can be changed by it."""
    stranger.open_traffic_mirror_service()
    equal((filters_by(stranger), sessions_by(stranger)), ([], []))
    equal(sessions_by(stranger, traffic_mirror_session_ids=[session]), [])
    with refused(stranger, "filter_not_found", filter):
        stranger.delete_traffic_mirror_filter(traffic_mirror_filter_id=filter)
    with refused(stranger, "session_not_found", session):
        stranger.update_traffic_mirror_session_attribute(traffic_mirror_session_id=session, enabled=True)
    with refused(stranger, "session_not_found", session):
        stranger.tag_resources(
            resource_type="TRAFFICMIRRORSESSION", resource_id=[session], tag=[{"key": "a", "value": "b"}]
        )
