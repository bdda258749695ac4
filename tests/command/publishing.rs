//! `pub` and `sub`, between each other and with programs that use the library.

use std::time::{Duration, Instant};

use dividere::{Channel, Filter, FullQueue, Message, Options, Publisher, Subscriber};
use serde_json::{json, Value};

use crate::common::{address, bytes, soon, typed, LIMIT};
use crate::process::{file, run, run_with, words, Running};

/// Serialised by hand: sensor "roof", celsius 21.5.
const READING: &[u8] = b"\x0a\x04roof\x11\0\0\0\0\0\x80\x35\x40";

fn example() -> String {
    format!("--proto={}", file("examples/proto/example.proto"))
}

fn acme() -> String {
    format!("--proto={}", file("tests/command/acme.proto"))
}

fn publisher() -> Publisher {
    Publisher::new("tcp://127.0.0.1:*", &Options::new()).unwrap()
}

/// A running `sub` with these arguments, whose subscription has arrived.
fn sub(publisher: &Publisher, arguments: &[&str]) -> Running {
    let endpoint = publisher.last_endpoint().unwrap();
    let running = Running::start(&[&["sub", endpoint.as_str()], arguments].concat());
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    running
}

/// What a subscriber gets from `pub` with these arguments, behind its endpoint.
fn published(arguments: &[&str], input: &str, count: usize) -> Vec<Message> {
    let subscriber = Subscriber::new("@tcp://127.0.0.1:*", Filter::All, &Options::new()).unwrap();
    let to = address(&subscriber);
    let out = run_with(&[&["pub", to.as_str()], arguments].concat(), input).ok();
    assert_eq!(out, "");
    let received = (0..count).map(|_| {
        let mut message = Message::new();
        let _bare = subscriber.recv(&mut message, soon());
        message
    });
    received.collect()
}

