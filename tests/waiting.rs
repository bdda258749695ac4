//! No wake-up is ever missed, however many threads use one handle; and a wait takes the time that was asked for.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::{address, bytes, dealers, endpoint, next_event, soon, typed, LIMIT, LIMIT_MS};
use dividere::connection::events::EventKind;
use dividere::connection::options::FullQueue;
use dividere::{Channel, Deadline, Dealer, Filter, Message, Options, Publisher, Request, Response, Status, Subscriber};

const STOP: &[u8] = b"stop";
const TOKEN: &[u8] = b"token";
const NOISE: &[u8] = b"noise";

/// How often the token goes to and fro. Each time it waits behind all the noise that is queued, which under
/// ThreadSanitizer takes twenty times as long.
const ROUNDS: u64 = if cfg!(dividere_tsan) { 75 } else { 1500 };

/// What is sent beside the token, which stands in line behind it: no more of it is under way than is soon received.
#[derive(Default)]
struct Noise {
    made: AtomicU64,
    heard: AtomicU64,
}

impl Noise {
    const UNDER_WAY: u64 = 100;

    fn make(&self, dealer: &Dealer) {
        if self.made() - self.heard.load(Ordering::Relaxed) >= Noise::UNDER_WAY {
            std::thread::yield_now();
            return;
        }
        self.made.fetch_add(1, Ordering::Relaxed);
        dealer.send(&mut bytes(NOISE)).unwrap();
        if cfg!(dividere_tsan) {
            // Else the socket's lock is free for so small a part of the time that others hardly get it.
            std::thread::yield_now();
        }
    }

    fn hear(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
    }

    fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }
}

/// One token goes to and fro: nothing else would wake whoever missed it. Beside it a thread sends through the same
/// handle, and so takes wake-ups away from those who sleep there.
fn to_and_fro(transport: &str, receivers: usize, rounds: u64) -> u64 {
    let (left, right) = dealers(transport, &Options::new());
    let (left, right) = (&left, &right);
    let done = AtomicBool::new(false);
    let (done, count, noise) = (&done, &AtomicU64::new(0), &Noise::default());
    std::thread::scope(|scope| {
        for _ in 0..receivers {
            // Sends back the token.
            scope.spawn(move || {
                let mut message = Message::new();
                loop {
                    right.recv_bytes(&mut message, soon()).expect("the token, or noise");
                    match message.bytes() {
                        TOKEN => right.send(&mut bytes(TOKEN)).unwrap(),
                        STOP => return,
                        _ => noise.hear(),
                    }
                }
            });
            scope.spawn(move || {
                let mut message = Message::new();
                loop {
                    left.recv_bytes(&mut message, soon()).expect("the token");
                    if message.bytes() == STOP {
                        return;
                    }
                    if count.fetch_add(1, Ordering::Relaxed) + 1 < rounds {
                        left.send(&mut bytes(TOKEN)).unwrap();
                        continue;
                    }
                    done.store(true, Ordering::Relaxed);
                    for _ in 0..receivers {
                        left.send(&mut bytes(STOP)).unwrap();
                        right.send(&mut bytes(STOP)).unwrap();
                    }
                }
            });
        }
        left.send(&mut bytes(TOKEN)).unwrap();
        while !done.load(Ordering::Relaxed) {
            noise.make(left);
        }
    });
    2 * rounds + noise.made()
}

#[test]
fn a_receiver_is_woken_while_others_receive_and_send_on_its_handle() {
    let mut messages = 0;
    for transport in ["tcp", "inproc"] {
        for receivers in [1, 2, 4] {
            messages += to_and_fro(transport, receivers, ROUNDS);
        }
    }
    println!("{messages} messages");
}

#[test]
fn a_subscriber_is_woken_while_others_change_its_subscriptions() {
    for transport in ["tcp", "inproc"] {
        let publisher = Publisher::new(&endpoint(transport), &Options::new()).unwrap();
        let subscriber = Subscriber::new(&address(&publisher), Filter::All, &Options::new()).unwrap();
        publisher.wait_for_subscribers(None, 1, soon()).unwrap();
        let done = AtomicBool::new(false);
        let (arrived, arrivals) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let (subscriber, arrived) = (&subscriber, arrived.clone());
                scope.spawn(move || {
                    let mut message = Message::new();
                    while subscriber.recv_bytes(&mut message, Deadline::Never).is_ok() {
                        arrived.send(()).unwrap();
                    }
                });
            }
            let changer = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    subscriber.subscribe_prefix(b"other").unwrap();
                    subscriber.unsubscribe_prefix(b"other").unwrap();
                    subscriber.statistics().unwrap();
                }
            });
            for _ in 0..3000 {
                publisher.send(&mut bytes(TOKEN)).unwrap();
                arrivals.recv_timeout(LIMIT).expect("a message that was sent");
            }
            done.store(true, Ordering::Relaxed);
            changer.join().unwrap();
            subscriber.close().unwrap();
        });
    }
}

