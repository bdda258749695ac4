//! The reactor: handlers, errors, timers, fairness, and that nothing but `stop` ends it.

mod common;

use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{this_thread, wait_until_asleep};
use dividere::{
    Channel, Deadline, Dealer, Error, Filter, Message, Options, Publisher, Reactor, Request, Response, Status,
    Subscriber,
};

const LONG: Duration = Duration::from_secs(20);

fn soon() -> Deadline {
    Deadline::after(LONG)
}

fn typed(name: &str, payload: &[u8]) -> Message {
    let mut message = Message::new();
    message.prepare(name, payload.len()).unwrap().copy_from_slice(payload);
    message
}

fn shared<T: Send + 'static>() -> (Arc<Mutex<Sender<T>>>, Receiver<T>) {
    let (sender, receiver) = channel();
    (Arc::new(Mutex::new(sender)), receiver)
}

/// A response in a reactor, and a request that is connected to it.
fn served(reactor: &Reactor) -> (Arc<dyn Channel>, Request) {
    let response: Arc<dyn Channel> = Arc::new(Response::new("tcp://127.0.0.1:*", &Options::new()).unwrap());
    let request = Request::new(&response.last_endpoint().unwrap(), &Options::new()).unwrap();
    reactor.add(&response, 7).unwrap();
    (response, request)
}

fn call(request: &Request, name: &str) -> Result<Vec<u8>, Error> {
    let mut reply = Message::new();
    request.call(&mut typed(name, b"?"), &mut reply, 20_000, 0)?;
    Ok(reply.payload().to_vec())
}

#[test]
fn handlers_reply_and_every_request_is_answered_whatever_happens() {
    let reactor = Reactor::new().unwrap();
    let (errors, told) = shared();
    reactor
        .on("a.Echo", |_, m| m.reply(&mut typed("a.Reply", b"!")))
        .unwrap();
    reactor.on("a.Silent", |_, _| Ok(())).unwrap();
    reactor
        .on("a.Fails", |_, _| Err(Error::new(Status::State, "out of paper")))
        .unwrap();
    reactor.on("a.Panics", |_, _| panic!("on purpose")).unwrap();
    let kept: Arc<Mutex<Option<Message>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let (later, is_kept) = shared();
    reactor
        .on("a.Later", move |_, m| {
            *keep.lock().unwrap() = Some(m.try_clone()?);
            later.lock().unwrap().send(()).unwrap();
            Ok(())
        })
        .unwrap();
    reactor
        .set_error_handler(Some(Arc::new(move |_, _, error| {
            errors.lock().unwrap().send(error.status()).unwrap()
        })))
        .unwrap();
    let (response, request) = served(&reactor);
    reactor.start("test-reactor").unwrap();

    assert_eq!(call(&request, "a.Echo").unwrap(), b"!");
    assert_eq!(call(&request, "a.Silent").unwrap_err().status(), Status::Remote);
    let error = call(&request, "a.Fails").unwrap_err();
    assert_eq!(
        (error.status(), error.text().contains("out of paper")),
        (Status::Remote, true)
    );
    assert_eq!(call(&request, "a.Panics").unwrap_err().status(), Status::Remote);
    assert_eq!(call(&request, "a.Unknown").unwrap_err().status(), Status::NotFound);
    request.send(&mut Message::from_bytes(b"\xff").unwrap()).unwrap();
    assert_eq!(
        request.recv(&mut Message::new(), soon()).unwrap_err().status(),
        Status::Decode
    );
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| call(&request, "a.Later").unwrap());
        is_kept.recv_timeout(LONG).unwrap();
        let question = kept.lock().unwrap().take().unwrap();
        question.reply(&mut typed("a.Reply", b"late")).unwrap();
        assert_eq!(asker.join().unwrap(), b"late");
    });
    assert_eq!(call(&request, "a.Echo").unwrap(), b"!");
    let statuses: Vec<Status> = (0..4).map(|_| told.recv_timeout(LONG).unwrap()).collect();
    assert_eq!(
        statuses,
        [Status::State, Status::Internal, Status::NotFound, Status::Decode]
    );
    assert_eq!(
        response.recv(&mut Message::new(), Deadline::Now).unwrap_err().status(),
        Status::State
    );
    reactor.close().unwrap();
}

