// Walks every action through the official Node SDK, against a switch that has no filters and sessions yet. What each
// answer and refusal must be in detail is in ../python; the environment is that of ../python/acceptance.py, and NODE_PATH
// names the folder of the SDK.
"use strict";

const assert = require("node:assert/strict");

const { Client, poll } = require("./client");

const ALL = { action: "accept", protocol: "ALL", sourceCidrBlock: "0.0.0.0/0", destinationCidrBlock: "0.0.0.0/0" };
const WEB = { ...ALL, priority: 1, protocol: "TCP", destinationPortRange: "80/443" };
const NAME = "name one+two*~/%&=é";

const ids = (things, kind) => things.map((t) => t[`trafficMirror${kind}Id`]).sort();

async function keys(api, id, secret) {
    await api.withKey("no-such-key", secret).refused("key_not_found", "listTrafficMirrorFilters", {}, "AccessKeyId");
    const wrong = api.withKey(id, `${secret}x`);
    await wrong.refused("SignatureDoesNotMatch", "listTrafficMirrorFilters", {}, "string to sign is:ACS3-HMAC-SHA256");
}

async function service(api) {
    assert.equal((await api.call("getTrafficMirrorServiceStatus")).enabled, false);
    await api.refused("service_not_open", "createTrafficMirrorFilter", {});
    assert.equal((await api.call("openTrafficMirrorService")).code, "200");
    assert.equal((await api.call("getTrafficMirrorServiceStatus")).enabled, true);
}

async function filters(api) {
    const tag = [{ key: "team", value: "net" }];
    const wanted = { trafficMirrorFilterName: NAME, ingressRules: [WEB], tag, clientToken: "filter-1" };
    await api.dryRun("createTrafficMirrorFilter", wanted);
    assert.deepEqual(await api.filters(), []);
    const { trafficMirrorFilterId } = await api.call("createTrafficMirrorFilter", wanted);
    const again = await api.call("createTrafficMirrorFilter", wanted);
    assert.equal(again.trafficMirrorFilterId, trafficMirrorFilterId);
    await api.refused("token_reused", "createTrafficMirrorFilter", { ...wanted, trafficMirrorFilterName: "another" });
    const found = await api.filter(trafficMirrorFilterId);
    assert.equal(found.trafficMirrorFilterName, NAME);
    assert.deepEqual([found.tags[0].key, found.tags[0].value], ["team", "net"]);
    const [rule] = found.ingressRules;
    assert.deepEqual([rule.priority, rule.sourcePortRange, rule.destinationPortRange], [1, "-1/-1", "80/443"]);
    assert.deepEqual(found.egressRules, []);

    await api.call("updateTrafficMirrorFilterAttribute", { trafficMirrorFilterId, trafficMirrorFilterName: "renamed" });
    assert.equal((await api.filter(trafficMirrorFilterId)).trafficMirrorFilterName, "renamed");
    const page = await api.call("listTrafficMirrorFilters", { maxResults: 1, tags: tag });
    assert.deepEqual([page.totalCount, page.count, page.maxResults], ["1", 1, 1]);
    assert.deepEqual(await api.filters({ trafficMirrorFilterName: NAME }), []);
    return trafficMirrorFilterId;
}

async function rules(api, trafficMirrorFilterId) {
    const egressRules = [{ ...ALL, priority: 5 }];
    const taken = { trafficMirrorFilterId, ingressRules: [WEB] };
    await api.refused("priority_in_use", "createTrafficMirrorFilterRules", taken, "Priority");
    const created = await api.call("createTrafficMirrorFilterRules", { trafficMirrorFilterId, egressRules });
    const [{ instanceId }] = created.egressRules;
    assert.deepEqual(created.ingressRules, []);
    await api.filter(trafficMirrorFilterId);
    const change = { trafficMirrorFilterRuleId: instanceId, ruleAction: "drop", priority: 6, protocol: "ICMP" };
    await api.call("updateTrafficMirrorFilterRuleAttribute", change);
    const [rule] = (await api.filter(trafficMirrorFilterId)).egressRules;
    assert.deepEqual([rule.action, rule.priority, rule.protocol], ["drop", 6, "ICMP"]);
    const old = { trafficMirrorFilterId, trafficMirrorFilterRuleIds: [instanceId] };
    await api.call("deleteTrafficMirrorFilterRules", old);
    assert.deepEqual((await api.filter(trafficMirrorFilterId)).egressRules, []);
    await api.refused("rule_not_found", "deleteTrafficMirrorFilterRules", old, instanceId);
}

