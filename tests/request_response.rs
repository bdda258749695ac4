//! Request, response and dealer over real sockets.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use dividere::{Channel, Deadline, Dealer, Message, Options, Request, Response, Status};

fn soon() -> Deadline {
    Deadline::from_ms(20_000)
}

fn typed(name: &str, payload: &[u8]) -> Message {
    let mut message = Message::new();
    message.prepare(name, payload.len()).unwrap().copy_from_slice(payload);
    message
}

fn echo(response: &Response) {
    let mut message = Message::new();
    while response.recv(&mut message, Deadline::Never).is_ok() {
        let payload = message.payload().to_vec();
        response.send(&mut typed("acme.Reply", &payload)).unwrap();
    }
}

#[test]
fn a_request_is_answered() {
    for endpoint in ["tcp://127.0.0.1:*", "@inproc://answered"] {
        let response = Response::new(endpoint, &Options::new()).unwrap();
        let at = response.last_endpoint().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| echo(&response));
            let request = Request::new(&at, &Options::new()).unwrap();
            let mut reply = Message::new();
            for i in 0..100u32 {
                let mut question = typed("acme.Question", &i.to_be_bytes());
                request.call(&mut question, &mut reply, 20_000, 0).unwrap();
                assert_eq!(reply.type_name(), Some("acme.Reply"));
                assert_eq!(reply.payload(), i.to_be_bytes());
            }
            request.send(&mut typed("acme.Question", b"x")).unwrap();
            assert_eq!(
                request.send(&mut typed("acme.Question", b"x")).unwrap_err().status(),
                Status::State
            );
            request.recv(&mut reply, soon()).unwrap();
            assert_eq!(request.recv(&mut reply, soon()).unwrap_err().status(), Status::State);
            response.close().unwrap();
        });
    }
}

#[test]
fn calls_from_several_threads_each_get_their_own_reply() {
    let response = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let at = response.last_endpoint().unwrap();
    const TIMEOUT: Duration = Duration::from_secs(20);
    std::thread::scope(|scope| {
        scope.spawn(|| echo(&response));
        let request = Arc::new(Request::new(&at, &Options::new()).unwrap());
        let callers: Vec<_> = (0..4u32)
            .map(|caller| {
                let request = Arc::clone(&request);
                scope.spawn(move || {
                    let mut reply = Message::new();
                    for i in 0..200u32 {
                        let body = (caller << 16 | i).to_be_bytes();
                        let asked = Instant::now();
                        request
                            .call(
                                &mut typed("acme.Question", &body),
                                &mut reply,
                                TIMEOUT.as_millis() as i64,
                                0,
                            )
                            .unwrap();
                        assert_eq!(reply.payload(), body);
                        // Who is not woken finds the reply only when the time is over.
                        assert!(asked.elapsed() < TIMEOUT / 2, "it slept past its reply");
                    }
                })
            })
            .collect();
        let outcomes: Vec<_> = callers.into_iter().map(|caller| caller.join()).collect();
        // Before a failure is told, which waits for the thread that answers.
        response.close().unwrap();
        outcomes.into_iter().for_each(|outcome| outcome.unwrap());
    });
}

#[test]
fn an_undecodable_request_is_answered_with_an_error_and_the_next_is_served() {
    let response = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let at = response.last_endpoint().unwrap();
    let request = Request::new(&at, &Options::new()).unwrap();
    request.send(&mut Message::from_bytes(b"\xff").unwrap()).unwrap();
    let mut message = Message::new();
    assert_eq!(
        response.recv(&mut message, soon()).unwrap_err().status(),
        Status::Decode
    );
    let mut reply = Message::new();
    assert_eq!(request.recv(&mut reply, soon()).unwrap_err().status(), Status::Decode);
    request.send(&mut typed("acme.Question", b"1")).unwrap();
    response.recv(&mut message, soon()).unwrap();
    assert_eq!(
        response.recv(&mut Message::new(), soon()).unwrap_err().status(),
        Status::State
    );
    response.send_error(Status::Busy, "later, please").unwrap();
    let error = request.recv(&mut reply, soon()).unwrap_err();
    assert_eq!(error.status(), Status::Busy);
    assert!(error.text().contains("later, please"));
}

