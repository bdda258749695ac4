//! `registry`, `ls`, `lookup`, `watch` and calls by name, with services that use the library.

use std::sync::Arc;

use dividere::{Channel, Dealer, Message, Options, Response, Service, ServiceSettings};
use serde_json::{json, Value};

use crate::common::registry::{client, fixed_port};
use crate::common::{port_of, soon};
use crate::process::{command, run, words, Finished, Running};

/// A running registry and where it is asked.
fn registry() -> (Running, String) {
    let mut running = Running::start(&words("registry tcp://127.0.0.1:* --json"));
    let at = running.json();
    assert!(
        at["publish_endpoint"].as_str().unwrap().starts_with("tcp://127.0.0.1:"),
        "{at}"
    );
    let endpoint = at["endpoint"].as_str().unwrap().to_owned();
    (running, endpoint)
}

fn ask(endpoint: &str, line: &str) -> Finished {
    run(&[&words(line)[..], &["--registry", endpoint]].concat())
}

#[test]
fn what_is_registered_is_listed_and_looked_up() {
    let (running, at) = registry();
    let services = client(&at);
    services
        .register("acme.b", 5102, "blue ü\n".as_bytes(), soon())
        .unwrap();
    let id = services.register("acme.a", 5101, b"", soon()).unwrap();
    services.register("other", 5103, b"\xff\x00", soon()).unwrap();

    let all = ask(&at, "ls --json").json();
    let names: Vec<&Value> = all.iter().map(|instance| &instance["name"]).collect();
    assert_eq!(names, ["acme.a", "acme.b", "other"]);
    let first = json!({
        "name": "acme.a", "endpoint": "tcp://127.0.0.1:5101", "server": "127.0.0.1", "port": 5101,
        "instance": id.to_string(), "lease_ms": 3000, "metadata": "", "revision": 2,
    });
    assert_eq!(all[0], first);
    assert_eq!(
        (&all[1]["metadata"], &all[2]["metadata_hex"]),
        (&json!("blue ü\n"), &json!("ff00"))
    );
    let out = ask(&at, "ls acme.").ok();
    assert_eq!(
        out,
        "acme.a  tcp://127.0.0.1:5101\nacme.b  tcp://127.0.0.1:5102  blue ü\\n\n"
    );
    assert_eq!(ask(&at, "ls nobody").ok(), "");

    assert_eq!(ask(&at, "lookup acme.a").ok(), "tcp://127.0.0.1:5101\n");
    assert_eq!(ask(&at, "lookup acme.a --all --json").json(), [first]);
    services.register("acme.a", 5111, b"", soon()).unwrap();
    let mut both: Vec<String> = ask(&at, "lookup acme.a --all")
        .ok()
        .lines()
        .map(str::to_owned)
        .collect();
    both.sort();
    assert_eq!(both, ["tcp://127.0.0.1:5101", "tcp://127.0.0.1:5111"]);
    assert_eq!(running.interrupt().ok(), "");
}

#[test]
fn a_name_that_nobody_has_ends_with_4_and_no_registry_with_3() {
    let (_running, at) = registry();
    ask(&at, "lookup nobody").failed(4, "NOT_FOUND");
    ask(&at, "lookup nobody --all").failed(4, "NOT_FOUND: no service is registered as nobody");
    ask(&at, "lookup nobody --wait --timeout 3s").failed(3, "no service nobody within 3s");
    ask(&at, "call nobody --bytes x").failed(4, "NOT_FOUND: no service is registered as 'nobody'");
    let nowhere = "tcp://127.0.0.1:1";
    for line in [
        "ls --timeout 50ms",
        "lookup a --timeout 50ms",
        "watch --timeout 50ms",
        "call a --bytes x --timeout 50ms",
    ] {
        ask(nowhere, line).failed(3, "TIMEOUT: registry at tcp://127.0.0.1:1");
    }
    ask("nonsense", "ls").failed(2, "ENDPOINT");
}