#[test]
fn blocked_senders_are_woken_when_there_is_room() {
    let mut options = Options::new();
    options.set_send_high_water_mark(10).unwrap();
    options.set_receive_high_water_mark(10).unwrap();
    options.set_send_timeout_ms(LIMIT_MS).unwrap();
    for transport in ["tcp", "inproc"] {
        let (left, right) = dealers(transport, &options);
        let (left, right) = (&left, &right);
        const EACH: usize = 10_000;
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(move || (0..EACH).for_each(|_| left.send(&mut bytes(NOISE)).unwrap()));
            }
            // And one that receives on the senders' handle.
            scope.spawn(move || {
                let mut message = Message::new();
                (0..EACH).for_each(|_| left.recv_bytes(&mut message, soon()).unwrap());
            });
            let mut message = Message::new();
            for i in 0..3 * EACH {
                right.recv_bytes(&mut message, soon()).unwrap();
                if i % 3 == 0 {
                    right.send(&mut bytes(NOISE)).unwrap();
                }
            }
        });
    }
}

#[test]
fn blocked_publishers_are_woken_when_there_is_room() {
    let mut options = Options::new();
    options.set_send_high_water_mark(10).unwrap();
    options.set_receive_high_water_mark(10).unwrap();
    options.set_send_timeout_ms(LIMIT_MS).unwrap();
    let mut blocking = options.clone();
    blocking.set_full_queue(Some(FullQueue::Block));
    const TOPICS: [&str; 2] = ["a.A", "b.B"];
    const EACH: u32 = 5000;
    for transport in ["tcp", "inproc"] {
        let publisher = &Publisher::new(&endpoint(transport), &blocking).unwrap();
        std::thread::scope(|scope| {
            for topic in TOPICS {
                let subscriber = Subscriber::new(&address(publisher), Filter::Types(&[topic]), &options).unwrap();
                publisher.wait_for_subscribers(Some(topic), 1, soon()).unwrap();
                scope.spawn(move || {
                    let mut message = Message::new();
                    for i in 0..EACH {
                        subscriber.recv(&mut message, soon()).unwrap();
                        assert_eq!(message.payload(), i.to_be_bytes(), "in order, none lost");
                    }
                });
            }
            for topic in TOPICS {
                scope.spawn(move || {
                    for i in 0..EACH {
                        publisher.send(&mut typed(topic, &i.to_be_bytes())).unwrap();
                    }
                });
            }
        });
        assert_eq!(publisher.statistics().unwrap().dropped_queue_full, 0);
    }
}

fn epoll(fd: i32, flags: i32) -> i32 {
    // SAFETY: no pointers but to the event, which is copied.
    unsafe {
        let epoll = libc::epoll_create1(libc::EPOLL_CLOEXEC);
        let mut event = libc::epoll_event {
            events: (libc::EPOLLIN | flags) as u32,
            u64: 0,
        };
        assert_eq!(libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event), 0);
        epoll
    }
}

fn wait_readable(epoll: i32) {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: room for one event.
    let ready = unsafe { libc::epoll_wait(epoll, &mut event, 1, LIMIT_MS as i32) };
    assert_eq!(ready, 1, "the descriptor did not become readable");
}

/// The token goes to and fro, `left` being received from behind its descriptor only. With `sometimes` that is watched
/// only while it is waited for.
fn to_and_fro_behind_a_descriptor(transport: &str, flags: i32, until_would_block: bool, sometimes: bool) {
    let (left, right) = dealers(transport, &Options::new());
    let watched = epoll(left.fd().unwrap(), flags);
    let (done, noise) = (AtomicBool::new(false), Noise::default());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut message = Message::new();
            loop {
                right.recv_bytes(&mut message, soon()).unwrap();
                match message.bytes() {
                    TOKEN => right.send(&mut bytes(TOKEN)).unwrap(),
                    STOP => return,
                    _ => noise.hear(),
                }
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                noise.make(&left);
            }
        });
        left.send(&mut bytes(TOKEN)).unwrap();
        let mut message = Message::new();
        let mut rounds = 0;
        left.watch(!sometimes).unwrap();
        while rounds < ROUNDS {
            if sometimes {
                left.watch(true).unwrap();
                // What came before it was watched may not show at the descriptor.
                if left.wait(Deadline::Now).is_err() {
                    wait_readable(watched);
                }
                left.watch(false).unwrap();
            } else {
                wait_readable(watched);
            }
            loop {
                match left.recv_bytes(&mut message, Deadline::Now) {
                    Ok(()) => {
                        rounds += 1;
                        left.send(&mut bytes(TOKEN)).unwrap();
                    }
                    Err(error) => {
                        assert_eq!(error.status(), Status::WouldBlock);
                        break;
                    }
                }
                if !until_would_block {
                    break;
                }
            }
        }
        done.store(true, Ordering::Relaxed);
        left.send(&mut bytes(STOP)).unwrap();
    });
    // SAFETY: opened by `epoll`, used no more.
    unsafe { libc::close(watched) };
}