#[test]
fn sources_of_all_kinds_can_be_added_removed_and_closed_inside_a_handler() {
    let reactor = Reactor::new().unwrap();
    let (sender, seen) = shared();
    let publisher = Publisher::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let subscriber: Arc<dyn Channel> =
        Arc::new(Subscriber::new(&publisher.last_endpoint().unwrap(), Filter::All, &Options::new()).unwrap());
    let dealer: Arc<dyn Channel> = Arc::new(Dealer::new("tcp://127.0.0.1:*", &Options::new()).unwrap());
    let other = Dealer::new(&dealer.last_endpoint().unwrap(), &Options::new()).unwrap();
    let added = Arc::clone(&dealer);
    reactor
        .on("a.A", move |d, m| {
            if d.tag == 1 {
                d.reactor.add(&added, 2)?;
            } else {
                d.source.close()?;
            }
            sender.lock().unwrap().send((d.tag, m.payload().to_vec())).unwrap();
            Ok(())
        })
        .unwrap();
    reactor.add(&subscriber, 1).unwrap();
    assert_eq!(reactor.add(&subscriber, 1).unwrap_err().status(), Status::State);
    reactor.start("test-reactor").unwrap();
    publisher.wait_for_subscribers(None, 1, soon()).unwrap();
    publisher.send(&mut typed("a.A", b"first")).unwrap();
    assert_eq!(seen.recv_timeout(LONG).unwrap(), (1, b"first".to_vec()));
    other.send(&mut typed("a.A", b"second")).unwrap();
    assert_eq!(seen.recv_timeout(LONG).unwrap(), (2, b"second".to_vec()));
    reactor.remove(&*subscriber).unwrap();
    assert_eq!(reactor.remove(&*subscriber).unwrap_err().status(), Status::NotFound);
    publisher.send(&mut typed("a.A", b"third")).unwrap();
    let mut message = Message::new();
    subscriber.recv(&mut message, soon()).unwrap();
    assert_eq!(message.payload(), b"third");
    let (sender, empty) = shared();
    reactor
        .add_timer(Duration::from_millis(1), true, move |r| {
            if r.sources() == 0 {
                let _nobody_listens_any_more = sender.lock().unwrap().send(());
            }
        })
        .unwrap();
    empty.recv_timeout(LONG).unwrap();
    reactor.close().unwrap();
}

#[test]
fn a_handler_that_was_changed_holds_for_the_next_message() {
    let reactor = Reactor::new().unwrap();
    let (seen, told) = shared();
    // Over inproc both messages are there before the reactor runs: it takes them in one turn.
    let source: Arc<dyn Channel> = Arc::new(Dealer::new("@inproc://reactor-handler-changed", &Options::new()).unwrap());
    let sender = Dealer::new("inproc://reactor-handler-changed", &Options::new()).unwrap();
    reactor
        .on("a.Thing", move |delivery, _| {
            seen.lock().unwrap().send("first").unwrap();
            let seen = Arc::clone(&seen);
            delivery.reactor.on("a.Thing", move |_, _| {
                seen.lock().unwrap().send("second").unwrap();
                Ok(())
            })
        })
        .unwrap();
    for _ in 0..2 {
        sender.send(&mut typed("a.Thing", b"")).unwrap();
    }
    reactor.add(&source, 0).unwrap();
    reactor.start("test-reactor").unwrap();
    assert_eq!(told.recv_timeout(LONG).unwrap(), "first");
    assert_eq!(told.recv_timeout(LONG).unwrap(), "second");
}

#[test]
fn a_reactor_stops_at_once_also_from_its_own_handler_and_runs_again() {
    let reactor = Reactor::new().unwrap();
    let (response, request) = served(&reactor);
    reactor
        .on("a.Stop", |d, m| {
            d.reactor.stop(Deadline::Never)?;
            m.reply(&mut typed("a.Reply", b"bye"))
        })
        .unwrap();
    std::thread::scope(|scope| {
        let loop_thread = scope.spawn(|| reactor.run());
        assert_eq!(call(&request, "a.Stop").unwrap(), b"bye");
        loop_thread.join().unwrap().unwrap();
    });
    assert!(!reactor.is_running());
    reactor.start("test-reactor").unwrap();
    assert_eq!(reactor.run().unwrap_err().status(), Status::State);
    let before = Instant::now();
    reactor.stop(soon()).unwrap();
    assert!(before.elapsed() < Duration::from_secs(5));
    drop(response);
}

#[test]
fn tasks_run_in_order_timers_at_their_times_and_the_idle_hook_when_nothing_comes() {
    let reactor = Reactor::new().unwrap();
    reactor.start("test-reactor").unwrap();
    let (sender, order) = shared();
    for i in 0..100 {
        let sender = Arc::clone(&sender);
        reactor
            .post(Box::new(move |_| sender.lock().unwrap().send(i).unwrap()))
            .unwrap();
    }
    let got: Vec<i32> = (0..100).map(|_| order.recv_timeout(LONG).unwrap()).collect();
    assert_eq!(got, (0..100).collect::<Vec<_>>());

    let (sender, ticks) = shared();
    let start = Instant::now();
    let id = reactor
        .add_timer(Duration::from_millis(20), true, move |_| {
            let _over = sender.lock().unwrap().send(());
        })
        .unwrap();
    (0..3).for_each(|_| ticks.recv_timeout(LONG).unwrap());
    assert!(start.elapsed() >= Duration::from_millis(60));
    reactor.cancel_timer(id).unwrap();
    assert_eq!(reactor.cancel_timer(id).unwrap_err().status(), Status::NotFound);

    let (sender, idle) = shared();
    let hook: Arc<dyn Fn(&Reactor) + Send + Sync> = Arc::new(move |_| {
        let _over = sender.lock().unwrap().send(());
    });
    reactor.set_idle_hook(Duration::from_millis(5), Some(hook)).unwrap();
    idle.recv_timeout(LONG).unwrap();
    reactor.close().unwrap();
    assert_eq!(reactor.post(Box::new(|_| ())).unwrap_err().status(), Status::Closed);
}