#[test]
fn the_registry_is_found_in_the_environment() {
    let (_running, at) = registry();
    let services = client(&at);
    services.register("a", 5101, b"", soon()).unwrap();
    let mut asking = command(&["lookup", "a"]);
    assert_eq!(
        Running::spawn(asking.env("DIVIDERE_REGISTRY", &at)).finish().ok(),
        "tcp://127.0.0.1:5101\n"
    );
    // What is said on the command line goes before it.
    let mut asking = command(&["lookup", "a", "-R", &at]);
    let nowhere = asking.env("DIVIDERE_REGISTRY", "tcp://127.0.0.1:1");
    assert_eq!(Running::spawn(nowhere).finish().ok(), "tcp://127.0.0.1:5101\n");
}

#[test]
fn lookup_waits_for_a_service_when_asked_to() {
    let (_running, at) = registry();
    let waiting = Running::start(&["lookup", "late", "--wait", "--timeout", "never", "-R", &at]);
    let services = client(&at);
    services.register("other", 5102, b"", soon()).unwrap();
    services.register("late", 5101, b"", soon()).unwrap();
    assert_eq!(waiting.finish().ok(), "tcp://127.0.0.1:5101\n");
    // And while it waits, Ctrl-C ends it without a result.
    let mut waiting = Running::start(&["lookup", "never", "--wait", "--timeout", "never", "-R", &at, "-v"]);
    waiting.error_line_with("connected");
    waiting.interrupt().failed(1, "CANCELLED");
}

