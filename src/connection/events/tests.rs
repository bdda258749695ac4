use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;

const DEADLINE_MS: i64 = 20_000;

fn event(endpoint: impl Into<String>) -> Event {
    Event::new(EventKind::Connected, endpoint)
}

fn status(result: Result<Event>) -> Status {
    result.expect_err("no event").status()
}

/// Until so many threads sleep in `recv`.
fn await_waiters(queue: &EventQueue, count: usize) {
    let deadline = Instant::now() + Duration::from_millis(DEADLINE_MS as u64);
    while queue.lock().waiting != count {
        assert!(Instant::now() < deadline, "nobody came to wait");
        std::thread::yield_now();
    }
}

#[test]
fn numbers_are_found_again_and_stay() {
    for (index, kind) in EventKind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, index + 1);
        assert_eq!(EventKind::from_code(kind as i32), Some(kind));
    }
    assert_eq!(EventKind::from_code(0), None);
    assert_eq!(EventKind::from_code(11), None);
}

#[test]
fn events_come_out_in_order() {
    let queue = EventQueue::new();
    let counters = Counters::new();
    queue.push(event("tcp://a"), &counters);
    queue.push(event("tcp://b"), &counters);
    assert_eq!(queue.recv(0).expect("the first").endpoint, "tcp://a");
    assert_eq!(queue.recv(-1).expect("the second").endpoint, "tcp://b");
    assert_eq!(status(queue.recv(0)), Status::WouldBlock);
}

#[test]
fn an_empty_queue_times_out_no_earlier_than_asked() {
    let queue = EventQueue::new();
    let begin = Instant::now();
    assert_eq!(status(queue.recv(30)), Status::Timeout);
    assert!(begin.elapsed() >= Duration::from_millis(30));
}

#[test]
fn a_full_queue_loses_the_oldest_and_counts_it() {
    const TOO_MANY: usize = 3;
    let queue = EventQueue::new();
    let counters = Counters::new();
    for number in 0..EVENT_QUEUE_LENGTH + TOO_MANY {
        queue.push(event(number.to_string()), &counters);
    }
    assert_eq!(queue.len(), EVENT_QUEUE_LENGTH);
    assert_eq!(counters.snapshot(0, 0).events_lost, TOO_MANY as u64);
    let oldest = queue.recv(0).expect("an event");
    assert_eq!(oldest.endpoint, TOO_MANY.to_string());
}

#[test]
fn what_a_callback_saw_is_not_lost() {
    let queue = EventQueue::new();
    let counters = Counters::new();
    queue.set_callback(Some(Arc::new(|_| ()))).expect("open");
    for number in 0..=EVENT_QUEUE_LENGTH {
        queue.push(event(number.to_string()), &counters);
    }
    assert_eq!(counters.snapshot(0, 0).events_lost, 0);
    assert_eq!(queue.recv(0).expect("an event").endpoint, "1");
}

#[test]
fn a_waiting_thread_gets_what_is_pushed() {
    let queue = EventQueue::new();
    let counters = Counters::new();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| queue.recv(DEADLINE_MS));
        await_waiters(&queue, 1);
        let begin = Instant::now();
        queue.push(event("tcp://a"), &counters);
        let got = waiter.join().expect("no panic").expect("an event");
        assert_eq!(got.endpoint, "tcp://a");
        // Unwoken, the waiter would find it at the end of its time.
        assert!(begin.elapsed() < Duration::from_millis(DEADLINE_MS as u64 / 2));
    });
}

#[test]
fn every_waiter_gets_one_of_many() {
    const WAITERS: usize = 4;
    const EACH: usize = 200;
    let queue = EventQueue::new();
    let counters = Counters::new();
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..WAITERS)
            .map(|_| scope.spawn(|| (0..EACH).map(|_| queue.recv(DEADLINE_MS)).collect::<Vec<_>>()))
            .collect();
        for number in 0..WAITERS * EACH {
            queue.push(event(number.to_string()), &counters);
        }
        let mut got: Vec<usize> = waiters
            .into_iter()
            .flat_map(|waiter| waiter.join().expect("no panic"))
            .map(|event| event.expect("an event").endpoint.parse().expect("a number"))
            .collect();
        got.sort_unstable();
        assert!(got.into_iter().eq(0..WAITERS * EACH));
    });
}

#[test]
fn blocked_recv_returns_closed_when_another_thread_closes() {
    let queue = EventQueue::new();
    std::thread::scope(|scope| {
        let limited = scope.spawn(|| queue.recv(DEADLINE_MS));
        let unlimited = scope.spawn(|| queue.recv(-1));
        await_waiters(&queue, 2);
        queue.close();
        assert_eq!(status(limited.join().expect("no panic")), Status::Closed);
        assert_eq!(status(unlimited.join().expect("no panic")), Status::Closed);
    });
    let counters = Counters::new();
    queue.push(event("tcp://late"), &counters);
    assert_eq!(status(queue.recv(0)), Status::Closed);
    assert!(queue.is_empty());
    let refused = queue.set_callback(Some(Arc::new(|_| ())));
    assert_eq!(refused.expect_err("closed").status(), Status::Closed);
}

#[test]
fn a_callback_may_use_the_queue_and_panic() {
    let queue = Arc::new(EventQueue::new());
    let counters = Counters::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let (inner, counted) = (queue.clone(), calls.clone());
    let callback = move |event: &Event| {
        counted.fetch_add(1, Ordering::SeqCst);
        assert_eq!(inner.recv(0).as_ref(), Ok(event));
        inner.set_callback(None).expect("open");
        panic!("on purpose");
    };
    queue.set_callback(Some(Arc::new(callback))).expect("open");
    queue.push(event("tcp://a"), &counters);
    queue.push(event("tcp://b"), &counters);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(queue.recv(0).expect("an event").endpoint, "tcp://b");
}

#[test]
fn a_callback_is_dropped_once_and_only_after_its_call() {
    struct Token(Arc<AtomicUsize>);
    impl Drop for Token {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let token = Token(drops.clone());
    let (entered_send, entered) = mpsc::channel();
    let (go, go_receive) = mpsc::channel::<()>();
    let go_receive = Mutex::new(go_receive);
    let queue = EventQueue::new();
    let callback = move |_: &Event| {
        let _keep = &token;
        entered_send.send(()).expect("a receiver");
        let go = go_receive.lock().expect("not poisoned");
        go.recv_timeout(Duration::from_secs(20)).expect("a go");
    };
    queue.set_callback(Some(Arc::new(callback))).expect("open");
    std::thread::scope(|scope| {
        let pusher = scope.spawn(|| queue.push(event("tcp://a"), &Counters::new()));
        entered.recv_timeout(Duration::from_secs(20)).expect("the call");
        queue.close();
        assert_eq!(drops.load(Ordering::SeqCst), 0, "dropped under a call");
        go.send(()).expect("a waiting callback");
        pusher.join().expect("no panic");
    });
    assert_eq!(drops.load(Ordering::SeqCst), 1);
}

#[test]
fn shown_with_all_that_is_known() {
    let mut event = Event::new(EventKind::HandshakeFailed, "tcp://127.0.0.1:5000");
    assert_eq!(event.to_string(), "handshake failed tcp://127.0.0.1:5000");
    event.peer = "tcp://127.0.0.1:40000".to_owned();
    event.code = 303;
    event.text = "the key was refused".to_owned();
    assert_eq!(
        event.to_string(),
        "handshake failed tcp://127.0.0.1:5000 peer tcp://127.0.0.1:40000 code 303: \
         the key was refused"
    );
}