#[test]
fn poll_tells_who_can_be_received_from() {
    let publisher = Publisher::new("tcp://127.0.0.1:*", &Options::new()).unwrap();
    let at = publisher.last_endpoint().unwrap();
    let one = Subscriber::new(&at, Filter::Types(&["a.One"]), &Options::new()).unwrap();
    let two = Subscriber::new(&at, Filter::Types(&["a.Two"]), &Options::new()).unwrap();
    publisher.wait_for_subscribers(None, 2, soon()).unwrap();
    assert_eq!(
        dividere::poll(&[&one, &two], Deadline::from_ms(20))
            .unwrap_err()
            .status(),
        Status::Timeout
    );
    publisher.send(&mut typed("a.Two", b"2")).unwrap();
    assert_eq!(dividere::poll(&[&one, &two], soon()).unwrap(), [false, true]);
    two.recv(&mut Message::new(), Deadline::Now).unwrap();
    assert_eq!(
        dividere::poll(&[&one, &two], Deadline::Now).unwrap_err().status(),
        Status::WouldBlock
    );
}

#[test]
fn a_task_that_posts_itself_holds_up_neither_messages_nor_stop() {
    let reactor = Reactor::new().unwrap();
    let (_response, request) = served(&reactor);
    reactor
        .on("a.Ask", |_, message| message.reply(&mut typed("a.Answer", b"yes")))
        .unwrap();
    fn again(reactor: &Reactor) {
        // CLOSED at the end.
        let _closed = reactor.post(Box::new(again));
    }
    reactor.post(Box::new(again)).unwrap();
    reactor.start("posting").unwrap();
    for _ in 0..100 {
        assert_eq!(call(&request, "a.Ask").unwrap(), b"yes");
    }
    reactor.stop(soon()).unwrap();
}

#[test]
fn a_reactor_that_is_dropped_ends_its_thread_and_gives_its_sources_back() {
    let source: Arc<dyn Channel> = Arc::new(Dealer::new("tcp://127.0.0.1:*", &Options::new()).unwrap());
    let peer = Dealer::new(&source.last_endpoint().unwrap(), &Options::new()).unwrap();
    for running in [false, true] {
        let (sender, ended) = shared::<()>();
        let reactor = Reactor::new().unwrap();
        reactor.add(&source, 0).unwrap();
        reactor
            .on("a.Kept", move |_, _| {
                let _keeps = &sender;
                Ok(())
            })
            .unwrap();
        if running {
            reactor.start("dropped").unwrap();
        }
        let copy = reactor.clone();
        drop(reactor);
        assert_eq!(
            source.recv(&mut Message::new(), Deadline::Now).unwrap_err().status(),
            Status::State
        );
        drop(copy);
        // The handler is dropped with the loop: the other end of its channel hears it.
        assert!(ended
            .recv_timeout(LONG)
            .is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Disconnected));
        let patience = soon();
        peer.send(&mut typed("a.Direct", b"")).unwrap();
        loop {
            // The sources come right after.
            match source.recv(&mut Message::new(), soon()) {
                Err(error) if error.status() == Status::State && !patience.is_over() => std::thread::yield_now(),
                other => break other.unwrap(),
            }
        }
    }
}

#[test]
fn a_reactor_closed_while_it_starts_does_not_run_on() {
    for _ in 0..300 {
        let reactor = Reactor::new().unwrap();
        let closing = reactor.clone();
        std::thread::scope(|scope| {
            let starts = scope.spawn(|| reactor.start("closed"));
            closing.close().unwrap();
            if let Err(error) = starts.join().unwrap() {
                assert_eq!(error.status(), Status::Closed);
            }
        });
        let patience = soon();
        while reactor.is_running() {
            assert!(!patience.is_over(), "it runs on");
            std::thread::yield_now();
        }
    }
}

#[test]
fn who_sleeps_in_a_receive_is_told_when_a_reactor_takes_the_socket() {
    let source: Arc<dyn Channel> = Arc::new(Dealer::new("tcp://127.0.0.1:*", &Options::new()).unwrap());
    let reactor = Reactor::new().unwrap();
    std::thread::scope(|scope| {
        let (name, names) = channel();
        let source = &source;
        let sleeper = scope.spawn(move || {
            name.send(this_thread()).unwrap();
            source.recv(&mut Message::new(), soon())
        });
        wait_until_asleep(names.recv().unwrap());
        reactor.add(source, 0).unwrap();
        let added = Instant::now();
        assert_eq!(sleeper.join().unwrap().unwrap_err().status(), Status::State);
        assert!(added.elapsed() < LONG / 2, "only when its time was over");
    });
}