#[test]
fn the_descriptor_is_readable_whenever_there_is_something_to_receive() {
    for transport in ["tcp", "inproc"] {
        to_and_fro_behind_a_descriptor(transport, 0, false, false);
        to_and_fro_behind_a_descriptor(transport, 0, true, false);
        to_and_fro_behind_a_descriptor(transport, libc::EPOLLET, true, false);
        to_and_fro_behind_a_descriptor(transport, 0, true, true);
        to_and_fro_behind_a_descriptor(transport, libc::EPOLLET, true, true);
    }
}

#[test]
fn who_begins_to_watch_is_told_anew_of_what_is_there() {
    let (left, right) = dealers("tcp", &Options::new());
    let watched = epoll(left.fd().unwrap(), libc::EPOLLET);
    right.send(&mut bytes(TOKEN)).unwrap();
    left.wait(soon()).unwrap();
    for _ in 0..3 {
        left.watch(false).unwrap();
        left.watch(true).unwrap();
        wait_readable(watched);
    }
    // SAFETY: opened by `epoll`, used no more.
    unsafe { libc::close(watched) };
}

#[test]
fn a_reply_that_another_call_received_makes_the_descriptor_readable() {
    let response = Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let request = Request::new(&response.last_endpoint().unwrap(), &Options::new()).unwrap();
    let watched = epoll(request.fd().unwrap(), 0);
    std::thread::scope(|scope| {
        let (mut first, mut second, mut reply) = (Message::new(), Message::new(), Message::new());
        request.send(&mut typed("acme.Question", b"1")).unwrap();
        response.recv(&mut first, soon()).unwrap();
        let call = scope.spawn(|| {
            let mut reply = Message::new();
            let called = request.call(&mut typed("acme.Question", b"2"), &mut reply, LIMIT_MS, 0);
            called.map(|()| reply.payload().to_vec())
        });
        first.reply(&mut typed("acme.Answer", b"1")).unwrap();
        response.recv(&mut second, soon()).unwrap();
        // The caller sleeps in `recv` and takes in the first reply, which is not its own.
        wait_readable(watched);
        request.wait(soon()).unwrap();
        wait_readable(watched);
        request
            .recv(&mut reply, Deadline::Now)
            .or_else(|_| request.recv(&mut reply, soon()))
            .unwrap();
        assert_eq!(reply.payload(), b"1");
        second.reply(&mut typed("acme.Answer", b"2")).unwrap();
        assert_eq!(call.join().unwrap().unwrap(), b"2");
    });
    // SAFETY: opened by `epoll`, used no more.
    unsafe { libc::close(watched) };
}

#[test]
fn a_wait_takes_the_time_given_and_none_does_not_wait() {
    let mut options = Options::new();
    options.set_send_high_water_mark(1).unwrap();
    options.set_receive_high_water_mark(1).unwrap();
    options.set_send_timeout_ms(50).unwrap();
    let (left, right) = dealers("tcp", &options);
    let publisher = Publisher::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let alone = Request::new(&publisher.last_endpoint().unwrap(), &options);
    let alone = alone.unwrap();
    let mut message = Message::new();
    type Wait<'a> = (&'a str, Box<dyn FnMut(Deadline) -> dividere::Result<()> + 'a>);
    let events = left.events();
    next_event(&events, EventKind::Connected);
    let waits: Vec<Wait<'_>> = vec![
        ("recv", Box::new(|d| left.recv_bytes(&mut message, d))),
        ("wait", Box::new(|d| right.wait(d))),
        ("wait_connected", Box::new(|d| left.wait_connected(2, d))),
        (
            "wait_for_subscribers",
            Box::new(|d| publisher.wait_for_subscribers(None, 1, d)),
        ),
    ];
    for (name, mut wait) in waits {
        let begin = Instant::now();
        let error = wait(Deadline::from_ms(50)).unwrap_err();
        assert_eq!(error.status(), Status::Timeout, "{name}");
        assert!(
            begin.elapsed() >= Duration::from_millis(50),
            "{name}: {:?}",
            begin.elapsed()
        );
        assert_eq!(wait(Deadline::Now).unwrap_err().status(), Status::WouldBlock, "{name}");
    }
    let begin = Instant::now();
    assert_eq!(events.recv(50).unwrap_err().status(), Status::Timeout);
    assert!(begin.elapsed() >= Duration::from_millis(50));
    assert_eq!(events.recv(0).unwrap_err().status(), Status::WouldBlock);

    // A full queue: its timeout is the send timeout.
    let large = vec![0; 1 << 20];
    let begin = loop {
        let begin = Instant::now();
        match left.send(&mut bytes(&large)) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.status(), Status::Timeout);
                break begin;
            }
        }
    };
    assert!(begin.elapsed() >= Duration::from_millis(50));

    // A publisher does not answer requests.
    let begin = Instant::now();
    let called = alone.call(&mut bytes(b"?"), &mut Message::new(), 50, 1);
    if called.unwrap_err().status() == Status::Timeout {
        assert!(begin.elapsed() >= Duration::from_millis(100));
    }
}