// Twenty rules in all; and with the second filter there are two pages.
async function quotaAndPages(api, first) {
    const ten = Array.from({ length: 10 }, (_, n) => ({ ...ALL, priority: n + 1 }));
    const full = await api.call("createTrafficMirrorFilter", { ingressRules: ten, egressRules: ten });
    const { trafficMirrorFilterId } = full;
    await api.filter(trafficMirrorFilterId);
    const more = { trafficMirrorFilterId, egressRules: [{ ...ALL, priority: 11 }] };
    await api.refused("quota_rules", "createTrafficMirrorFilterRules", more, "20");

    const page = await api.call("listTrafficMirrorFilters", { maxResults: 1 });
    const rest = await api.call("listTrafficMirrorFilters", { maxResults: 1, nextToken: page.nextToken });
    assert.deepEqual([page.totalCount, page.count, rest.count, rest.nextToken ?? ""], ["2", 1, 1, ""]);
    const both = [...page.trafficMirrorFilters, ...rest.trafficMirrorFilters];
    assert.deepEqual(ids(both, "Filter"), [first, trafficMirrorFilterId].sort());
    await api.call("deleteTrafficMirrorFilter", { trafficMirrorFilterId });
    await poll("the filter's end", async () => (await api.filters()).length === 1);
}

async function sessions(api, trafficMirrorFilterId, sources, target, foreign) {
    const wanted = {
        trafficMirrorFilterId,
        trafficMirrorSourceIds: sources.slice(0, 2),
        trafficMirrorTargetId: target,
        trafficMirrorTargetType: "NetworkInterface",
        priority: 1,
    };
    await api.dryRun("createTrafficMirrorSession", wanted);
    const { trafficMirrorSessionId } = await api.call("createTrafficMirrorSession", wanted);
    const found = await api.session(trafficMirrorSessionId);
    assert.deepEqual([found.enabled, found.packetLength, found.priority], [false, 1500, 1]);
    assert.ok(found.virtualNetworkId >= 0 && found.virtualNetworkId <= 16777215);
    assert.equal(found.trafficMirrorSessionBusinessStatus, "Normal");

    const change = { enabled: true, virtualNetworkId: 0, packetLength: 8500, priority: 1 };
    await api.call("updateTrafficMirrorSessionAttribute", { trafficMirrorSessionId, ...change });
    const changed = await api.session(trafficMirrorSessionId);
    for (const [name, value] of Object.entries(change)) assert.equal(changed[name], value, name);
    const remove = { trafficMirrorSessionId, trafficMirrorSourceIds: sources.slice(0, 2) };
    await api.call("removeSourcesFromTrafficMirrorSession", remove);
    assert.deepEqual((await api.session(trafficMirrorSessionId)).trafficMirrorSourceIds, []);
    const add = { trafficMirrorSessionId, trafficMirrorSourceIds: sources };
    await api.call("addSourcesToTrafficMirrorSession", add);
    assert.deepEqual((await api.session(trafficMirrorSessionId)).trafficMirrorSourceIds.sort(), [...sources].sort());

    assert.deepEqual(ids(await api.sessions({ virtualNetworkId: 0 }), "Session"), [trafficMirrorSessionId]);
    assert.deepEqual(ids(await api.sessions({ enabled: true }), "Session"), [trafficMirrorSessionId]);
    assert.deepEqual(await api.sessions({ enabled: false }), []);
    assert.deepEqual(await api.sessions({ trafficMirrorSessionIds: ["tms-unknown"] }), []);

    await api.refused("priority_in_use", "createTrafficMirrorSession", wanted, "Priority");
    const other = { ...wanted, priority: 2 };
    await api.refused("foreign_eni", "createTrafficMirrorSession", { ...other, trafficMirrorTargetId: foreign }, foreign);
    const twice = { ...other, trafficMirrorTargetId: sources[0] };
    await api.refused("source_is_target", "createTrafficMirrorSession", twice, sources[0]);
    await api.refused("InvalidParameter.Priority", "createTrafficMirrorSession", { ...wanted, priority: 0 }, "32766");
    const { priority, ...incomplete } = wanted;
    await api.refused("MissingPriority", "createTrafficMirrorSession", incomplete, "Priority");
    return trafficMirrorSessionId;
}

