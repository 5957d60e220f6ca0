//! Bad input: a 4xx each, with a sentence that names the field and what is allowed.
#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn each_mistake_has_its_answer() {
    let api = Api::new(one_of_each());
    let (get, put, post, delete) = (Method::GET, Method::PUT, Method::POST, Method::DELETE);
    let cases = [
        (404, get.clone(), "/v1/cars", "", "/v1/cars is not here; GET /openapi.json says what is"),
        (404, get.clone(), "/v1/vpcs/", "", "/v1/vpcs/ is not here; GET /openapi.json says what is"),
        (404, get.clone(), "/v1/vpcs/a/b", "", "/v1/vpcs/a/b is not here; GET /openapi.json says what is"),
        (405, delete.clone(), "/v1/vpcs", "", "DELETE is not allowed on /v1/vpcs; allowed: GET"),
        (405, post.clone(), "/v1/vpcs/vpc-a", "", "POST is not allowed on /v1/vpcs/vpc-a; allowed: GET, PUT, DELETE"),
        (400, put.clone(), "/v1/vpcs/vpc-a", "{", "body: is not JSON: EOF while parsing an object at line 1 column 1"),
        (400, put.clone(), "/v1/vpcs/vpc-a", "", "body: is not JSON: EOF while parsing a value at line 1 column 0"),
        (400, put.clone(), "/v1/vpcs/vpc-a", "[]", "body: a JSON object is expected, with the VPC's fields"),
        (
            400,
            put.clone(),
            "/v1/vpcs/vpc-a",
            r#"{"VpcId": "vpc-a", "VpcId": "vpc-a", "CidrBlock": "10.0.0.0/16"}"#,
            "body: VpcId: the key is given twice; once is allowed",
        ),
        (
            400,
            put.clone(),
            "/v1/vpcs/vpc-a",
            r#"{"CidrBlock": "10.0.0.0/16"}"#,
            "body: VpcId: missing; it must be vpc-a, as in the path",
        ),
        (
            400,
            put.clone(),
            "/v1/vpcs/vpc-a",
            r#"{"VpcId": "vpc-b", "CidrBlock": "10.0.0.0/16"}"#,
            "body: VpcId = \"vpc-b\": it must be vpc-a, as in the path",
        ),
        (
            400,
            put.clone(),
            "/v1/vpcs/.a",
            "{}",
            "the path's VpcId = \".a\": 1 to 64 letters, digits, '.', '_' or '-', and no '.' at the beginning",
        ),
        (
            400,
            put.clone(),
            "/v1/vpcs/vpc-a",
            r#"{"VpcId": "vpc-a", "CidrBlock": "10.0.0.1/16"}"#,
            "inventory: Vpcs[vpc-a].CidrBlock = \"10.0.0.1/16\": host bits are set; the network is 10.0.0.0/16",
        ),
        (
            400,
            delete.clone(),
            "/v1/vswitches/vsw-a",
            "",
            "inventory: NetworkInterfaces[eni-a].VSwitchId = \"vsw-a\": the id of a vSwitch in VSwitches",
        ),
        (
            400,
            put.clone(),
            "/v1/inventory",
            r#"{"Vpc": []}"#,
            "body: Vpc = []: unknown key; the nearest known one is Vpcs",
        ),
        (400, put.clone(), "/v1/inventory", "{}", "inventory: RegionId: missing; a region's id"),
        (400, put.clone(), "/v1/inventory?dry_run=1", "{}", "parameter dry_run = \"1\": true or false"),
        (
            400,
            put.clone(),
            "/v1/inventory?dryrun=true",
            "{}",
            "parameter dryrun: unknown parameter; the nearest known one is dry_run",
        ),
        (400, get.clone(), "/v1/vpcs?dry_run=true", "", "parameter dry_run: there are none here"),
        (400, get.clone(), "/v1/watch?timeout=61", "", "parameter timeout = \"61\": a whole number from 0 to 60"),
        (
            400,
            get.clone(),
            "/v1/quotas",
            "",
            "parameter account: missing; 1 to 64 letters, digits, '.', '_' or '-', and no '.' at the beginning",
        ),
        (404, get.clone(), "/v1/quotas?account=7", "", "parameter account: there is no account 7"),
        (
            400,
            get.clone(),
            "/v1/intervals?account=7&from=2&to=1",
            "",
            "parameter from = 2: it must not be after to = 1",
        ),
        (
            404,
            post.clone(),
            "/v1/actions/ListTrafficMirrorFilter?account=1001",
            "",
            "action ListTrafficMirrorFilter: unknown action; the nearest known one is ListTrafficMirrorFilters",
        ),
        (
            400,
            post.clone(),
            "/v1/actions/ListTrafficMirrorFilters?account=1001",
            "7",
            "body: a JSON object is expected, with the action's parameters",
        ),
        (400, post.clone(), "/v1/explain", "{}", "missing field `eni` at line 1 column 2"),
        (400, post.clone(), "/v1/restore", "", "body: missing; a backup is expected"),
        (404, get.clone(), "/v1/enis/eni-x", "", "there is no ENI eni-x"),
    ];
    let before = api.switch.document();
    for (status, method, target, body, sentence) in cases {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(api.refused(status, method.clone(), target, body), [sentence], "{method} {target}");
    }
    assert_eq!(api.switch.document(), before);
    let answer = api.raw(put, "/v1/vpcs/vpc-a", [0xff, 0xfe]);
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(String::from_utf8_lossy(&answer.body).contains("body: is not UTF-8"));
    let answer = api.raw(delete, "/v1/vpcs", "");
    assert!(answer.headers.iter().any(|(name, value)| name == "allow" && value == "GET"));
}