#[test]
fn a_late_reply_is_never_the_answer_to_the_next_request() {
    let response = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let request = Request::new(&response.last_endpoint().unwrap(), &Options::new()).unwrap();
    let (mut first, mut second, mut reply) = (Message::new(), Message::new(), Message::new());
    request.send(&mut typed("acme.Question", b"1")).unwrap();
    response.recv(&mut first, soon()).unwrap();
    assert_eq!(
        request.recv(&mut reply, Deadline::from_ms(20)).unwrap_err().status(),
        Status::Timeout
    );
    request.send(&mut typed("acme.Question", b"2")).unwrap();
    response.send(&mut typed("acme.Reply", b"late")).unwrap();
    response.recv(&mut second, soon()).unwrap();
    second.reply(&mut typed("acme.Reply", b"in time")).unwrap();
    assert_eq!(
        second.reply(&mut typed("acme.Reply", b"twice")).unwrap_err().status(),
        Status::State
    );
    request.recv(&mut reply, soon()).unwrap();
    assert_eq!(reply.payload(), b"in time");
    assert_eq!(request.statistics().unwrap().dropped_stale, 1);
}

#[test]
fn dealers_exchange_messages_and_ask_a_response() {
    let left = Dealer::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let right = Dealer::new(&left.last_endpoint().unwrap(), &Options::new()).unwrap();
    let mut message = Message::new();
    right.send(&mut typed("acme.A", b"1")).unwrap();
    left.recv(&mut message, soon()).unwrap();
    assert_eq!((message.payload(), message.route().len()), (&b"1"[..], 0));
    left.send(&mut typed("acme.A", b"2")).unwrap();
    right.recv(&mut message, soon()).unwrap();
    assert_eq!(message.payload(), b"2");

    let response = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let dealer = Dealer::new(&response.last_endpoint().unwrap(), &Options::new()).unwrap();
    dealer.send_with_empty_frame(&mut typed("acme.Question", b"3")).unwrap();
    response.recv(&mut message, soon()).unwrap();
    message.reply(&mut typed("acme.Reply", b"4")).unwrap();
    dealer.recv(&mut message, soon()).unwrap();
    assert_eq!((message.payload(), message.can_reply()), (&b"4"[..], false));
}

/// Somebody who takes requests and never answers.
fn silent() -> Dealer {
    Dealer::new("@tcp://127.0.0.1:*", &Options::new()).unwrap()
}

/// Well beyond what any answer takes.
const LONG_MS: i64 = 120_000;

#[test]
fn a_request_that_may_be_repeated_moves_on_when_the_one_it_asked_is_lost() {
    let ipc = std::env::temp_dir().join(format!("dividere-moves-on-{}", std::process::id()));
    for lost_at in [
        "@tcp://127.0.0.1:*".to_owned(),
        "@inproc://moves-on".to_owned(),
        format!("@ipc://{}", ipc.display()),
    ] {
        moves_on(&lost_at);
        started_calls_are_over(&lost_at);
    }
}

/// Those that may be repeated; the descriptor tells of each, also where another call took note of the loss.
fn started_calls_are_over(lost_at: &str) {
    let silent = Dealer::new(lost_at, &Options::new()).unwrap();
    let request = Request::new(&format!(">{}", silent.last_endpoint().unwrap()), &Options::new()).unwrap();
    request.wait_connected(0, soon()).unwrap();
    let fd = request.fd().unwrap();
    let start = |repeat| {
        let mut question = typed("acme.Question", b"?");
        request.start_call(&mut question, repeat, LONG_MS, soon()).unwrap()
    };
    let (first, second, once) = (start(true), start(true), start(false));
    for _ in 0..3 {
        silent.recv_bytes(&mut Message::new(), soon()).unwrap();
    }
    silent.close().unwrap();
    let finish = |call| loop {
        assert!(common::readable(fd, 20_000), "{lost_at}");
        let status = request
            .finish_call(call, &mut Message::new(), Deadline::Now)
            .unwrap_err()
            .status();
        if status != Status::WouldBlock {
            return status;
        }
    };
    assert_eq!([finish(first), finish(second)], [Status::Unreachable; 2]);
    let mut reply = Message::new();
    // What may be done once is asked of nobody else, and may have an answer yet.
    let waits = request
        .finish_call(once, &mut reply, Deadline::from_ms(50))
        .unwrap_err();
    assert_eq!(waits.status(), Status::Timeout);
    assert_eq!(
        request.finish_call(first, &mut reply, soon()).unwrap_err().status(),
        Status::NotFound
    );
}

fn moves_on(lost_at: &str) {
    let silent = Dealer::new(lost_at, &Options::new()).unwrap();
    let response = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let both = format!(
        ">{},{}",
        silent.last_endpoint().unwrap(),
        response.last_endpoint().unwrap()
    );
    let request = Request::new(&both, &Options::new()).unwrap();
    request.wait_connected(0, soon()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| echo(&response));
        let asked = Instant::now();
        // Several at once: one of them receives for all. They take turns at the two.
        let callers: Vec<_> = (0..6u8)
            .map(|caller| {
                let request = &request;
                scope.spawn(move || {
                    let mut reply = Message::new();
                    let asked = request.call(&mut typed("acme.Question", &[caller]), &mut reply, LONG_MS, 1);
                    asked.map(|()| assert_eq!(reply.payload(), [caller]))
                })
            })
            .collect();
        let mut message = Message::new();
        for _ in 0..3 {
            silent.recv_bytes(&mut message, soon()).unwrap();
        }
        silent.close().unwrap();
        let outcomes: Vec<_> = callers.into_iter().map(|caller| caller.join()).collect();
        let took = asked.elapsed();
        response.close().unwrap();
        outcomes.into_iter().for_each(|outcome| outcome.unwrap().unwrap());
        assert!(took < Duration::from_secs(20), "{lost_at}: {took:?}");
    });
}

