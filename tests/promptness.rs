//! Promises in milliseconds: a quiet source beside a flooded one, the close of a proxy, and what it costs to do nothing.
//! The machine may be busy with others, so the best of several tries counts; who breaks a promise breaks it every time.
//! More about a reactor's time is in reactor_time.rs.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{address, alone, bytes, process_cpu_time, soon, typed, ClosedWhenDropped, LIMIT_MS};
use dividere::{
    Channel, Deadline, Dealer, Filter, Message, Options, Proxy, ProxyKind, Publisher, Reactor, Request, Response,
    Subscriber,
};

const TRIES: usize = 8;
const ANY: &str = "tcp://127.0.0.1:*";

/// The shortest of several tries; no more of them once one was short enough.
fn best(limit: Duration, mut try_once: impl FnMut() -> Duration) {
    let mut tries = Vec::new();
    for _ in 0..TRIES {
        tries.push(try_once());
        if tries.iter().any(|time| *time < limit) {
            return;
        }
    }
    panic!("more than {limit:?} each time: {tries:?}");
}

fn timed<T>(f: impl FnOnce() -> T) -> Duration {
    let begin = Instant::now();
    f();
    begin.elapsed()
}

/// Waits until every other thread of the process has nothing to do.
fn wait_until_others_sleep() {
    // SAFETY: no arguments.
    let own = unsafe { libc::gettid() }.to_string();
    let deadline = soon();
    loop {
        let states = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
            let task = task.unwrap();
            let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
            // Behind the name, which stands in parentheses.
            let state = stat.rsplit_once(") ")?.1.chars().next()?;
            (task.file_name() != *own).then_some(state)
        });
        if states.collect::<String>().chars().all(|state| state == 'S') {
            return;
        }
        assert!(!deadline.is_over());
        std::thread::yield_now();
    }
}

/// Sends to `at` as fast as it goes while `body` runs.
fn flooding<T>(at: &str, body: impl FnOnce() -> T) -> T {
    let (done, ready) = (AtomicBool::new(false), AtomicBool::new(false));
    let flooder = Dealer::new(at, &Options::new()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for count in 0u64.. {
                if done.load(Ordering::Relaxed) || flooder.send(&mut typed("a.Flood", &[0; 64])).is_err() {
                    break;
                }
                // The queue of the receiver is full by then.
                if count == 3000 {
                    ready.store(true, Ordering::Release);
                }
            }
        });
        let _flooding = ClosedWhenDropped(&flooder);
        while !ready.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        let result = body();
        done.store(true, Ordering::Relaxed);
        result
    })
}

/// A reactor with a source to be flooded and a response, and whom to ask it.
fn reactor_of_two() -> (Reactor, Arc<dyn Channel>, Request) {
    let reactor = Reactor::new().unwrap();
    let flooded: Arc<dyn Channel> = Arc::new(Dealer::new(&format!("@{ANY}"), &Options::new()).unwrap());
    let response: Arc<dyn Channel> = Arc::new(Response::new(ANY, &Options::new()).unwrap());
    let request = Request::new(&response.last_endpoint().unwrap(), &Options::new()).unwrap();
    reactor.on("a.Flood", |_, _| Ok(())).unwrap();
    reactor
        .on("a.Question", |_, message| message.reply(&mut typed("a.Answer", b"")))
        .unwrap();
    reactor.add(&flooded, 0).unwrap();
    reactor.add(&response, 1).unwrap();
    reactor.start("reactor").unwrap();
    (reactor, flooded, request)
}

#[test]
fn a_flooded_source_keeps_a_quiet_one_waiting_for_less_than_ten_milliseconds() {
    const CALLS: usize = 200;
    alone(
        "a_flooded_source_keeps_a_quiet_one_waiting_for_less_than_ten_milliseconds",
        || {
            let (reactor, flooded, request) = reactor_of_two();
            flooding(&address(&*flooded), || {
                best(Duration::from_millis(10), || {
                    let mut reply = Message::new();
                    let mut times: Vec<Duration> = (0..CALLS)
                        .map(|_| {
                            let mut question = typed("a.Question", b"");
                            timed(|| request.call(&mut question, &mut reply, LIMIT_MS, 0).unwrap())
                        })
                        .collect();
                    times.sort();
                    times[CALLS * 99 / 100]
                });
            });
            reactor.stop(soon()).unwrap();
        },
    );
}

#[test]
fn a_proxy_closes_within_fifty_milliseconds() {
    alone("a_proxy_closes_within_fifty_milliseconds", || {
        let new = |kind| Proxy::new(kind, ANY, ANY, None, &Options::new()).unwrap();
        for kind in [ProxyKind::RequestResponse, ProxyKind::PublishSubscribe] {
            best(Duration::from_millis(50), || {
                let proxy = new(kind);
                wait_until_others_sleep();
                timed(|| proxy.close().unwrap())
            });
        }
        // With messages that nobody takes.
        best(Duration::from_millis(50), || {
            let proxy = new(ProxyKind::RequestResponse);
            let front = format!(">{}", proxy.front().last_endpoint().unwrap());
            let asking = Dealer::new(&front, &Options::new()).unwrap();
            for _ in 0..100 {
                asking.send_with_empty_frame(&mut bytes(b"?")).unwrap();
            }
            while proxy.statistics().unwrap().0.messages_in == 0 {
                std::thread::yield_now();
            }
            timed(|| proxy.close().unwrap())
        });
    });
}

#[test]
fn doing_nothing_costs_next_to_nothing() {
    /// 5 ms in ten seconds.
    const SHARE: u32 = 2000;
    const WATCHED: Duration = Duration::from_secs(1);
    alone("doing_nothing_costs_next_to_nothing", || {
        // One of each, connected and waited for, in every way to wait.
        let (reactor, _flooded, request) = reactor_of_two();
        request.wait_connected(1, soon()).unwrap();
        let proxy = Proxy::new(ProxyKind::PublishSubscribe, ANY, ANY, None, &Options::new()).unwrap();
        let publisher =
            Publisher::new(&format!(">{}", proxy.front().last_endpoint().unwrap()), &Options::new()).unwrap();
        let subscriber = Subscriber::new(&proxy.back().last_endpoint().unwrap(), Filter::All, &Options::new()).unwrap();
        publisher.wait_for_subscribers(None, 1, soon()).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| subscriber.recv_bytes(&mut Message::new(), Deadline::Never));
            let _subscribed = ClosedWhenDropped(&subscriber);
            best(WATCHED / SHARE, || {
                let before = process_cpu_time();
                // That nothing happens for a while is what is waited for.
                std::thread::sleep(WATCHED);
                process_cpu_time() - before
            });
        });
        reactor.stop(soon()).unwrap();
    });
}
