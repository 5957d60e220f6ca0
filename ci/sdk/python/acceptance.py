"""Walks every action through one of the official Python SDKs, against a switch that has no filters and sessions yet.

    acceptance.py old|new|new-v1

Environment: VSWITCH_ENDPOINT (address:port), VSWITCH_REGION, ALIBABA_CLOUD_ACCESS_KEY_ID and _SECRET, those of another
account as OTHER_ACCESS_KEY_ID and _SECRET; ENIs of the first account VSWITCH_SOURCES (three, by commas) and VSWITCH_TARGET,
and one of the other account VSWITCH_FOREIGN_ENI.
"""

import os
import sys

import filters
import refusals
import sessions
from clients import CLIENTS


def walk(api, stranger, key, sources, target, foreign):
    def step(work, *arguments):
        print(f"{work.__module__}.{work.__name__}", flush=True)
        return work(*arguments)

    step(refusals.keys, api, *key)
    step(filters.service, api)
    filter = step(filters.create_with_rules, api)
    step(filters.update, api, filter)
    step(filters.rules, api, filter)
    step(filters.rule_quota, api)
    step(filters.pages_and_list_filters, api, filter)
    session = step(sessions.create_with_defaults, api, filter, sources, target)
    step(sessions.update, api, session, filter, target)
    step(sessions.sources_come_and_go, api, session, sources)
    others = step(sessions.pages_and_list_filters, api, filter, session, sources, target)
    step(sessions.tags, api, filter, session)
    step(sessions.resource_groups, api, filter, session)
    step(refusals.parameters, api, filter, session, sources, target)
    step(refusals.objects, api, filter, session, sources, target, foreign)
    step(refusals.of_another_account, stranger, filter, session)
    step(sessions.end, api, filter, [session, *others])


def main():
    if sys.argv[1:2] == [] or sys.argv[1] not in CLIENTS:
        sys.exit(__doc__)
    env = os.environ
    key = (env["ALIBABA_CLOUD_ACCESS_KEY_ID"], env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
    other = (env["OTHER_ACCESS_KEY_ID"], env["OTHER_ACCESS_KEY_SECRET"])
    api = CLIENTS[sys.argv[1]](env["VSWITCH_ENDPOINT"], env["VSWITCH_REGION"], *key)
    sources = env["VSWITCH_SOURCES"].split(",")
    walk(api, api.with_key(*other), key, sources, env["VSWITCH_TARGET"], env["VSWITCH_FOREIGN_ENI"])
    print(f"{sys.argv[1]}: every action walked")


if __name__ == "__main__":
    main()