extern "C" fn nothing(_signal: i32) {}

#[test]
fn signals_are_never_seen() {
    let mut options = Options::new();
    options.set_send_high_water_mark(10).unwrap();
    options.set_receive_high_water_mark(10).unwrap();
    options.set_send_timeout_ms(LIMIT_MS).unwrap();
    // SAFETY: a handler that does nothing, without SA_RESTART.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
    let (left, right) = dealers("tcp", &options);
    let (left, right) = (&left, &right);
    let done = AtomicBool::new(false);
    const MESSAGES: usize = 20_000;
    std::thread::scope(|scope| {
        let (name, names) = mpsc::channel();
        let threads: Vec<_> = [true, false]
            .into_iter()
            .map(|sends| {
                let name = name.clone();
                scope.spawn(move || {
                    // SAFETY: no arguments.
                    name.send(unsafe { libc::pthread_self() }).unwrap();
                    let mut message = Message::new();
                    let begin = Instant::now();
                    let idle = if sends { left } else { right };
                    let error = idle.recv_bytes(&mut message, Deadline::from_ms(200)).unwrap_err();
                    assert_eq!(error.status(), Status::Timeout);
                    assert!(begin.elapsed() >= Duration::from_millis(200));
                    let error = idle.wait_connected(2, Deadline::from_ms(50)).unwrap_err();
                    assert_eq!(error.status(), Status::Timeout);
                    for _ in 0..MESSAGES {
                        match sends {
                            true => left.send(&mut bytes(NOISE)).unwrap(),
                            false => right.recv_bytes(&mut message, soon()).unwrap(),
                        }
                    }
                    for _ in 0..100 {
                        let dealer = Dealer::new(&endpoint("tcp"), &Options::new()).unwrap();
                        Dealer::new(&address(&dealer), &Options::new()).unwrap();
                        dealer.close().unwrap();
                    }
                })
            })
            .collect();
        let threads_named: Vec<libc::pthread_t> = names.iter().take(2).collect();
        let done = &done;
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                for thread in &threads_named {
                    // SAFETY: the threads are joined only after this one has seen `done`... or have ended just now,
                    // whose handle stays valid until they are joined.
                    unsafe { libc::pthread_kill(*thread, libc::SIGUSR1) };
                }
                std::thread::sleep(Duration::from_micros(100));
            }
        });
        while !threads.iter().all(|thread| thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        done.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn who_waits_for_room_does_not_turn_while_there_is_something_to_receive() {
    let mut short = Options::new();
    short.set_send_high_water_mark(1).unwrap();
    short.set_receive_high_water_mark(1).unwrap();
    short.set_send_timeout_ms(1000).unwrap();
    let left = Dealer::new("@tcp://127.0.0.1:*", &short).unwrap();
    let right = Dealer::new(&format!(">{}", left.last_endpoint().unwrap()), &short).unwrap();
    right.send(&mut Message::from_bytes(b"unread").unwrap()).unwrap();
    left.wait(soon()).unwrap();
    // From here on somebody else counts as waiting to receive.
    left.fd().unwrap();
    let large = vec![0; 256 * 1024];
    let mut spent = Duration::ZERO;
    let full = loop {
        let before = common::thread_cpu_time();
        match left.send(&mut Message::from_bytes(&large).unwrap()) {
            Ok(()) => {}
            Err(error) => {
                spent += common::thread_cpu_time() - before;
                break error;
            }
        }
    };
    assert_eq!(full.status(), Status::Timeout);
    assert!(spent < Duration::from_millis(200), "{spent:?} of a second");
    let mut message = Message::new();
    left.recv_bytes(&mut message, Deadline::Now).unwrap();
    assert_eq!(message.bytes(), b"unread");
}