#[test]
fn watch_shows_what_is_there_and_then_each_change() {
    let (mut registry, at) = registry();
    let services = client(&at);
    let first = services.register("a", 5101, b"", soon()).unwrap();
    services.register("b", 5102, b"", soon()).unwrap();
    let mut all = Running::start(&["watch", "--json", "-R", &at]);
    let mut one = Running::start(&["watch", "a", "-R", &at]);
    let mut prefix = Running::start(&["watch", "--prefix", "b", "--json", "-R", &at]);
    let event = |shown: Value| {
        assert!(shown["time"].as_str().unwrap().ends_with('Z'), "{shown}");
        (
            shown["event"].as_str().unwrap().to_owned(),
            shown["name"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let is = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
    assert_eq!(event(all.json()), is("put", "a"));
    assert_eq!(event(all.json()), is("put", "b"));
    assert_eq!(event(all.json()), is("complete", ""));
    assert!(one.line().ends_with("Z + a  tcp://127.0.0.1:5101"));
    assert!(one.line().ends_with("Z so far; changes follow"));
    assert_eq!(event(prefix.json()), is("put", "b"));
    assert_eq!(event(prefix.json()), is("complete", ""));

    services.unregister(first, soon()).unwrap();
    services.register("bb", 5103, b"", soon()).unwrap();
    assert_eq!(event(all.json()), is("delete", "a"));
    assert_eq!(event(all.json()), is("put", "bb"));
    assert!(one.line().contains("Z - a"));
    assert_eq!(event(prefix.json()), is("put", "bb"));
    for running in [all, one, prefix] {
        let finished = running.interrupt();
        assert_eq!((finished.code, finished.err.as_str()), (Some(0), ""));
    }
    registry.signal(libc::SIGTERM);
    assert!(registry.line_within(crate::common::LIMIT).is_none());
    registry.finish().ok();
}

#[test]
fn a_watch_lives_through_the_end_of_a_registry() {
    let at = format!("tcp://127.0.0.1:{}", fixed_port());
    let start = || {
        let mut registry = Running::start(&["registry", &at, "--json"]);
        registry.json();
        registry
    };
    let registry = start();
    let services = client(&at);
    services.register("a", 5101, b"", soon()).unwrap();
    let mut watch = Running::start(&["watch", "--json", "-R", &at]);
    assert_eq!(watch.json()["event"], "put");
    assert_eq!(watch.json()["event"], "complete");
    registry.signal(libc::SIGKILL);
    registry.finish();
    let _registry = start();
    // The service registers again by itself; whether the watch saw it gone before depends on who was faster.
    services.register("b", 5102, b"", soon()).unwrap();
    loop {
        let shown = watch.json();
        if (&shown["event"], &shown["name"]) == (&json!("put"), &json!("b")) {
            break;
        }
        assert_eq!(shown["name"], "a", "{shown}");
    }
    watch.interrupt().ok();
}

#[test]
fn a_service_is_called_by_its_name() {
    let (_registry, at) = registry();
    let services = client(&at);
    let response = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let port = port_of(&response.last_endpoint().unwrap());
    services.register("acme.echo", port, b"", soon()).unwrap();
    let asking = Running::start(&["call", "acme.echo", "--bytes", "hello", "--text", "-R", &at]);
    let mut message = Message::new();
    response.recv_bytes(&mut message, soon()).unwrap();
    let mut echo = Message::from_bytes(message.bytes()).unwrap();
    message.reply(&mut echo).unwrap();
    assert_eq!(asking.finish().ok(), "hello\n");
}

/// A service that takes requests and loses them, registered as `acme.echo`; and one that answers.
#[test]
fn a_call_by_name_moves_on_to_another_instance_where_it_may_be_repeated() {
    let (_registry, at) = registry();
    let registry = Arc::new(client(&at));
    let silent = Dealer::new("@tcp://127.0.0.1:*", &Options::new()).unwrap();
    let port = port_of(&silent.last_endpoint().unwrap());
    registry.register("acme.echo", port, b"", soon()).unwrap();
    let call = [
        "call",
        "acme.echo",
        "acme.Ask",
        "--bytes",
        "?",
        "--json",
        "--timeout",
        "2m",
        "-R",
        &at,
    ];
    let mut message = Message::new();
    // Nobody else is there, and it may not be repeated: lost with its connection.
    let once = Running::start(&call);
    silent.recv_bytes(&mut message, soon()).unwrap();
    silent.close().unwrap();
    once.finish().failed(1, "UNREACHABLE: 'acme.echo' at tcp://127.0.0.1:");

    let silent = Dealer::new("@tcp://127.0.0.1:*", &Options::new()).unwrap();
    let port = port_of(&silent.last_endpoint().unwrap());
    registry.register("acme.echo", port, b"", soon()).unwrap();
    let twice = Running::start(&[&call[..], &["--retries", "1"]].concat());
    silent.recv_bytes(&mut message, soon()).unwrap();
    let settings = ServiceSettings {
        endpoint: Some("tcp://127.0.0.1:*".to_owned()),
        ..ServiceSettings::default()
    };
    let service = Service::new("acme.echo", &registry, &Options::new(), &settings).unwrap();
    let echo = |request: &mut Message, reply: &mut Message| {
        let payload = request.payload();
        reply.prepare("acme.Told", payload.len())?.copy_from_slice(payload);
        Ok(())
    };
    service.set_handler(None, Some(Arc::new(echo))).unwrap();
    service.start(soon()).unwrap();
    silent.close().unwrap();
    let shown = twice.finish().json();
    assert_eq!(
        (&shown[0]["type"], &shown[0]["payload"]),
        (&json!("acme.Told"), &json!("3f"))
    );
}

#[test]
fn ctrl_c_ends_a_call_by_name_that_waits() {
    let (_registry, at) = registry();
    let registry = client(&at);
    let response = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let port = port_of(&response.last_endpoint().unwrap());
    registry.register("acme.echo", port, b"", soon()).unwrap();
    let call = ["call", "acme.echo", "--bytes", "x", "--timeout", "never", "-R", &at];
    let running = Running::start(&call);
    response.recv_bytes(&mut Message::new(), soon()).unwrap();
    running.interrupt().failed(1, "CANCELLED: interrupted");
}

#[test]
fn what_a_service_says_of_its_place_makes_nobody_bind() {
    let (_registry, at) = registry();
    let lie = r#"{"serviceName": "evil", "server": "127.0.0.1:1,@tcp://127.0.0.1", "port": 40000}"#;
    assert_eq!(run(&["call", &at, "RegisterService", lie]).ok(), "ack {}\n", "refused");
    ask(&at, "lookup evil").failed(4, "NOT_FOUND");
}

#[test]
fn an_address_in_use_is_told() {
    let (_running, at) = registry();
    run(&["registry", &at]).failed(1, "ADDRESS_IN_USE");
}
