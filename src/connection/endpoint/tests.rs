use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;

fn parsed(text: &str) -> Endpoint {
    Endpoint::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(result: Result<impl fmt::Debug>) -> String {
    let error = result.expect_err("a refusal");
    assert_eq!(error.status(), Status::Endpoint, "{error}");
    error.text().to_owned()
}

/// An empty directory, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let name = format!("dividere-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a directory");
        Directory(path)
    }

    fn endpoint(&self, name: &str) -> Endpoint {
        parsed(&format!("@ipc://{}/{name}", self.0.display()))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn valid_endpoints_reach_libzmq_as_they_are() {
    for text in [
        "tcp://*:5000",
        "tcp://*:*",
        "tcp://127.0.0.1:*",
        "tcp://127.0.0.1:1",
        "tcp://eth0:65535",
        "tcp://host-1.example.org:5000",
        "tcp://_name:5000",
        "tcp://[::1]:5000",
        "tcp://[::]:*",
        "tcp://[fe80::1%eth0]:5000",
        "tcp://127.0.0.1:0;127.0.0.1:5000",
        "tcp://[::1]:4000;[::1]:5000",
        "ipc:///tmp/some path,with comma",
        "ipc://relative",
        "ipc://@abstract",
        "ipc://*",
        "inproc://name",
        "inproc://a/b:c*",
    ] {
        let endpoint = parsed(text);
        assert_eq!(endpoint.to_zmq(), text);
        assert_eq!(endpoint.side(), None);
        for (prefix, side) in [("@", Side::Bind), (">", Side::Connect)] {
            let endpoint = parsed(&format!(" {prefix}{text}\t"));
            assert_eq!(endpoint.to_zmq(), text);
            assert_eq!(endpoint.side(), Some(side));
            assert_eq!(endpoint.to_string(), format!("{prefix}{text}"));
        }
    }
    assert_eq!(parsed("tcp://127.0.0.1:0").to_zmq(), "tcp://127.0.0.1:*");
}

#[test]
fn malformed_endpoints_are_refused_with_what_to_write() {
    for (text, hint) in [
        ("", "empty"),
        ("  ", "empty"),
        ("@", "write tcp://"),
        ("localhost:5000", "write tcp://"),
        ("TCP://127.0.0.1:5000", "small letters"),
        ("udp://127.0.0.1:5000", "'udp' is not a transport"),
        ("@@tcp://127.0.0.1:5000", "is not a transport"),
        ("tcp://", "port is missing"),
        ("tcp://127.0.0.1", "port is missing"),
        ("tcp://[::1]", "port is missing"),
        ("tcp://:5000", "host is missing"),
        ("tcp://127.0.0.1:", "is not a port"),
        ("tcp://127.0.0.1:99999", "1 to 65535"),
        ("tcp://127.0.0.1:65536", "1 to 65535"),
        ("tcp://127.0.0.1:-1", "1 to 65535"),
        ("tcp://127.0.0.1:+1", "1 to 65535"),
        ("tcp://127.0.0.1:5000/path", "1 to 65535"),
        ("tcp://127.0.0.1:http", "1 to 65535"),
        ("tcp://127.0.0.1: 5000", "1 to 65535"),
        ("tcp://256.0.0.1:5000", "not an IPv4"),
        ("tcp://127.0.1:5000", "not an IPv4"),
        ("tcp://::1:5000", "brackets"),
        ("tcp://[::1:5000", "not an IPv6"),
        ("tcp://[127.0.0.1]:5000", "not an IPv6"),
        ("tcp://[fe80::1%]:5000", "not an IPv6"),
        ("tcp://a b:5000", "name of a host"),
        ("tcp://h\u{f6}st:5000", "name of a host"),
        ("tcp://-a:5000", "name of a host"),
        ("tcp://a..b:5000", "name of a host"),
        ("tcp://a:1;b:2;c:3", "one ';'"),
        ("tcp://;127.0.0.1:5000", "port is missing"),
        ("tcp://a:1\0", "control character"),
        ("ipc://", "path is missing"),
        ("ipc://@", "path is missing"),
        ("ipc://*x", "ipc://* alone"),
        ("inproc://", "name is missing"),
    ] {
        let reason = refused(Endpoint::parse(text));
        assert!(reason.contains(hint), "{text:?}: {reason}");
    }
    for (length, fits) in [(107, true), (108, false)] {
        for first in ["/", "@"] {
            let text = format!("ipc://{first}{}", "x".repeat(length - 1));
            assert_eq!(Endpoint::parse(&text).is_ok(), fits, "{text}");
        }
    }
    assert!(refused(Endpoint::parse(&format!("inproc://{}", "x".repeat(256)))).contains("256"));
    let reason = refused(Endpoint::parse(&"\u{1b}".repeat(1_000_000)));
    assert!(reason.len() < 2_000 && !reason.contains('\u{1b}'));
}

#[test]
fn lists_are_split_at_commas() {
    let list = Endpoint::parse_list("tcp://a:1, @ipc://b ,>inproc://c").expect("a list");
    let shown: Vec<String> = list.iter().map(Endpoint::to_string).collect();
    assert_eq!(shown, ["tcp://a:1", "@ipc://b", ">inproc://c"]);
    let list = Endpoint::parse_list_of(&["ipc://a,b", "tcp://c:1"]).expect("a list");
    assert_eq!(list[0].to_zmq(), "ipc://a,b");
    for text in [
        "",
        ",",
        "tcp://a:1,",
        ",tcp://a:1",
        "tcp://a:1,,tcp://b:1",
        "tcp://a:1,b",
    ] {
        refused(Endpoint::parse_list(text));
    }
    refused(Endpoint::parse_list_of::<&str>(&[]));
}

#[test]
fn who_binds_follows_the_role_unless_a_prefix_says_otherwise() {
    use DefaultSide as Default;
    for (text, default, side) in [
        ("tcp://127.0.0.1:5000", Default::Bind, Side::Bind),
        ("tcp://127.0.0.1:5000", Default::Connect, Side::Connect),
        ("tcp://127.0.0.1:5000", Default::BindIfWildcard, Side::Connect),
        ("tcp://*:5000", Default::BindIfWildcard, Side::Bind),
        ("tcp://127.0.0.1:*", Default::BindIfWildcard, Side::Bind),
        ("ipc://*", Default::BindIfWildcard, Side::Bind),
        ("inproc://a*", Default::BindIfWildcard, Side::Connect),
        ("@tcp://127.0.0.1:5000", Default::Connect, Side::Bind),
        (">tcp://127.0.0.1:5000", Default::Bind, Side::Connect),
        ("@inproc://a", Default::BindIfWildcard, Side::Bind),
    ] {
        assert_eq!(parsed(text).bind_or_connect(default), Ok(side), "{text}");
    }
}

#[test]
fn what_no_connection_can_go_to_is_refused() {
    for text in ["tcp://*:5000", "tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "ipc://*"] {
        let reason = refused(parsed(text).bind_or_connect(DefaultSide::Connect));
        assert!(reason.contains("to connect, write"), "{reason}");
        refused(parsed(&format!(">{text}")).bind_or_connect(DefaultSide::Bind));
    }
}

#[test]
fn only_addresses_and_interfaces_are_bound() {
    for text in ["tcp://lo:*", "tcp://127.0.0.1:*", "tcp://[::1]:*", "tcp://*:*"] {
        assert_eq!(parsed(text).check_bind(), Ok(()), "{text}");
    }
    let reason = refused(parsed("tcp://localhost:5000").check_bind());
    assert!(reason.contains("tcp://127.0.0.1:5000"), "{reason}");
    let reason = refused(parsed("tcp://host.example.org:5000").check_bind());
    assert!(reason.contains("tcp://*:5000"), "{reason}");
    refused(parsed("tcp://127.0.0.1:0;127.0.0.1:5000").check_bind());
}

#[test]
fn an_ipc_path_is_bound_only_where_nothing_is_destroyed() {
    let directory = Directory::new("ipc-bind");
    assert_eq!(directory.endpoint("new").check_bind(), Ok(()));
    let reason = refused(directory.endpoint("missing/new").check_bind());
    assert!(reason.contains("create it first"), "{reason}");
    std::fs::write(directory.0.join("file"), "precious").expect("a file");
    let reason = refused(directory.endpoint("file").check_bind());
    assert!(reason.contains("not a socket"), "{reason}");
    refused(directory.endpoint("file/new").check_bind());
    refused(directory.endpoint("").check_bind());
    refused(parsed("@ipc:///").check_bind());
    assert_eq!(parsed("ipc://relative-name").check_bind(), Ok(()));
    assert_eq!(parsed("ipc://@name").check_bind(), Ok(()));
    assert_eq!(parsed("ipc://*").check_bind(), Ok(()));
}

#[test]
fn a_path_that_a_process_listens_at_is_in_use_and_one_left_behind_is_not() {
    let directory = Directory::new("ipc-free");
    let endpoint = directory.endpoint("socket");
    assert_eq!(endpoint.check_free(), Ok(()));
    let listener = UnixListener::bind(directory.0.join("socket")).expect("a listener");
    // Until its queue is full, and beyond: the answer stays, and comes at once.
    for _ in 0..5_000 {
        let error = endpoint.check_free().expect_err("somebody listens");
        assert_eq!(error.status(), Status::AddressInUse);
    }
    assert_eq!(endpoint.check_bind(), Ok(()));
    drop(listener);
    // A child that another test is just starting holds a copy until it becomes its program.
    let deadline = Instant::now() + Duration::from_secs(20);
    while endpoint.check_free().is_err() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(endpoint.check_free(), Ok(()));
    assert_eq!(endpoint.check_bind(), Ok(()));
    assert_eq!(parsed("tcp://127.0.0.1:5000").check_free(), Ok(()));
    assert_eq!(parsed("ipc://@name").check_free(), Ok(()));
}
