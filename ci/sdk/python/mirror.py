"""The life of one session, a step at a time, so that packets can be sent in between.

    mirror.py old|new|new-v1 start           opens the service; creates a filter that accepts all and a session of it;
                                             enables the session, and prints both ids as JSON once it is Created
    mirror.py old|new|new-v1 vni SESSION N   changes the session's VNI
    mirror.py old|new|new-v1 stop SESSION    disables it
    mirror.py old|new|new-v1 end SESSION FILTER

The environment is that of acceptance.py, but for the other account.
"""

import json
import os
import sys

from clients import CLIENTS
from expect import filter_of, gone, session_of
from filters import ALL
from sessions import wanted_session


def start(api):
    api.open_traffic_mirror_service()
    rules = [ALL | {"priority": 1}]
    filter = api.create_traffic_mirror_filter(ingress_rules=rules, egress_rules=rules).traffic_mirror_filter_id
    filter_of(api, filter)
    wanted = wanted_session(filter, os.environ["VSWITCH_SOURCES"].split(","), os.environ["VSWITCH_TARGET"])
    session = api.create_traffic_mirror_session(**wanted, virtual_network_id=10).traffic_mirror_session_id
    session_of(api, session)
    update(api, session, enabled=True)
    print(json.dumps({"filter": filter, "session": session}))


def update(api, session, **change):
    api.update_traffic_mirror_session_attribute(traffic_mirror_session_id=session, **change)
    session_of(api, session)


def end(api, session, filter):
    api.delete_traffic_mirror_session(traffic_mirror_session_id=session)
    gone(api, sessions=[session])
    api.delete_traffic_mirror_filter(traffic_mirror_filter_id=filter)
    gone(api, filters=[filter])


STEPS = {
    "start": start,
    "vni": lambda api, session, vni: update(api, session, virtual_network_id=int(vni)),
    "stop": lambda api, session: update(api, session, enabled=False),
    "end": end,
}


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in CLIENTS or sys.argv[2] not in STEPS:
        sys.exit(__doc__)
    env = os.environ
    key = (env["ALIBABA_CLOUD_ACCESS_KEY_ID"], env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
    STEPS[sys.argv[2]](CLIENTS[sys.argv[1]](env["VSWITCH_ENDPOINT"], env["VSWITCH_REGION"], *key), *sys.argv[3:])


if __name__ == "__main__":
    main()
