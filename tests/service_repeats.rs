//! Which calls to a service are asked of another instance, and when: in place, and where they are started.

mod common;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::time::{Duration, Instant};

use common::registry::registry;
use common::service::{caller, client, echo, local, serve, tell, ASK, NAME};
use common::{port_of, soon, typed, LIMIT, LIMIT_MS};
use dividere::{Channel, Dealer, Message, Options, ServiceClient, ServiceHandler, Status};

/// Waits for what becomes of it, in place or as a call that was started.
fn ask(
    client: &ServiceClient,
    payload: &[u8],
    timeout_ms: i64,
    repeat: bool,
    in_place: bool,
) -> dividere::Result<Vec<u8>> {
    let (mut request, mut reply) = (typed(ASK, payload), Message::new());
    if in_place {
        client.call(&mut request, &mut reply, timeout_ms, repeat)?;
    } else {
        let call = client.start_call(&mut request, timeout_ms, repeat)?;
        client.finish_call(call, &mut reply, soon())?;
    }
    Ok(reply.payload().to_vec())
}

/// Where one does not answer, half of the time is left for the other: each of these calls is answered, and not only those
/// whose turn is at the one that answers.
#[test]
fn half_of_the_time_is_left_for_another_instance_where_one_is_silent() {
    const TIMEOUT_MS: i64 = 6000;
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let (keep, kept) = mpsc::channel();
    let keep = Mutex::new(keep);
    let silent: ServiceHandler = Arc::new(move |request, reply| match request.payload() {
        b"who" => tell(reply, b"silent"),
        _ => {
            keep.lock().unwrap().send(request.try_clone()?).unwrap();
            Ok(())
        }
    });
    let _services = [serve(&registry, &local(), silent), serve(&registry, &local(), echo())];
    let client = caller(&registry);
    // Until both are connected.
    let begin = Instant::now();
    let mut told = HashSet::new();
    while told.len() < 2 {
        told.insert(ask(&client, b"who", LIMIT_MS, false, true).unwrap());
        assert!(begin.elapsed() < LIMIT, "{told:?}");
    }
    for in_place in [true, false] {
        let mut waited: Option<Duration> = None;
        // Taking turns, the silent one is soon asked first: a second after it did not answer at the latest.
        while waited.is_none() {
            let asked = Instant::now();
            assert_eq!(ask(&client, b"?", TIMEOUT_MS, true, in_place).unwrap(), b"?");
            waited = kept.try_recv().ok().map(|_request: Message| asked.elapsed());
            assert!(begin.elapsed() < 3 * LIMIT);
        }
        let half = Duration::from_millis(TIMEOUT_MS as u64 / 2);
        assert!(waited.unwrap() >= half - Duration::from_millis(10), "{waited:?}");
    }
}

/// Whether it was served nobody knows: it is asked once more where the caller allowed that, and not where he did not.
#[test]
fn what_is_lost_with_its_instance_is_asked_again_only_where_that_is_allowed() {
    let server = registry();
    let registry = client(&server.last_endpoint().unwrap());
    let served = Arc::new(Mutex::new(HashSet::new()));
    let note = Arc::clone(&served);
    let notes: ServiceHandler = Arc::new(move |request, reply| {
        note.lock().unwrap().insert(request.payload().to_vec());
        tell(reply, request.payload())
    });
    let _stays = serve(&registry, &local(), notes);
    let client = caller(&registry);
    let mut first = 0u32;
    for (repeat, in_place) in [(false, true), (false, false), (true, true), (true, false)] {
        // It takes what it is asked, and answers nothing.
        let dying = Dealer::new("@tcp://127.0.0.1:*", &Options::default()).unwrap();
        let port = port_of(&dying.last_endpoint().unwrap());
        let id = registry.register(NAME, port, b"", soon()).unwrap();
        let (mut taken, over) = (Message::new(), AtomicBool::new(false));
        let (number, outcome) = std::thread::scope(|scope| {
            let (client, over) = (&client, &over);
            // One call after the other, until one is at the instance that dies.
            let calls = scope.spawn(move || {
                let mut number = first;
                loop {
                    let outcome = ask(client, &number.to_be_bytes(), LIMIT_MS, repeat, in_place);
                    if outcome.is_err() || over.load(Ordering::Acquire) {
                        return (number, outcome);
                    }
                    number += 1;
                }
            });
            let received = dying.recv_bytes(&mut taken, soon());
            over.store(true, Ordering::Release);
            dying.close().unwrap();
            let ended = calls.join().unwrap();
            received.unwrap();
            ended
        });
        assert!(taken.bytes().ends_with(&number.to_be_bytes()));
        registry.unregister(id, soon()).unwrap();
        // Behind whatever came to the one that stays.
        ask(&client, b"last", LIMIT_MS, false, in_place).unwrap();
        let again = served.lock().unwrap().contains(&number.to_be_bytes()[..]);
        match repeat {
            true => assert_eq!(outcome.unwrap(), number.to_be_bytes()),
            false => assert_eq!(outcome.unwrap_err().status(), Status::Unreachable),
        }
        assert_eq!(again, repeat);
        first = number + 1;
    }
}