#[test]
fn every_problem_of_a_document_is_answered_at_once() {
    let api = Api::new(one_of_each());
    let mut document = one_of_each();
    document["Vpcs"][0]["CidrBlock"] = json!("x");
    document["NetworkInterfaces"][0]["Mtu"] = json!(9000);
    document["Accounts"][0]["Quotas"]["filters"] = json!(0);
    let lines = api.refused(StatusCode::BAD_REQUEST, Method::PUT, "/v1/inventory", &document.to_string());
    assert_eq!(
        lines,
        [
            "inventory: Accounts[1001].Quotas.filters = 0: a whole number from 1 to 100000",
            "inventory: Vpcs[vpc-a].CidrBlock = \"x\": an IPv4 network such as 10.0.0.0/24",
            "inventory: NetworkInterfaces[eni-a].Mtu = 9000: 1500 or 8500",
        ]
    );
    document["Vpcs"] = json!([{ "VpcId": "a" }, { "VpcId": "a" }, 7, { "Id": "b" }]);
    let lines = api.refused(StatusCode::BAD_REQUEST, Method::PUT, "/v1/inventory", &document.to_string());
    assert_eq!(
        lines,
        [
            "body: Vpcs[1].VpcId = \"a\": another VPC has this id",
            "body: Vpcs[2] = 7: an object is expected here",
            "body: Vpcs[3].VpcId: missing; 1 to 64 letters, digits, '.', '_' or '-', and no '.' at the beginning",
        ]
    );
}

#[test]
fn a_switch_that_cannot_write_says_why() {
    let api = Api::new(one_of_each());
    *api.switch.read_only.lock() = Some("the store cannot be opened".to_owned());
    let lines = api.refused(StatusCode::SERVICE_UNAVAILABLE, Method::DELETE, "/v1/instances/i-a", "");
    assert_eq!(lines, ["the store cannot be opened"]);
    let ready = api.raw(Method::GET, "/readyz", "");
    assert_eq!((ready.status, &*ready.body), (StatusCode::SERVICE_UNAVAILABLE, &b"the store cannot be opened\n"[..]));
}

#[test]
fn without_a_store_files_are_named_and_the_rest_works() {
    let api = Api::without_store();
    let stored = [
        (Method::GET, "/v1/inventory"),
        (Method::PUT, "/v1/vpcs/vpc-a"),
        (Method::GET, "/v1/watch"),
        (Method::GET, "/v1/backup"),
        (Method::POST, "/v1/actions/OpenTrafficMirrorService?account=1"),
    ];
    for (method, target) in stored {
        let lines = api.refused(StatusCode::CONFLICT, method, target, "");
        assert!(lines[0].contains("store.path is empty") && lines[0].contains("/v1/reload"), "{lines:?}");
    }
    assert_eq!(api.done(Method::GET, "/v1/status", None)["store"]["state"], "none");
    assert_eq!(api.done(Method::POST, "/v1/reload", None)["version"], 2);
    assert_eq!(api.done(Method::GET, "/v1/sessions/tms-a", None)["id"], "tms-a");
}
