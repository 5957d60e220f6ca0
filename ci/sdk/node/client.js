// The official Node SDK: requests by name, answers checked against the types that the SDK declares.
"use strict";

const assert = require("node:assert/strict");
const { setTimeout: sleep } = require("node:timers/promises");

const { $OpenApiUtil } = require("@alicloud/openapi-core");
const { ClientError } = require("@alicloud/openapi-core/dist/exceptions/error");
const vpc = require("@alicloud/vpc20160428");

// Codes that the cloud does not document are ours: all are here, for every client.
const CODES = require("../codes.json");

class Client {
    constructor(endpoint, regionId, accessKeyId, accessKeySecret) {
        Object.assign(this, { endpoint, regionId });
        const config = new $OpenApiUtil.Config({ accessKeyId, accessKeySecret, regionId, endpoint, protocol: "http" });
        this.sdk = new vpc.default(config);
    }

    withKey(id, secret) {
        return new Client(this.endpoint, this.regionId, id, secret);
    }

    // call("createTrafficMirrorFilter", {trafficMirrorFilterName: "a"}): the answer's body.
    async call(action, parameters = {}) {
        const Request = vpc[action[0].toUpperCase() + action.slice(1) + "Request"];
        const request = new Request({ regionId: this.regionId, ...parameters });
        const { body } = await this.sdk[action](request);
        checkTypes(body);
        return body;
    }

    // The refusal that a call ends with, as the SDK's own exception, in a message with these words.
    async refused(code, action, parameters, ...words) {
        const error = await this.call(action, parameters).then(
            () => assert.fail(`${action} done, and should have been refused with ${CODES[code] ?? code}`),
            (error) => error,
        );
        assert.ok(error instanceof ClientError, `${error.name}: ${error.message}`);
        assert.equal(error.code, CODES[code] ?? code);
        assert.ok(error.statusCode >= 400 && error.statusCode < 500, `${error.statusCode}`);
        const told = `code: ${error.statusCode}, ${error.data.Message} request id: ${error.requestId}`;
        assert.equal(error.message, `${error.code}: ${told}`);
        for (const word of words) assert.ok(error.message.includes(word), `no ${word} in ${error.message}`);
    }

    // A dry run that passes ends with an error code of its own, and nothing is changed.
    dryRun(action, parameters) {
        return this.refused("dry_run", action, { ...parameters, dryRun: true });
    }

    async filters(wanted = {}) {
        return (await this.call("listTrafficMirrorFilters", wanted)).trafficMirrorFilters;
    }

    async sessions(wanted = {}) {
        return (await this.call("listTrafficMirrorSessions", wanted)).trafficMirrorSessions;
    }

    // The filter, once it and all its rules are Created.
    filter(id) {
        return poll(`filter ${id}`, async () => {
            const [found] = await this.filters({ trafficMirrorFilterIds: [id] });
            const rules = [...found.ingressRules, ...found.egressRules].map((r) => r.trafficMirrorFilterRuleStatus);
            return [found.trafficMirrorFilterStatus, ...rules].every((s) => s === "Created") && found;
        });
    }

    session(id) {
        return poll(`session ${id}`, async () => {
            const [found] = await this.sessions({ trafficMirrorSessionIds: [id] });
            return found.trafficMirrorSessionStatus === "Created" && found;
        });
    }
}

// The first answer of `probe` that is true; it has ten seconds.
async function poll(what, probe) {
    const deadline = Date.now() + 10_000;
    for (;;) {
        const found = await probe();
        if (found) return found;
        assert.ok(Date.now() < deadline, `waited in vain for ${what}`);
        await sleep(20);
    }
}

// What the answer held is of the types that the SDK declares; it does not look itself.
function checkTypes(model) {
    for (const [name, type] of Object.entries(model.constructor.types())) {
        const value = model[name];
        if (value === undefined || value === null) continue;
        if (type.type === "array") assert.ok(Array.isArray(value), `${name} = ${value}`);
        for (const item of type.type === "array" ? value : [value]) {
            const kind = type.itemType ?? type;
            if (typeof kind === "string") assert.equal(typeof item, kind, `${name} = ${item}`);
            else checkTypes(item);
        }
    }
}

module.exports = { Client, poll };