#[test]
fn a_request_that_may_not_be_repeated_is_sent_once() {
    let (silent, response) = (silent(), Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap());
    let both = format!(
        "{},{}",
        silent.last_endpoint().unwrap().replace("tcp", ">tcp"),
        response.last_endpoint().unwrap()
    );
    let request = Request::new(&both, &Options::new()).unwrap();
    request.wait_connected(0, soon()).unwrap();
    std::thread::scope(|scope| {
        let asked = Instant::now();
        let call = scope.spawn(|| {
            let mut reply = Message::new();
            request.call(&mut typed("acme.Question", b"once"), &mut reply, 1500, 0)
        });
        silent.recv_bytes(&mut Message::new(), soon()).unwrap();
        silent.close().unwrap();
        assert_eq!(call.join().unwrap().unwrap_err().status(), Status::Timeout);
        assert!(asked.elapsed() >= Duration::from_millis(1499));
        let mut message = Message::new();
        let other = response.recv_bytes(&mut message, Deadline::from_ms(100));
        assert_eq!(other.unwrap_err().status(), Status::Timeout);
    });
}

#[test]
fn a_reply_that_came_before_the_end_of_its_server_is_taken() {
    for _ in 0..30 {
        let first = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
        let second = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
        let both = format!("{},{}", first.last_endpoint().unwrap(), second.last_endpoint().unwrap());
        let request = Request::new(&both, &Options::new()).unwrap();
        request.wait_connected(0, soon()).unwrap();
        std::thread::scope(|scope| {
            let call = scope.spawn(|| {
                let mut reply = Message::new();
                request.call(&mut typed("acme.Question", b"?"), &mut reply, 20_000, 5)?;
                Ok::<_, dividere::Error>(reply.payload().to_vec())
            });
            let mut message = Message::new();
            first.recv(&mut message, soon()).unwrap();
            first.send(&mut typed("acme.Reply", b"first")).unwrap();
            first.close().unwrap();
            assert_eq!(call.join().unwrap().unwrap(), b"first");
        });
        let another = second.recv_bytes(&mut Message::new(), Deadline::Now);
        assert_eq!(another.unwrap_err().status(), Status::WouldBlock);
    }
}

/// Moving on at once does not give up earlier: who comes back within the time of all attempts is waited for.
#[test]
fn what_an_attempt_leaves_of_its_time_is_waited_for_a_connection() {
    const ATTEMPT: Duration = Duration::from_secs(4);
    let silent = silent();
    let at = silent.last_endpoint().unwrap();
    let request = Request::new(&at.replace("tcp", ">tcp"), &Options::new()).unwrap();
    request.wait_connected(0, soon()).unwrap();
    std::thread::scope(|scope| {
        let asked = Instant::now();
        let call = scope.spawn(|| {
            let mut reply = Message::new();
            let mut question = typed("acme.Question", b"again");
            request.call(&mut question, &mut reply, ATTEMPT.as_millis() as i64, 1)
        });
        silent.recv_bytes(&mut Message::new(), soon()).unwrap();
        silent.close().unwrap();
        // The time of one attempt alone is over.
        std::thread::sleep((ATTEMPT + Duration::from_millis(500)).saturating_sub(asked.elapsed()));
        let response = Response::new(&format!("@{at}"), &Options::new()).unwrap();
        let mut message = Message::new();
        response.recv(&mut message, soon()).unwrap();
        response.send(&mut typed("acme.Reply", b"at last")).unwrap();
        call.join().unwrap().unwrap();
    });
}

#[test]
fn looking_whether_it_is_connected_does_not_wait() {
    let silent = silent();
    let at = silent.last_endpoint().unwrap().replace("tcp", ">tcp");
    silent.close().unwrap();
    let request = Request::new(&at, &Options::new()).unwrap();
    for peers in [0, 1] {
        let look = request.wait_connected(peers, Deadline::Now).unwrap_err();
        assert_eq!(look.status(), Status::WouldBlock, "{look}");
        let waited = request.wait_connected(peers, Deadline::from_ms(1)).unwrap_err();
        assert_eq!(waited.status(), Status::Timeout, "{waited}");
    }
}
