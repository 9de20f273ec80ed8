//! The table of what may be asked for, and what is said of the rest.

use serde_json::json;

use super::*;

fn telemetry(change: impl FnOnce(&mut Value)) -> Result<Subscription, String> {
    let mut body = json!({
        "schemaVersion": "2022-12-13",
        "types": ["platform", "function"],
        "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/telemetry?x=1"},
        "buffering": {"maxItems": 5000, "maxBytes": 300_000, "timeoutMs": 25},
    });
    change(&mut body);
    parse(Feed::Telemetry, &serde_json::to_vec(&body).unwrap())
}

fn uri(uri: &str) -> Result<Destination, String> {
    telemetry(|body| body["destination"]["URI"] = json!(uri)).map(|it| it.destination)
}

#[test]
fn a_subscription_is_read() {
    let expected = Subscription {
        schema: Schema::Telemetry20221213,
        types: vec![Type::Platform, Type::Function],
        destination: Destination::Http {
            port: 8080,
            host: "sandbox.localdomain:8080".to_owned(),
            target: "/telemetry?x=1".to_owned(),
            put: false,
        },
        buffering: Buffering { max_items: 5000, max_bytes: 300_000, timeout: 25 },
    };
    assert_eq!(telemetry(|_| ()), Ok(expected.clone()));
    assert_eq!(telemetry(|body| body["more"] = json!(1)), Ok(expected));
}

#[test]
fn what_is_not_said_is_the_default() {
    let body = json!({"types": ["extension", "extension"], "destination": {"protocol": "TCP", "port": 9000}});
    let found = parse(Feed::Logs, body.to_string().as_bytes()).unwrap();
    assert_eq!(found.schema, Schema::Logs20200815);
    assert_eq!(found.types, [Type::Extension]);
    assert_eq!(found.destination, Destination::Tcp { port: 9000 });
    assert_eq!(found.buffering, Buffering { max_items: 10_000, max_bytes: 262_144, timeout: 1000 });
    let partly = telemetry(|body| body["buffering"] = json!({"maxItems": 2000})).unwrap();
    assert_eq!(partly.buffering, Buffering { max_items: 2000, ..Buffering::default() });
}

#[test]
fn each_api_has_its_schemas() {
    for (version, known) in
        [("2022-07-01", true), ("2022-12-13", true), ("2025-01-29", true), ("2020-08-15", false)]
    {
        assert_eq!(telemetry(|body| body["schemaVersion"] = json!(version)).is_ok(), known);
    }
    let logs = |version| {
        let body = json!({"schemaVersion": version, "types": ["platform"],
            "destination": {"protocol": "HTTP", "URI": "http://sandbox:1", "method": "PUT"}});
        parse(Feed::Logs, body.to_string().as_bytes())
    };
    assert_eq!(logs("2021-03-18").unwrap().schema, Schema::Logs20210318);
    assert!(matches!(logs("2020-08-15").unwrap().destination, Destination::Http { put: true, .. }));
    assert_eq!(
        logs("2022-07-01").unwrap_err(),
        r#"schemaVersion: value must be one of "2020-08-15","2021-03-18""#
    );
}

#[test]
fn the_path_is_kept_and_the_host_is_the_sandbox() {
    let target = |text: &str| match uri(text) {
        Ok(Destination::Http { target, .. }) => target,
        other => panic!("{other:?}"),
    };
    assert_eq!(target("http://sandbox.localdomain:8080"), "/");
    assert_eq!(target("http://sandbox:8080/"), "/");
    assert_eq!(target("HTTP://SANDBOX.localdomain:8080/a/b#c"), "/a/b");
    assert_eq!(target("http://sandbox:8080?q"), "/?q");
    let host = "Invalid destination: destination.URI host must be sandbox.localdomain";
    let invalid = "Invalid destination: could not parse destination.URI";
    for (text, problem) in [
        ("http://localhost:8080", host),
        ("http://sandbox.localdomain.example:1/", host),
        ("http://user@sandbox:8080/", host),
        ("http://[::1]:80", host),
        ("https://sandbox:8080", "Invalid destination: destination.URI scheme must be http"),
        ("", "Invalid destination: destination.URI scheme must be http"),
        ("http://sandbox.localdomain/path", "URI port is not provided"),
        ("http://sandbox:0/", invalid),
        ("http://sandbox:65536/", invalid),
        ("http://sandbox:+80/", invalid),
        ("http://sandbox:80/a b", invalid),
        ("http://sandbox:80/\r\nHost: x", invalid),
    ] {
        assert_eq!(uri(text), Err(problem.to_owned()), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    type Change = fn(&mut Value);
    let table: [(Change, &str); 14] = [
        (
            |it| *it = json!({"schemaVersion": "2022-07-01"}),
            "missing properties: 'types', 'destination'",
        ),
        (|it| *it = json!([]), "expected object, but got array"),
        (|it| it["types"] = json!([]), "types should not be empty"),
        (
            |it| it["types"] = json!(["platform", "x"]),
            r#"types: value must be one of "platform","function","extension""#,
        ),
        (|it| it["types"] = json!("platform"), "types: expected array, but got string"),
        (
            |it| it["schemaVersion"] = json!("2021-01-01"),
            r#"schemaVersion: value must be one of "2022-07-01","2022-12-13","2025-01-29""#,
        ),
        (
            |it| it["destination"]["protocol"] = json!("UDP"),
            r#"destination.protocol: value must be one of "HTTP","TCP""#,
        ),
        (|it| it["destination"] = json!({"protocol": "TCP"}), "missing properties: 'port'"),
        (|it| it["destination"] = json!({"protocol": "HTTP"}), "missing properties: 'URI'"),
        (
            |it| it["destination"] = json!({"protocol": "TCP", "port": 0}),
            "port/minimum: must be >= 1 but found 0",
        ),
        (
            |it| it["buffering"]["maxItems"] = json!(10),
            "maxItems/minimum: must be >= 1000 but found 10",
        ),
        (
            |it| it["buffering"]["maxBytes"] = json!(1_048_577),
            "maxBytes/maximum: must be <= 1048576 but found 1048577",
        ),
        (
            |it| it["buffering"]["timeoutMs"] = json!(25.5),
            "timeoutMs: expected integer, but got number",
        ),
        (
            |it| {
                it["destination"]["URI"] = json!("http://sandbox/");
                it["types"] = json!([]);
            },
            "URI port is not provided; types should not be empty",
        ),
    ];
    for (change, problem) in table {
        assert_eq!(telemetry(change).unwrap_err(), problem);
    }
    let broken = parse(Feed::Telemetry, b"{\"invalid\": json}").unwrap_err();
    assert!(broken.starts_with("failed to parse JSON: "), "{broken}");
}

proptest::proptest! {
    #[test]
    fn no_address_leads_elsewhere(text in "http://(sandbox(\\.localdomain)?)?[a-z0-9:/@?#.\\\\\\[%]{0,12}") {
        if let Ok((port, host, target)) = address(&text) {
            let (name, number) = host.split_once(':').unwrap();
            proptest::prop_assert!(["sandbox", "sandbox.localdomain"].contains(&name));
            proptest::prop_assert_eq!(number.parse(), Ok(port));
            proptest::prop_assert!(target.starts_with('/'));
        }
    }
}