async function tagsAndResourceGroups(api, resourceId) {
    const resource = { resourceType: "TRAFFICMIRRORSESSION", resourceId: [resourceId] };
    await api.call("tagResources", { ...resource, tag: [{ key: "a", value: "1" }, { key: "b", value: "2" }] });
    const tags = async () => (await api.call("listTagResources", resource)).tagResources.tagResource;
    assert.deepEqual((await tags()).map((t) => [t.resourceId, t.tagKey, t.tagValue]).sort(), [
        [resourceId, "a", "1"],
        [resourceId, "b", "2"],
    ]);
    await api.call("unTagResources", { ...resource, tagKey: ["a"] });
    assert.deepEqual((await tags()).map((t) => t.tagKey), ["b"]);
    await api.call("unTagResources", { ...resource, all: true });
    assert.deepEqual(await tags(), []);
    const move = { resourceType: "TrafficMirrorSession", resourceId, newResourceGroupId: "rg-9" };
    await api.call("moveResourceGroup", move);
    assert.deepEqual(ids(await api.sessions({ resourceGroupId: "rg-9" }), "Session"), [resourceId]);
}

async function ofAnotherAccount(stranger, trafficMirrorFilterId, trafficMirrorSessionId) {
    await stranger.call("openTrafficMirrorService");
    assert.deepEqual([await stranger.filters(), await stranger.sessions()], [[], []]);
    await stranger.refused("filter_not_found", "deleteTrafficMirrorFilter", { trafficMirrorFilterId });
    await stranger.refused("session_not_found", "deleteTrafficMirrorSession", { trafficMirrorSessionId });
}

async function end(api, trafficMirrorFilterId, trafficMirrorSessionId) {
    await api.refused("filter_in_use", "deleteTrafficMirrorFilter", { trafficMirrorFilterId }, trafficMirrorSessionId);
    await api.call("deleteTrafficMirrorSession", { trafficMirrorSessionId });
    await poll("the session's end", async () => (await api.sessions()).length === 0);
    await api.call("deleteTrafficMirrorFilter", { trafficMirrorFilterId });
    await poll("the filter's end", async () => (await api.filters()).length === 0);
    await api.refused("filter_not_found", "deleteTrafficMirrorFilter", { trafficMirrorFilterId }, trafficMirrorFilterId);
}

async function step(work, ...parameters) {
    console.log(work.name);
    return work(...parameters);
}

async function walk(env) {
    const key = [env.ALIBABA_CLOUD_ACCESS_KEY_ID, env.ALIBABA_CLOUD_ACCESS_KEY_SECRET];
    const api = new Client(env.VSWITCH_ENDPOINT, env.VSWITCH_REGION, ...key);
    const stranger = api.withKey(env.OTHER_ACCESS_KEY_ID, env.OTHER_ACCESS_KEY_SECRET);
    const sources = env.VSWITCH_SOURCES.split(",");
    await step(keys, api, ...key);
    await step(service, api);
    const filter = await step(filters, api);
    await step(rules, api, filter);
    await step(quotaAndPages, api, filter);
    const session = await step(sessions, api, filter, sources, env.VSWITCH_TARGET, env.VSWITCH_FOREIGN_ENI);
    await step(tagsAndResourceGroups, api, session);
    await step(ofAnotherAccount, stranger, filter, session);
    await step(end, api, filter, session);
    console.log("node: every action walked");
}

walk(process.env).catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
