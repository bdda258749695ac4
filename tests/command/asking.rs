//! `call`, to programs that use the library.

use std::sync::Arc;
use std::thread::JoinHandle;

use dividere::{Channel, Message, Options, Response, Status};
use serde_json::json;

use crate::common::{soon, typed, LIMIT};
use crate::process::{file, run, run_with, Running};

/// Answers on a thread until dropped.
struct Server {
    response: Arc<Response>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(answer: impl Fn(&Message) + Send + 'static) -> Server {
        let response = Arc::new(Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap());
        let own = Arc::clone(&response);
        let thread = std::thread::spawn(move || {
            let mut message = Message::new();
            loop {
                match own.recv_bytes(&mut message, dividere::Deadline::Never) {
                    Ok(()) => {
                        let _bare = message.decode();
                        answer(&message);
                    }
                    Err(error) => return assert_eq!(error.status(), Status::Closed),
                }
            }
        });
        Server {
            response,
            thread: Some(thread),
        }
    }

    fn endpoint(&self) -> String {
        self.response.last_endpoint().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _closed = self.response.close();
        if self.thread.take().unwrap().join().is_err() && !std::thread::panicking() {
            panic!("the server failed");
        }
    }
}

fn example() -> String {
    format!("--proto={}", file("examples/proto/example.proto"))
}

/// A Division by its bytes: answers a Quotient of 3, or fails where the divisor is missing.
fn divide(message: &Message) {
    assert_eq!(message.type_name(), Some("example.Division"));
    match message.payload() {
        [0x08, 7, 0x10, 2] => message.reply(&mut typed("example.Quotient", &[0x08, 3, 0x10, 1])),
        _ => message.reply_error(Status::Remote, "division by zero\x1b[31m"),
    }
    .unwrap();
}

#[test]
fn the_reply_is_shown_as_json() {
    let server = Server::start(divide);
    let question = ["example.Division", r#"{"dividend": 7, "divisor": 2}"#, &example()];
    let out = run(&[&["call", &server.endpoint()], &question[..]].concat()).ok();
    assert_eq!(out, "example.Quotient {\"quotient\":\"3\",\"remainder\":\"1\"}\n");
    let out = run(&[&["call", &server.endpoint(), "--json"], &question[..]].concat()).json();
    assert_eq!(out.len(), 1);
    assert_eq!(out[0]["type"], "example.Quotient");
    assert_eq!(out[0]["message"], json!({"quotient": "3", "remainder": "1"}));
    let elapsed = out[0]["elapsed_ms"].as_f64().unwrap();
    assert!(elapsed > 0.0 && elapsed < LIMIT.as_millis() as f64, "{elapsed}");
}

#[test]
fn bytes_are_answered_with_bytes() {
    let server = Server::start(|message| {
        assert_eq!(message.bytes(), b"ping");
        message
            .reply(&mut Message::from_bytes(b"pong\xc3\xbc").unwrap())
            .unwrap();
    });
    let ask = |how: &[&str]| run(&[&["call", server.endpoint().as_str(), "--bytes", "ping"], how].concat());
    assert_eq!(ask(&[]).ok(), "706f6e67c3bc\n");
    assert_eq!(ask(&["--text"]).ok(), "pongü\n");
    assert_eq!(ask(&["--json"]).json()[0]["bytes"], "706f6e67c3bc");
}

#[test]
fn an_error_of_the_other_side_is_told_with_its_status() {
    let server = Server::start(divide);
    let finished = run(&["call", &server.endpoint(), "example.Division", "{}", &example()]);
    assert_eq!((finished.code, finished.out.as_str()), (Some(1), ""));
    assert_eq!(
        finished.err,
        "dividere: REMOTE: the other side answered: division by zero\\u{1b}[31m\n"
    );
}

#[test]
fn one_failed_line_of_stdin_does_not_keep_the_others_back() {
    let server = Server::start(divide);
    let good = r#"{"dividend": 7, "divisor": 2}"#;
    let input = format!("{good}\n{{}}\n{good}");
    let finished = run_with(
        &["call", &server.endpoint(), "example.Division", &example(), "--json"],
        &input,
    );
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished
            .err
            .contains("request 2: REMOTE: the other side answered: division by zero"),
        "{finished:?}"
    );
    let lines: Vec<serde_json::Value> = finished
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["type"], "example.Quotient");
    assert_eq!(lines[1]["error"]["status"], "REMOTE");
    assert_eq!(lines[2]["type"], "example.Quotient");
}

#[test]
fn nobody_there_is_a_timeout() {
    // Somebody listens, but is no ZeroMQ program: the port stays taken.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let finished = run(&["call", &endpoint, "--bytes", "x", "--timeout", "30ms", "--retries", "1"]);
    finished.failed(3, "TIMEOUT: no reply to 2 attempt(s) of 30 ms each");
}

#[test]
fn not_known_there_is_the_code_of_not_found() {
    let server = Server::start(|message| message.reply_error(Status::NotFound, "no such thing").unwrap());
    run(&["call", &server.endpoint(), "--bytes", "x"]).failed(4, "NOT_FOUND: the other side answered: no such thing");
}

#[test]
fn a_request_without_a_reply_is_asked_again_of_the_next() {
    // Takes requests, and never answers.
    let silent = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let server = Server::start(|message| message.reply(&mut Message::from_bytes(b"here").unwrap()).unwrap());
    let both = format!("{},{}", silent.last_endpoint().unwrap(), server.endpoint());
    // Whichever of the two is asked first.
    let line = [
        "call",
        both.as_str(),
        "--bytes",
        "-",
        "--text",
        "--timeout",
        "2s",
        "--retries",
        "3",
    ];
    assert_eq!(run_with(&line, "1\n2\n").ok(), "here\nhere\n");
}

#[test]
fn ctrl_c_ends_a_call_that_waits() {
    let response = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let running = Running::start(&[
        "call",
        &response.last_endpoint().unwrap(),
        "--bytes",
        "x",
        "--timeout",
        "never",
    ]);
    let mut message = Message::new();
    response.recv_bytes(&mut message, soon()).unwrap();
    running.interrupt().failed(1, "CANCELLED: interrupted");
}
