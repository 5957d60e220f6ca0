"""Waiting for objects, and expecting refusals."""

import contextlib
import json
import pathlib
import time

# Codes that the cloud does not document are ours: all are here, for every client.
CODES = json.loads((pathlib.Path(__file__).parent.parent / "codes.json").read_text())
STATUSES = {"Creating", "Created", "Modifying", "Deleting"}


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def poll(what, probe):
    """The first answer of `probe` that is true; it has ten seconds."""
    deadline = time.monotonic() + 10
    while not (found := probe()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return found


def listed(things, status):
    """The only one of a list, once it is Created."""
    assert len(things) == 1, things
    assert getattr(things[0], status) in STATUSES, things[0]
    return things[0] if getattr(things[0], status) == "Created" else None


def filter_of(api, id):
    def probe():
        answer = api.list_traffic_mirror_filters(traffic_mirror_filter_ids=[id])
        found = listed(answer.traffic_mirror_filters, "traffic_mirror_filter_status")
        rules = found and (found.ingress_rules + found.egress_rules)
        return found if found and all(r.traffic_mirror_filter_rule_status == "Created" for r in rules) else None

    return poll(f"filter {id}", probe)


def session_of(api, id):
    def probe():
        answer = api.list_traffic_mirror_sessions(traffic_mirror_session_ids=[id])
        return listed(answer.traffic_mirror_sessions, "traffic_mirror_session_status")

    return poll(f"session {id}", probe)


def sessions_by(api, **wanted):
    """Ids of the listed sessions, in order."""
    answer = api.list_traffic_mirror_sessions(**wanted)
    equal(answer.total_count, str(len(answer.traffic_mirror_sessions)))
    return sorted(s.traffic_mirror_session_id for s in answer.traffic_mirror_sessions)


def filters_by(api, **wanted):
    answer = api.list_traffic_mirror_filters(**wanted)
    equal((answer.total_count, answer.count), (str(answer.count), len(answer.traffic_mirror_filters)))
    return sorted(f.traffic_mirror_filter_id for f in answer.traffic_mirror_filters)


def gone(api, filters=(), sessions=()):
    """Deleted objects leave the list."""
    poll("the filters' end", lambda: not filters or not filters_by(api, traffic_mirror_filter_ids=list(filters)))
    poll("the sessions' end", lambda: not sessions or not sessions_by(api, traffic_mirror_session_ids=list(sessions)))


@contextlib.contextmanager
def refused(api, code, *words):
    """What happens inside is refused with this code, by the SDK's own exception, in a message with these words."""
    try:
        yield
    except api.error as error:
        refusal = api.refusal(error)
        equal(refusal.code, CODES.get(code, code))
        assert 400 <= refusal.status < 500, refusal
        assert refusal.request_id, refusal
        missing = [word for word in words if word not in refusal.message]
        assert not missing, f"{missing} not in {refusal.message!r}"
    else:
        raise AssertionError(f"done, and should have been refused with {CODES.get(code, code)}")


def dry_run(api, action, **parameters):
    """A dry run that passes ends with an error code of its own, and nothing is changed."""
    with refused(api, "dry_run"):
        getattr(api, action)(dry_run=True, **parameters)