#[test]
fn a_message_described_in_json_arrives_as_the_message() {
    let message = published(
        &["example.Reading", r#"{"sensor": "roof", "celsius": 21.5}"#, &example()],
        "",
        1,
    );
    assert_eq!(message[0].type_name(), Some("example.Reading"));
    assert_eq!(message[0].payload(), READING);
}

#[test]
fn each_line_of_stdin_is_a_message_in_order() {
    let lines: String = (0..500)
        .map(|number| format!("{{\"number\": {number}}}\r\n\n"))
        .chain(["{\"number\": \"500\"}".to_owned()])
        .collect();
    let messages = published(&["example.Job", &example()], &lines, 501);
    for (number, message) in messages.iter().enumerate() {
        assert_eq!(message.type_name(), Some("example.Job"));
        let mut payload = Vec::new();
        if number > 0 {
            payload.push(0x08);
            prost::encoding::encode_varint(number as u64, &mut payload);
        }
        assert_eq!(message.payload(), payload);
    }
}

#[test]
fn bytes_go_bare_and_with_a_type_are_the_serialised_message() {
    let bare = published(&["--bytes", "hello", "--count", "2"], "", 2);
    assert_eq!((bare[0].bytes(), bare[1].bytes()), (&b"hello"[..], &b"hello"[..]));
    let bare = published(&["--hex", "-"], "00 ff\nAbcd\n", 2);
    assert_eq!((bare[0].bytes(), bare[1].bytes()), (&[0, 255][..], &[0xab, 0xcd][..]));
    let typed = published(&["some.Type", "--hex", "0801"], "", 1);
    assert_eq!(typed[0].type_name(), Some("some.Type"));
    assert_eq!(typed[0].payload(), [8, 1]);
}

#[test]
fn what_is_no_message_is_refused_with_its_line() {
    let to = ">tcp://127.0.0.1:1";
    let example = example();
    // Before anybody is waited for.
    let refused = |arguments: &[&str]| run(&[&["pub", to], arguments, &["--timeout", "never"]].concat());
    let by_line = ["pub", to, "example.Job", &example, "--subscribers", "0"];
    run_with(&by_line, "{}\n\n{]\n").failed(1, "line 3 of stdin");
    refused(&["example.Job", r#"{"nummer": 1}"#, &example]).failed(1, "nummer");
    refused(&["example.Job", "{", &example]).failed(1, "no example.Job");
    refused(&["example.Job", "{} {}", &example]).failed(1, "trailing");
    refused(&["example.Jobs", "{}", &example]).failed(4, "no message type example.Jobs in the files given");
    refused(&["Job", "{}", &example]).failed(4, "there is example.Job\n");
    refused(&["example.Job", "{}"]).failed(4, "--proto");
    refused(&["--hex", "0"]).failed(1, "two hexadecimal digits");
    refused(&["two words", "--hex", "00"]).failed(2, "'two words'");
    refused(&["example.Job", "{}", "--proto", "nowhere.proto"]).failed(1, "cannot read nowhere.proto");
    let wrong = std::env::temp_dir().join(format!("wrong-{}.proto", std::process::id()));
    std::fs::write(&wrong, "syntax = \"proto3\";\nmessage A {\n  Foo x = 1;\n}\n").unwrap();
    refused(&["A", "{}", "--proto", &wrong.display().to_string()]).failed(1, ".proto:3:3: name 'Foo' is not defined");
    std::fs::remove_file(&wrong).unwrap();
    refused(&["example.Job", "{}", "--descriptor-set", "nowhere.bin"]).failed(1, "nowhere.bin");
}

#[test]
fn without_subscribers_it_ends_with_the_code_of_a_timeout() {
    let line = "pub tcp://127.0.0.1:* --bytes x --timeout 50ms";
    run(&words(line)).failed(3, "fewer than 1 subscriber(s) within 50ms");
    for line in [
        "pub tcp://127.0.0.1:0 --bytes x -s0 --json",
        "pub tcp://127.0.0.1:* --bytes x -s0 --json -t0",
    ] {
        let finished = run(&words(line));
        assert!(
            finished.err.starts_with("dividere: bound to tcp://127.0.0.1:"),
            "{finished:?}"
        );
        assert_eq!(finished.json(), [json!({"messages": 1, "bytes": 1})]);
    }
}

#[test]
fn what_is_received_is_shown_as_json_under_its_type() {
    let publisher = publisher();
    let mut running = sub(&publisher, &["--json", &example()]);
    publisher.send(&mut typed("example.Reading", READING)).unwrap();
    let shown = running.json();
    assert_eq!(shown["type"], "example.Reading");
    assert_eq!(shown["message"], json!({"sensor": "roof", "celsius": 21.5}));
    let time = shown["time"].as_str().unwrap();
    assert!(
        time.len() == 27 && time.starts_with("20") && time.ends_with('Z'),
        "{time}"
    );
    assert_eq!(shown.as_object().unwrap().len(), 3);

    // What is not known, or not what it says, or no envelope: its bytes.
    publisher.send(&mut typed("example.Unknown", b"\x08\x01")).unwrap();
    let shown = running.json();
    assert_eq!(
        (&shown["type"], &shown["payload"]),
        (&json!("example.Unknown"), &json!("0801"))
    );
    publisher.send(&mut typed("example.Reading", b"\x0a\xff")).unwrap();
    let shown = running.json();
    assert_eq!(
        (&shown["type"], &shown["payload"]),
        (&json!("example.Reading"), &json!("0aff"))
    );
    assert!(shown["error"].is_string() && shown["message"].is_null(), "{shown}");
    publisher.send(&mut bytes(b"\xff\x00")).unwrap();
    let shown = running.json();
    assert_eq!((&shown["bytes"], &shown["type"]), (&json!("ff00"), &Value::Null));
    // What programs of ours exchange among themselves is known without a file.
    publisher.send(&mut typed("ServiceLookupReq", b"\x0a\x01a")).unwrap();
    assert_eq!(running.json()["message"], json!({"serviceName": "a"}));
    assert_eq!(running.interrupt().ok(), "");
}

#[test]
fn everything_that_json_writes_in_its_own_way_comes_through() {
    let message = json!({
        "someText": "ü\u{1b}[31m\u{9b}", "large": "18446744073709551615", "single": 0.1, "raw": "AP8=",
        "kind": "KIND_GOOD", "inner": [{"text": "a"}, {}], "counts": {"x": -1},
        "at": "2026-01-02T03:04:05.678Z", "flag": true,
    });
    let mut publishing = Running::start(&["pub", "tcp://127.0.0.1:*", "acme.v1.Everything", &acme()]);
    let endpoint = publishing.bound();
    let arguments = [
        "sub",
        endpoint.as_str(),
        "acme.v1.Everything",
        &acme(),
        "-n2",
        "--json",
        "--proto-names",
    ];
    let mut running = Running::start(&arguments);
    publishing.say(&format!("{message}\n{{}}\n"));
    let line = running.line();
    assert!(!line.chars().any(char::is_control), "{line:?}");
    let mut shown: Value = serde_json::from_str(&line).unwrap();
    let text = shown["message"].as_object_mut().unwrap().remove("some_text").unwrap();
    assert_eq!(text, message["someText"]);
    let mut rest = message;
    rest.as_object_mut().unwrap().remove("someText");
    assert_eq!(shown["message"], rest);
    assert_eq!(running.json()["message"], json!({}));
    publishing.finish().ok();
    assert_eq!(running.finish().code, Some(0));
}

#[test]
fn fields_with_their_defaults_are_shown_when_asked_for() {
    let publisher = publisher();
    let mut running = sub(&publisher, &["--json", "--defaults", &example()]);
    publisher.send(&mut typed("example.Reading", b"")).unwrap();
    assert_eq!(running.json()["message"], json!({"sensor": "", "celsius": 0.0}));
}

#[test]
fn people_get_one_line_each_without_colours_in_a_pipe_and_without_control_characters() {
    let publisher = publisher();
    let mut running = sub(&publisher, &["--text", &example()]);
    publisher.send(&mut typed("example.Reading", READING)).unwrap();
    let line = running.line();
    let (time, rest) = line.split_once(' ').unwrap();
    assert!(time.ends_with('Z'), "{line}");
    assert_eq!(rest, r#"example.Reading {"sensor":"roof","celsius":21.5}"#);
    // A name off the wire may be anything.
    publisher
        .send(&mut bytes(
            b"\x0a\x04evil\x12\x1a\x0a\x18t/evil\x1b[2J\n\xc2\x9b1mname1234",
        ))
        .unwrap();
    let line = running.line();
    assert!(line.contains("evil\\u{1b}[2J\\n\\u{9b}1mname"), "{line:?}");
    publisher.send(&mut bytes("bare ü\n\x1b".as_bytes())).unwrap();
    assert!(running.line().ends_with("Z bare ü\\n\\u{1b}"));
    publisher.send(&mut bytes(b"\xff")).unwrap();
    assert!(running.line().ends_with("Z ff"));
}

#[test]
fn only_the_types_and_prefixes_asked_for_are_shown() {
    let publisher = publisher();
    let mut running = sub(&publisher, &["--json", "a.B", "c.D", "--prefix", "bare"]);
    publisher.wait_for_subscribers(Some("c.D"), 1, soon()).unwrap();
    for name in ["x.Y", "a.B", "b.B", "c.D"] {
        publisher.send(&mut typed(name, b"")).unwrap();
    }
    publisher.send(&mut bytes(b"naked")).unwrap();
    assert_eq!(running.json()["type"], "a.B");
    assert_eq!(running.json()["type"], "c.D");
    // Nobody tells when the subscription to a prefix has arrived: until it shows.
    let deadline = Instant::now() + LIMIT;
    let line = loop {
        assert!(Instant::now() < deadline, "the prefix is not subscribed to");
        publisher.send(&mut bytes(b"barefoot")).unwrap();
        if let Some(line) = running.line_within(Duration::from_millis(50)) {
            break line;
        }
    };
    let shown: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(shown["bytes"], "62617265666f6f74");
}

#[test]
fn only_the_newest_is_shown_when_they_come_too_fast() {
    const LAST: u32 = 20_000;
    let mut options = Options::new();
    options.set_full_queue(Some(FullQueue::Block));
    // However long it stands still.
    options.set_heartbeat_interval_ms(0).unwrap();
    let publisher = Publisher::new("tcp://127.0.0.1:*", &options).unwrap();
    let mut running = sub(&publisher, &words("--latest --bytes --text -o heartbeat_interval_ms=0"));
    // While it stands still, they wait in the system's buffers.
    running.signal(libc::SIGSTOP);
    for number in 1..=LAST {
        publisher.send(&mut bytes(number.to_string().as_bytes())).unwrap();
    }
    publisher.flush(soon()).unwrap();
    running.signal(libc::SIGCONT);
    let mut shown = 1;
    while !running.line().ends_with(&format!("Z {LAST}")) {
        shown += 1;
    }
    assert!(shown < LAST, "each of them was shown");
}

#[test]
fn it_ends_after_so_many_messages_or_after_so_long_without_one() {
    let publisher = publisher();
    let mut running = sub(&publisher, &words("--json --bytes --count 2 --timeout 15s"));
    for text in ["1", "2", "3"] {
        publisher.send(&mut bytes(text.as_bytes())).unwrap();
    }
    assert_eq!(
        (running.json()["bytes"].clone(), running.json()["bytes"].clone()),
        (json!("31"), json!("32"))
    );
    assert_eq!(running.finish().ok(), "");
    run(&["sub", &publisher.last_endpoint().unwrap(), "--timeout", "20ms"]).failed(3, "no message within 20ms");
}

#[test]
fn ctrl_c_and_sigterm_end_both_sides_cleanly() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let mut publishing = Running::start(&words(
            "pub tcp://127.0.0.1:* --bytes x --count 0 --interval 1ms --json",
        ));
        let endpoint = publishing.bound();
        let mut subscribing = Running::start(&["sub", &endpoint, "--json"]);
        subscribing.json();
        publishing.signal(signal);
        let sent = publishing.json()["messages"].as_u64().unwrap();
        assert!(sent > 0);
        let finished = publishing.finish();
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert_eq!(finished.err, format!("dividere: bound to {endpoint}\n"));
        subscribing.signal(signal);
        let finished = subscribing.finish();
        assert_eq!((finished.code, finished.err.as_str()), (Some(0), ""));
    }
    // Also while it waits: for subscribers, or for a line of stdin.
    let mut waiting = Running::start(&words("pub tcp://127.0.0.1:* --bytes x --timeout never"));
    waiting.bound();
    assert_eq!(waiting.interrupt().ok(), "");
    let mut waiting = Running::start(&words("pub tcp://127.0.0.1:* --bytes - --subscribers 0"));
    waiting.bound();
    assert_eq!(waiting.interrupt().ok(), "");
}

#[test]
fn what_was_published_before_ctrl_c_arrives() {
    let subscriber = Subscriber::new("@tcp://127.0.0.1:*", Filter::All, &Options::new()).unwrap();
    let mut publishing = Running::start(&["pub", &address(&subscriber), "--bytes", "-", "--json"]);
    const LINES: u64 = 50;
    for number in 0..LINES {
        publishing.type_line(&number.to_string());
    }
    // The last one is on its way: it was read.
    let mut message = Message::new();
    subscriber.recv_bytes(&mut message, soon()).unwrap();
    publishing.signal(libc::SIGINT);
    let sent = publishing.json()["messages"].as_u64().unwrap();
    assert!((1..=LINES).contains(&sent), "{sent}");
    for number in 1..sent {
        subscriber.recv_bytes(&mut message, soon()).unwrap();
        assert_eq!(message.bytes(), number.to_string().as_bytes());
    }
    publishing.finish().ok();
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    // Takes one message, and leaves the rest waiting.
    let mut options = Options::new();
    options.set_receive_high_water_mark(1).unwrap();
    let subscriber = Subscriber::new("@tcp://127.0.0.1:*", Filter::All, &options).unwrap();
    let line = ["pub", &address(&subscriber), "--bytes", "-", "--linger", "1h"];
    let mut publishing = Running::start(&line);
    // More than the system's buffers hold; when all was written, all but the last of it was read.
    publishing.say(&format!("{}\n", "x".repeat(1_000_000)).repeat(50));
    publishing.signal(libc::SIGINT);
    publishing.wait_for_thread("dividere-exit");
    publishing.signal(libc::SIGINT);
    assert_eq!(publishing.finish().code, Some(130));
}

#[test]
fn a_closed_pipe_ends_it_quietly_without_another_message() {
    let publisher = publisher();
    let endpoint = publisher.last_endpoint().unwrap();
    let mut running = Running::start_unread(&["sub", &endpoint]);
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    running.close_output();
    let finished = running.finish();
    assert_eq!((finished.code, finished.err.as_str()), (Some(0), ""));
}

#[test]
fn imports_folders_and_descriptor_sets_are_understood() {
    let removed = Removed(std::env::temp_dir().join(format!("dividere-types-{}", std::process::id())));
    let folder = &removed.0;
    std::fs::create_dir_all(folder.join("deep/er")).unwrap();
    let write = |path: &str, text: &str| std::fs::write(folder.join(path), text).unwrap();
    write(
        "deep/part.proto",
        "syntax = \"proto3\"; package p; message Part { int32 n = 1; }",
    );
    write(
        "deep/er/whole.proto",
        "syntax = \"proto3\"; package p; import \"deep/part.proto\"; message Whole { Part part = 1; }",
    );
    let folder_name = folder.display().to_string();
    let whole = ["p.Whole", r#"{"part": {"n": 1}}"#];
    let payload = [0x0a, 0x02, 0x08, 0x01];
    let by_folder = published(&[&whole[..], &["--proto", &folder_name]].concat(), "", 1);
    assert_eq!(by_folder[0].payload(), payload);
    let one = format!("{folder_name}/deep/er/whole.proto");
    let by_include = published(&[&whole[..], &["-p", &one, "-I", &folder_name]].concat(), "", 1);
    assert_eq!(by_include[0].payload(), payload);
    let nowhere = [&["pub", ">tcp://127.0.0.1:1"], &whole[..], &["-p", &one]].concat();
    run(&nowhere).failed(1, "deep/part.proto");

    let set = folder.join("set.bin");
    let mut compiler = protox::Compiler::new([folder]).unwrap();
    compiler.include_imports(true).open_file("deep/er/whole.proto").unwrap();
    std::fs::write(&set, compiler.encode_file_descriptor_set()).unwrap();
    let set = set.display().to_string();
    let by_set = published(&[&whole[..], &["-d", &set]].concat(), "", 1);
    assert_eq!(by_set[0].payload(), payload);
}

/// A folder that goes at the end of a test, also of one that fails.
struct Removed(std::path::PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays: {error}", self.0.display());
        }
    }
}
