//! A reactor's time: sources take turns, an idle one costs nothing, a flooded one stops at once.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{address, alone, process_cpu_time, soon, typed, LIMIT};
use dividere::connection::options::FullQueue;
use dividere::{Channel, Dealer, Filter, Message, Options, Publisher, Reactor, Response, Subscriber};

/// Fills `peer`'s queue again and again while `body` runs.
fn flooded<T>(peer: &Dealer, body: impl FnOnce() -> T) -> T {
    struct Ends<'a>(&'a AtomicBool);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut message = Message::new();
            while !over.load(Ordering::Relaxed) {
                message.prepare("a.Flood", 0).unwrap();
                peer.send(&mut message).unwrap();
            }
        });
        let _also_after_a_panic = Ends(&over);
        body()
    })
}

/// What a full queue cannot take is dropped, so that the flood goes on when the reactor is stopped.
fn dropping() -> Options {
    let mut options = Options::new();
    options.set_full_queue(Some(FullQueue::Drop));
    options
}

#[test]
fn a_quiet_source_has_its_turn_while_another_one_is_full() {
    const COUNT: u32 = 5000;
    let mut unlimited = Options::new();
    unlimited.set_send_high_water_mark(0).unwrap();
    unlimited.set_receive_high_water_mark(0).unwrap();
    let full: Arc<dyn Channel> = Arc::new(Dealer::new("@inproc://turn-full", &unlimited).unwrap());
    let quiet: Arc<dyn Channel> = Arc::new(Dealer::new("@inproc://turn-quiet", &unlimited).unwrap());
    let to_full = Dealer::new(&address(&*full), &unlimited).unwrap();
    let to_quiet = Dealer::new(&address(&*quiet), &unlimited).unwrap();
    for _ in 0..COUNT {
        to_full.send(&mut typed("a.Flood", b"")).unwrap();
    }
    const PINGS: usize = 10;
    for _ in 0..PINGS {
        to_quiet.send(&mut typed("a.Quiet", b"")).unwrap();
    }
    let reactor = Reactor::new().unwrap();
    reactor.add(&full, 0).unwrap();
    reactor.add(&quiet, 1).unwrap();
    let handled = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&handled);
    reactor
        .on("a.Flood", move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
    let (sender, arrived) = channel();
    let sender = Mutex::new(sender);
    reactor
        .on("a.Quiet", move |_, _| {
            sender.lock().unwrap().send(handled.load(Ordering::Relaxed)).unwrap();
            Ok(())
        })
        .unwrap();
    reactor.start("turns").unwrap();
    for _ in 0..PINGS {
        let before = arrived.recv_timeout(LIMIT).unwrap();
        assert!(before <= 64, "{before} messages of the other source came first");
    }
    reactor.close().unwrap();
}

#[test]
fn a_flooded_reactor_stops_at_once() {
    let source: Arc<dyn Channel> = Arc::new(Dealer::new("tcp://127.0.0.1:*", &Options::new()).unwrap());
    let peer = Dealer::new(&address(&*source), &dropping()).unwrap();
    peer.wait_connected(0, soon()).unwrap();
    let reactor = Reactor::new().unwrap();
    reactor.add(&source, 0).unwrap();
    reactor.on("a.Flood", |_, _| Ok(())).unwrap();
    flooded(&peer, || {
        // The best of some: a busy machine may take the processor away in any of them.
        let best = (0..10).map(|_| {
            reactor.start("stopped").unwrap();
            let before = source.statistics().unwrap().messages_in;
            while source.statistics().unwrap().messages_in < before + 1000 {
                std::thread::yield_now();
            }
            let asked = Instant::now();
            reactor.stop(soon()).unwrap();
            asked.elapsed()
        });
        let best = best.min().unwrap();
        assert!(best < Duration::from_millis(50), "{best:?}");
    });
}

/// A reactor with a source of each kind, each with a connected peer in the same process, at rest for `time`.
fn cost_of_rest(time: Duration) -> Duration {
    let options = Options::new();
    let any = "tcp://127.0.0.1:*";
    let publisher = Publisher::new(any, &options).unwrap();
    let subscriber = Subscriber::new(&address(&publisher), Filter::All, &options).unwrap();
    let response = Response::new(any, &options).unwrap();
    let dealer = Dealer::new(any, &options).unwrap();
    let peers = [
        Dealer::new(&address(&response), &options).unwrap(),
        Dealer::new(&address(&dealer), &options).unwrap(),
    ];
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    peers.iter().for_each(|peer| peer.wait_connected(0, soon()).unwrap());
    let reactor = Reactor::new().unwrap();
    let sources: [Arc<dyn Channel>; 3] = [Arc::new(subscriber), Arc::new(response), Arc::new(dealer)];
    sources.iter().for_each(|source| reactor.add(source, 0).unwrap());
    let (sender, begun) = channel();
    reactor.post(Box::new(move |_| sender.send(()).unwrap())).unwrap();
    reactor.start("idle").unwrap();
    begun.recv_timeout(LIMIT).unwrap();
    let before = process_cpu_time();
    std::thread::sleep(time);
    process_cpu_time() - before
}

#[test]
fn an_idle_reactor_costs_nothing() {
    alone("an_idle_reactor_costs_nothing", || {
        let spent = cost_of_rest(Duration::from_secs(2));
        assert!(spent < Duration::from_millis(10), "{spent:?} in 2 s");
    });
}

#[test]
#[ignore = "takes 10 s"]
fn an_idle_reactor_costs_less_than_5_ms_in_10_s() {
    alone("an_idle_reactor_costs_less_than_5_ms_in_10_s", || {
        let spent = cost_of_rest(Duration::from_secs(10));
        assert!(spent < Duration::from_millis(5), "{spent:?} in 10 s");
    });
}

#[test]
#[ignore = "measures, and so needs a machine that is not busy"]
fn the_99th_percentile_on_a_quiet_source_stays_below_10_ms_while_another_is_flooded() {
    const PINGS: usize = 2000;
    let source: Arc<dyn Channel> = Arc::new(Dealer::new("tcp://127.0.0.1:*", &Options::new()).unwrap());
    let quiet: Arc<dyn Channel> = Arc::new(Dealer::new("tcp://127.0.0.1:*", &Options::new()).unwrap());
    let peer = Dealer::new(&address(&*source), &dropping()).unwrap();
    let to_quiet = Dealer::new(&address(&*quiet), &Options::new()).unwrap();
    for dealer in [&peer, &to_quiet] {
        dealer.wait_connected(0, soon()).unwrap();
    }
    let reactor = Reactor::new().unwrap();
    reactor.add(&source, 0).unwrap();
    reactor.add(&quiet, 1).unwrap();
    reactor.on("a.Flood", |_, _| Ok(())).unwrap();
    let (sender, arrived) = channel();
    let sender = Mutex::new(sender);
    reactor
        .on("a.Quiet", move |_, _| {
            sender.lock().unwrap().send(Instant::now()).unwrap();
            Ok(())
        })
        .unwrap();
    reactor.start("flooded").unwrap();
    let mut times: Vec<Duration> = flooded(&peer, || {
        let ping = |_| {
            let sent = Instant::now();
            to_quiet.send(&mut typed("a.Quiet", b"")).unwrap();
            arrived.recv_timeout(LIMIT).unwrap() - sent
        };
        (0..PINGS).map(ping).collect()
    });
    times.sort_unstable();
    let p99 = times[PINGS * 99 / 100];
    assert!(p99 < Duration::from_millis(10), "{p99:?}");
    reactor.close().unwrap();
}
