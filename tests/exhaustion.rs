//! Without descriptors everything fails with LIMIT, costs nothing, and works again once there are some.

mod common;

use common::{alone, bytes, soon, LIMIT};
use dividere::{Channel, Dealer, Message, Options, Proxy, ProxyKind, Reactor, Result, Status};

/// Descriptors that are open.
fn open() -> usize {
    // One is that of the look itself.
    std::fs::read_dir("/proc/self/fd").unwrap().count() - 1
}

/// Lets the process open `count` descriptors more.
fn leave(count: usize) {
    let free = (0..).filter(|fd| !std::path::Path::new(&format!("/proc/self/fd/{fd}")).exists());
    let last = free.take(count).last().unwrap();
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the output and the input live through the calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = last as libc::rlim_t + 1;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

/// One of each. Whether they reach each other is another matter: to accept takes descriptors, too.
fn make() -> Result<()> {
    let left = Dealer::new("@tcp://127.0.0.1:*", &Options::new())?;
    let _right = Dealer::new(&format!(">{}", left.last_endpoint()?), &Options::new())?;
    left.fd()?;
    let reactor = Reactor::new()?;
    reactor.start("limited")?;
    reactor.close()?;
    let any = "tcp://127.0.0.1:*";
    Proxy::new(ProxyKind::RequestResponse, any, any, Some(any), &Options::new())?.close()
}

fn exchange() {
    let left = Dealer::new("@tcp://127.0.0.1:*", &Options::new()).unwrap();
    let right = Dealer::new(&format!(">{}", left.last_endpoint().unwrap()), &Options::new()).unwrap();
    right.send(&mut bytes(b"works")).unwrap();
    left.recv_bytes(&mut Message::new(), soon()).unwrap();
}

#[test]
fn who_runs_out_of_descriptors_may_try_again_and_again() {
    alone("who_runs_out_of_descriptors_may_try_again_and_again", || {
        // What the process needs once, as long as it needs it.
        const OF_THE_PROCESS: usize = 16;
        const ATTEMPTS: usize = 20;
        let at_first = open();
        let mut failed = 0;
        for count in 3..80 {
            for _ in 0..ATTEMPTS {
                leave(count);
                match make() {
                    Ok(()) => {}
                    Err(error) => {
                        assert_eq!(error.status(), Status::Limit, "{error}");
                        failed += 1;
                    }
                }
            }
            // Closed sockets give theirs back a moment later.
            let deadline = std::time::Instant::now() + LIMIT;
            while open() > at_first + OF_THE_PROCESS {
                assert!(
                    std::time::Instant::now() < deadline,
                    "{} descriptors more with {count} left",
                    open() - at_first
                );
                std::thread::yield_now();
            }
        }
        assert!(failed > 0);
        leave(200);
        exchange();
    });
}
